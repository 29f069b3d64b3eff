"""A memory of who was seen: sightings, unknown people and events, in SQLite."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
