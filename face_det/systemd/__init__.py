"""The daemon as a systemd service: installing it, and telling systemd how it is."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
