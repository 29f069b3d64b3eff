"""An embedder by its name: one of the registry's, or several joined; nothing is loaded twice."""

from __future__ import annotations

from face_det.embedders import specs
from face_det.embedders.joined import JoinedEmbedder
from face_det.nets import Compute
from face_det.registry import create_by_name
from face_det.types import CompositeEmbedder, Embedder

DLIB, VIEWS = "dlib_resnet", "dlib_views"
"""Embedders of one network."""


def create_embedder(name: str, compute: Compute, jitter: str, loaded: Embedder | None = None) -> Embedder:
    """The embedder of that name; what `loaded` is, or is made of, is not loaded again.

    Raises what loading its networks raises, and ConfigError for a name that nobody has.
    """
    made: dict[str, Embedder] = {}
    for one in specs.JOINED_EMBEDDERS.get(name, (name,)):
        found = _find_loaded(loaded, one)
        if found is None:
            dlib = made.get(DLIB) or _find_loaded(loaded, DLIB)
            more = {"plain": dlib} if one == VIEWS and dlib is not None else {}
            found = create_by_name(specs.EMBEDDERS, one, compute=compute, jitter=jitter, **more)
        made[one] = found
    return JoinedEmbedder(name, [*made.values()]) if name in specs.JOINED_EMBEDDERS else made[name]


def _find_loaded(loaded: Embedder | None, name: str) -> Embedder | None:
    """The embedder of that name, if it is loaded, by itself or inside others."""
    if loaded is None or loaded.name == name:
        return loaded
    if not isinstance(loaded, CompositeEmbedder):
        return None
    return next((found for part in loaded.parts if (found := _find_loaded(part, name)) is not None), None)
