"""The dlib ResNet embedder: 128-d encodings, those of face_recognition.face_encodings."""

from __future__ import annotations

from collections.abc import Sequence

from face_det.embedders import alignment
from face_det.embedders.alignment import DLIB_CHIP_PADDING, DLIB_CHIP_PX
from face_det.embedders.jitter import sum_sample_encodings
from face_det.embedders.specs import JITTERS
from face_det.nets import DEFAULT_COMPUTE, RESNET_BATCH, RESNET_DIMENSIONS, WEIGHTS_CATALOGUE, Compute, Resnet
from face_det.types import Detection, Encodings, Rgb


class DlibResnetEmbedder:
    """Five landmarks align the face in a chip of 150 px, which the network encodes as 128 numbers.

    The fingerprint is the same for every runtime, precision and jitter: their encodings of a chip differ by
    0.02 at most, as do dlib's own jitters, while two photos of a person are 0.3 apart.
    """

    name = "dlib_resnet"
    dimensions = RESNET_DIMENSIONS

    def __init__(self, compute: Compute = DEFAULT_COMPUTE, jitter: str = "dlib") -> None:
        weights = WEIGHTS_CATALOGUE["resnet"].sha256[:12]
        self.fingerprint = f"{self.name}:{weights}:landmarks5-{DLIB_CHIP_PX}-{DLIB_CHIP_PADDING}"
        # Loaded now, so that missing weights are reported at the start.
        alignment.load_landmark_predictor("landmarks5")
        self._jitter = JITTERS.create(jitter)
        self._network = Resnet(compute)
        self.runtime = self._network.runtime

    def align(self, rgb: Rgb, detection: Detection) -> Rgb:
        """Align a face as an upright chip, shape (150, 150, 3)."""
        return alignment.cut_chip(rgb, alignment.detect_landmarks5_in_box(rgb, detection.box))

    def embed(self, chips: Sequence[Rgb], jitters: int = 1) -> Encodings:
        """Encode chips; shape (len(chips), 128). With more `jitters`, that many resamples are averaged.

        Resamples of several faces share a batch, and only one batch of them is in memory.
        """
        if jitters <= 1:
            return self._network.encode(chips)
        samples = [self._jitter.resample(chip, jitters) for chip in chips]
        return sum_sample_encodings(samples, self._network.encode, RESNET_BATCH, self.dimensions) / jitters
