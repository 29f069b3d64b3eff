"""Who is this, by body and clothes, where the face cannot be seen? Off unless config.json has `body`."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
