"""From pixels to encodings: detect, check size and focus, align, embed; here or in isolated processes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
