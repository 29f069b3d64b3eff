"""Moving pictures: files, folders of pictures and streams, read and written in processes of their own."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
