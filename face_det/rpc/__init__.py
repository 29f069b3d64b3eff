"""Both halves of the zerorpc wire: endpoints, keys, messages, client and server. It knows no faces."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
