"""Networks: their weights, the runtimes that run them, and their inputs and outputs."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
