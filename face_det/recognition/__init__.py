"""Who is this? A trained model and the decision known, uncertain or unknown."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
