"""The service behind the daemon and the commands: recognises, enrols, forgets and trains."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
