"""How good recognition is on photos it has not seen: protocol, metrics and report."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
