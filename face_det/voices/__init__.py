"""Voices: sound, where somebody speaks in it, and who that is, decided as for faces."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
