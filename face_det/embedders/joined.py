"""Joins several embedders: their encodings side by side, from one detection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from face_det.types import Detection, Embedder, Encodings, NormedEmbedder, Rgb, join_runtimes


def join_fingerprints(name: str, *parts: str) -> str:
    """Make the fingerprint of a joined embedder from the fingerprints of its parts.

    >>> join_fingerprints("both", "dlib_resnet:1", "sface:2")
    'both:dlib_resnet:1+sface:2'
    """
    return f"{name}:{'+'.join(parts)}"


class JoinedEmbedder:
    """Concatenates its parts' encodings; a chip is the tuple of the parts' chips."""

    def __init__(self, name: str, embedders: Sequence[Embedder]) -> None:
        self.name = name
        self.parts = tuple(embedders)
        self.dimensions = sum(embedder.dimensions for embedder in embedders)
        self.fingerprint = join_fingerprints(name, *(embedder.fingerprint for embedder in embedders))
        self.runtime = join_runtimes(*(embedder.runtime for embedder in embedders))

    def align(self, rgb: Rgb, detection: Detection) -> tuple[Any, ...]:
        """Align the face for each part."""
        return tuple(part.align(rgb, detection) for part in self.parts)

    def embed(self, chips: Sequence[tuple[Any, ...]], jitters: int = 1) -> Encodings:
        """Encode chips; shape (len(chips), dimensions). `jitters` means what it means to each part."""
        return self.embed_with_norms(chips, jitters)[0]

    def embed_with_norms(
        self, chips: Sequence[tuple[Any, ...]], jitters: int = 1
    ) -> tuple[Encodings, npt.NDArray[np.float64]]:
        """Encode chips as `embed` does; also return the norms of the part that tells them, or NaN."""
        encodings, norms = [], np.full(len(chips), np.nan)
        for at, part in enumerate(self.parts):
            own = [each[at] for each in chips]
            if isinstance(part, NormedEmbedder):
                found, norms = part.embed_with_norms(own, jitters)
            else:
                found = part.embed(own, jitters)
            encodings.append(found)
        return np.hstack(encodings), norms
