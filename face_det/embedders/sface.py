"""The SFace embedder: 128-d encodings of length 1, those of cv2.FaceRecognizerSF."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from face_det.embedders.alignment import FaceAligner
from face_det.embedders.jitter import sum_sample_encodings
from face_det.embedders.specs import JITTERS
from face_det.media import warp_to_square
from face_det.nets import (
    DEFAULT_COMPUTE,
    SFACE_BATCH,
    SFACE_CHIP_PX,
    SFACE_DIMENSIONS,
    WEIGHTS_CATALOGUE,
    Compute,
    Sface,
    scale_to_unit_length,
)
from face_det.types import Detection, Encodings, Rgb


class SfaceEmbedder:
    """Five landmarks align the face in a chip of 112 px, which the network encodes as 128 numbers.

    Encodings are compared by their angle, so each has length 1. The fingerprint is the same for every
    runtime, precision, jitter and detector; its last part names the alignment.
    """

    name = "sface"
    dimensions = SFACE_DIMENSIONS

    def __init__(self, compute: Compute = DEFAULT_COMPUTE, jitter: str = "dlib") -> None:
        self.fingerprint = f"{self.name}:{WEIGHTS_CATALOGUE['sface'].sha256[:12]}:yunet4-{SFACE_CHIP_PX}"
        self._aligner = FaceAligner(compute)
        self._jitter = JITTERS.create(jitter)
        self._network = Sface(compute)
        self.runtime = self._network.runtime

    def align(self, rgb: Rgb, detection: Detection) -> Rgb:
        """Align a face as an upright chip, shape (112, 112, 3), whatever its box.

        If the detection has landmarks, this equals OpenCV's alignCrop.
        """
        return warp_to_square(rgb, self._aligner.find_transform(rgb, detection), SFACE_CHIP_PX)

    def embed(self, chips: Sequence[Rgb], jitters: int = 1) -> Encodings:
        """Encode chips; shape (len(chips), 128).

        With more `jitters`, this many samples are averaged: the chip, its mirror image, then resamples. The
        second one brings most of the gain. Samples of several faces share a batch.
        """
        return self.embed_with_norms(chips, jitters)[0]

    def embed_with_norms(
        self, chips: Sequence[Rgb], jitters: int = 1
    ) -> tuple[Encodings, npt.NDArray[np.float64]]:
        """Encode chips as `embed` does; also return the length of each chip's own encoding before scaling."""
        if jitters <= 1:
            return self._network.encode_with_norms(chips)
        norms: list[float] = []

        def encode(samples: Sequence[Rgb]) -> Encodings:
            encodings, lengths = self._network.encode_with_norms(samples)
            norms.extend(lengths)
            return encodings

        samples = [self._samples(chip, jitters) for chip in chips]
        sums = sum_sample_encodings(samples, encode, SFACE_BATCH, self.dimensions)
        # The chip itself is the first of its samples.
        return scale_to_unit_length(sums), np.array(norms[::jitters])

    def _samples(self, chip: Rgb, count: int) -> Iterator[Rgb]:
        yield chip
        yield chip[:, ::-1]
        if count > 2:
            yield from self._jitter.resample(chip, count - 2)
