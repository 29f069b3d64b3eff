"""HTTP around the daemon: a page for people and an API for programs, which hold nothing and ask its verbs."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
