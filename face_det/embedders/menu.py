"""An embedder by its name: one of the registry's, or several joined; nothing is loaded twice."""

from __future__ import annotations

from face_det import registry
from face_det.compute import Compute
from face_det.embedders.joined import JoinedEmbedder
from face_det.faces import Embedder, Parts

DLIB, VIEWS = "dlib_resnet", "dlib_views"
"""Embedders of one network."""


def embedder(name: str, compute: Compute, jitter: str, loaded: Embedder | None = None) -> Embedder:
    """The embedder of that name; what `loaded` is, or is made of, is not loaded again.

    Raises what loading its networks raises, and ConfigError for a name that nobody has.
    """
    made: dict[str, Embedder] = {}
    for one in registry.JOINED.get(name, (name,)):
        found = _part(loaded, one)
        if found is None:
            dlib = made.get(DLIB) or _part(loaded, DLIB)
            more = {"plain": dlib} if one == VIEWS and dlib is not None else {}
            found = registry.create(registry.EMBEDDERS, one, compute=compute, jitter=jitter, **more)
        made[one] = found
    return JoinedEmbedder(name, [*made.values()]) if name in registry.JOINED else made[name]


def _part(loaded: Embedder | None, name: str) -> Embedder | None:
    """The embedder of that name, if it is loaded, by itself or inside others."""
    if loaded is None or loaded.name == name:
        return loaded
    if not isinstance(loaded, Parts):
        return None
    return next((found for part in loaded.parts if (found := _part(part, name)) is not None), None)
