"""Runs several of our programs in the foreground, with one log; they stop together."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
