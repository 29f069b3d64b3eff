"""Creates an embedder by its name: a single one, or several joined. Nothing is loaded twice."""

from __future__ import annotations

from face_det.embedders.files import know_file
from face_det.embedders.joined import JoinedEmbedder
from face_det.embedders.specs import (
    ALL_EMBEDDERS,
    EMBEDDERS,
    embedder_parts,
    is_joined,
    joined_embedders,
)
from face_det.nets import Compute
from face_det.types import CompositeEmbedder, Embedder


def create_embedder(name: str, compute: Compute, jitter: str, loaded: Embedder | None = None) -> Embedder:
    """Create the embedder called `name`; networks that `loaded` already holds are shared, not loaded again.

    Raises what loading the networks raises, ModelMissing and ModelError for a file that is not what its
    description says, and ConfigError for an unknown name.
    """
    made: dict[str, Embedder] = {}
    for part in embedder_parts(name):
        know_file(part)
        embedder = _find_loaded(loaded, part)
        if embedder is None:
            options = {"compute": compute, "jitter": jitter}
            base = EMBEDDERS[part].base if part in EMBEDDERS else None
            if base is not None:
                options["base"] = made.get(base) or _find_loaded(loaded, base)
            embedder = EMBEDDERS.create(part, **options)
        made[part] = embedder
    if not is_joined(name):
        return made[name]
    # A fingerprint names the parts itself, so the name before them only has to say that there are several.
    return JoinedEmbedder(name if name in joined_embedders() else ALL_EMBEDDERS, [*made.values()])


def _find_loaded(loaded: Embedder | None, name: str) -> Embedder | None:
    """Return the embedder called `name` if it is loaded, alone or inside another one."""
    if loaded is None or loaded.name == name:
        return loaded
    if not isinstance(loaded, CompositeEmbedder):
        return None
    return next((found for part in loaded.parts if (found := _find_loaded(part, name)) is not None), None)
