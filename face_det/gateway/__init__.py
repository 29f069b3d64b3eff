"""The HTTP gateway: a stateless page for people and API for programs, which call the daemon's verbs."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
