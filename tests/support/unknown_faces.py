"""Synthetic encodings of people nobody knows, and how they come in."""

from __future__ import annotations

import numpy as np

from face_det.sightings import NOBODY, Clusters


def people(count: int, faces: int, seed: int = 1, spread: float = 0.6) -> np.ndarray:
    """Encodings of length 1 around random centres, (count, faces, 128); cosines about 1 / (1 + spread^2)."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(count, 1, 128))
    found = centres + spread * rng.normal(size=(count, faces, 128))
    return np.asarray(found / np.linalg.norm(found, axis=2, keepdims=True))


def come_in(clusters: Clusters, encodings: np.ndarray, first_id: int = 1) -> np.ndarray:
    """Let each face join its nearest cluster or found one; return the clusters, (n,)."""
    given = np.full(len(encodings), NOBODY)
    for at, encoding in enumerate(encodings):
        best = clusters.nearest(encoding)
        if best is None:
            given[at] = first_id + at
            clusters.found(first_id + at, encoding)
        else:
            given[at] = best[0]
            clusters.join(best[0], encoding)
    return given


def same_partition(one: np.ndarray, two: np.ndarray) -> bool:
    """Tell whether two lists of ids put the same faces together."""
    return bool(((one[:, None] == one) == (two[:, None] == two)).all())
