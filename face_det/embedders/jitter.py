"""Resamples a face with small shifts, rotations, zooms and mirroring; the encodings are averaged."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import dlib
import numpy as np

from face_det.budget import checkpoint
from face_det.media import random_warps
from face_det.types import Encodings, Rgb

SAMPLES_AT_ONCE = 32
"""How many samples are in memory at once."""


class DlibJitter:
    """dlib's own samples, from its single stream of random numbers.

    The first samples in a process are those of face_recognition; later ones differ.
    """

    def resample(self, chip: Rgb, count: int) -> Iterator[Rgb]:
        """Yield `count` changed copies of a chip, shape (side, side, 3)."""
        for start in range(0, count, SAMPLES_AT_ONCE):
            yield from dlib.jitter_image(chip, min(SAMPLES_AT_ONCE, count - start))


class FastJitter:
    """Samples as varied as dlib's, at a fraction of the time, and always the same for the same chip."""

    def resample(self, chip: Rgb, count: int) -> Iterator[Rgb]:
        """Yield `count` changed copies of a chip, shape (side, side, 3)."""
        return random_warps(chip, count, np.random.default_rng(zlib.crc32(chip.tobytes())))


def sum_sample_encodings(
    faces: Sequence[Iterable[Rgb]], encode: Callable[[Sequence[Rgb]], Encodings], size: int, dimensions: int
) -> Encodings:
    """Sum the encodings of each face's samples; shape (len(faces), dimensions).

    `size` samples are encoded at once, and no more of them are in memory. Faces share these batches. Before
    each of them is a checkpoint.

    >>> def encode(samples):
    ...     return np.array([[sample.sum(), 1.0] for sample in samples])
    >>> ones, twos = np.ones((2, 2)), np.full((2, 2), 2)
    >>> sum_sample_encodings([[ones, ones], [twos]], encode, size=2, dimensions=2)
    array([[8., 2.],
           [8., 1.]])
    """
    sums = np.zeros((len(faces), dimensions))
    samples = ((face, sample) for face, several in enumerate(faces) for sample in several)
    while batch := list(itertools.islice(samples, size)):
        checkpoint()
        owners, each = zip(*batch, strict=True)
        np.add.at(sums, list(owners), encode(each))
    return sums
