"""Several samples of each face, encoded in batches that faces share, and added up."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from face_det.faces import Encodings, Rgb


def summed(
    faces: Sequence[Iterable[Rgb]], encode: Callable[[Sequence[Rgb]], Encodings], size: int, dimensions: int
) -> Encodings:
    """The sum of the encodings of each face's samples, shape (len(faces), dimensions).

    `size` samples are encoded at once, and only so many are in memory.
    """
    sums = np.zeros((len(faces), dimensions))
    samples = ((face, sample) for face, several in enumerate(faces) for sample in several)
    while batch := list(itertools.islice(samples, size)):
        owners, each = zip(*batch, strict=True)
        np.add.at(sums, list(owners), encode(each))
    return sums
