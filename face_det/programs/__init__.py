"""Runs our programs in the foreground until they are told to stop: one of them, or several with one log."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
