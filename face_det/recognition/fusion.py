"""One encoding for all the frames in which a person was seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

MIN_QUALITY = 0.01
"""Below this quality, frames count equally: none of them shows who it is."""

Vector = npt.NDArray[np.float64]


def fuse_encodings(qualities: Sequence[float | None], encodings: Sequence[npt.ArrayLike]) -> Vector:
    """Return one encoding, shape (dimensions,), for all frames of a person, of which there is at least one.

    It is their mean, weighted by the squares of the qualities (`Face.quality`, 0..1), and as long as they are
    on average; a quality that is not known counts as 1. The quality is the probability that the encoding
    tells who it is. Weighted by it alone, many poor frames would outweigh a clear one, and they do not
    average out: blurred faces resemble each other, so what they add is not noise but a direction of its own.

    >>> fuse_encodings([0.9, 0.9, 0.1], [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]).round(3).tolist()
    [0.703, 0.711]
    """
    rows = np.array(encodings, np.float64)
    if len(rows) == 1:
        only: Vector = rows[0]
        return only
    known = [1.0 if quality is None else max(quality, MIN_QUALITY) for quality in qualities]
    weights = np.array(known) ** 2
    mean: Vector = weights @ rows / weights.sum()
    length = float(np.linalg.norm(rows, axis=1).mean())
    return mean * (length / max(float(np.linalg.norm(mean)), 1e-12))
