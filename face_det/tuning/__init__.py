"""Steps through recorded alarm frames, and shows what the recogniser makes of them with other parameters."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
