"""Re-samples of a face's chip, whose encodings are averaged: small shifts, turns, zooms, mirrored or not."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import dlib
import numpy as np

from face_det.media import random_warps
from face_det.types import Encodings, Rgb

SAMPLES_AT_ONCE = 32
"""Re-samples in memory at once."""


class DlibJitter:
    """dlib's own, from its one stream of random numbers: a process that has drawn none yet gets
    those of face_recognition, and later ones others."""

    def resampled(self, chip: Rgb, count: int) -> Iterator[Rgb]:
        """`count` changed copies."""
        for start in range(0, count, SAMPLES_AT_ONCE):
            yield from dlib.jitter_image(chip, min(SAMPLES_AT_ONCE, count - start))


class FastJitter:
    """As large as dlib's, at a fraction of the time; the same for the same chip, always."""

    def resampled(self, chip: Rgb, count: int) -> Iterator[Rgb]:
        """`count` changed copies."""
        return random_warps(chip, count, np.random.default_rng(zlib.crc32(chip.tobytes())))


def sum_sample_encodings(
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
