"""Several embedders beside each other, on one detection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from face_det.types import Detection, Embedder, Encodings, Rgb, join_runtimes


def join_fingerprints(name: str, *parts: str) -> str:
    """The fingerprint of an embedder that is made of those with these."""
    return f"{name}:{'+'.join(parts)}"


class JoinedEmbedder:
    """The numbers of each, one after the other; the chip is all of their chips."""

    def __init__(self, name: str, embedders: Sequence[Embedder]) -> None:
        self.name = name
        self.parts = tuple(embedders)
        self.dimensions = sum(embedder.dimensions for embedder in embedders)
        self.fingerprint = join_fingerprints(name, *(embedder.fingerprint for embedder in embedders))
        self.runtime = join_runtimes(*(embedder.runtime for embedder in embedders))

    def align(self, rgb: Rgb, detection: Detection) -> tuple[Any, ...]:
        """The face's chips, one of each."""
        return tuple(part.align(rgb, detection) for part in self.parts)

    def embed(self, chips: Sequence[tuple[Any, ...]], jitters: int = 1) -> Encodings:
        """Encodings of faces' chips, shape (len(chips), dimensions); `jitters` as each embedder has them."""
        return np.hstack(
            [part.embed([each[at] for each in chips], jitters) for at, part in enumerate(self.parts)]
        )
