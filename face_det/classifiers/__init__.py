"""Classifiers, one file each, from an encoding to a name, and the menu of them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
