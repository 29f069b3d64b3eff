"""Files that are replaced whole or not at all, strict JSON, and pickles that can only hold data."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
