"""Reads config.json and the environment into one validated, frozen Config."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
