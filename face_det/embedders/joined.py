"""Joins several embedders: their encodings side by side, from one detection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from face_det.types import Detection, Embedder, Encodings, Rgb, join_runtimes


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
        return np.hstack(
            [part.embed([each[at] for each in chips], jitters) for at, part in enumerate(self.parts)]
        )
