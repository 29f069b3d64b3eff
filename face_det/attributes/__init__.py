"""What is said of a face for information: where the head is turned, and how alive it looks."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
