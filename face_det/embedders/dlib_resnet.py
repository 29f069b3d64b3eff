"""dlib's ResNet embedder: 128-d encodings, those of face_recognition.face_encodings."""

from __future__ import annotations

from collections.abc import Sequence

from face_det.embedders import alignment, specs
from face_det.embedders.alignment import DLIB_CHIP_PADDING, DLIB_CHIP_PX
from face_det.embedders.jitter import sum_sample_encodings
from face_det.nets import DEFAULT_COMPUTE, RESNET_BATCH, RESNET_DIMENSIONS, WEIGHTS_CATALOGUE, Compute, Resnet
from face_det.registry import create_by_name
from face_det.types import Detection, Encodings, Rgb


class DlibResnetEmbedder:
    """Five landmarks turn the face upright into a 150 px chip; the network makes 128 numbers of it.

    The fingerprint is that of every runtime, precision and jitter: what they make of a chip lies
    .02 apart at the most, as dlib's own jitters do, where two photos of a person lie .3 apart.
    """

    name = "dlib_resnet"
    dimensions = RESNET_DIMENSIONS

    def __init__(self, compute: Compute = DEFAULT_COMPUTE, jitter: str = "dlib") -> None:
        weights = WEIGHTS_CATALOGUE["resnet"].sha256[:12]
        self.fingerprint = f"{self.name}:{weights}:landmarks5-{DLIB_CHIP_PX}-{DLIB_CHIP_PADDING}"
        # Now, so that missing weights are said at the start.
        alignment.load_landmark_predictor("landmarks5")
        self._jitter = create_by_name(specs.JITTERS, jitter)
        self._network = Resnet(compute)
        self.runtime = self._network.runtime

    def align(self, rgb: Rgb, detection: Detection) -> Rgb:
        """The face as an upright chip, shape (150, 150, 3)."""
        return alignment.cut_chip(rgb, alignment.detect_landmarks5_in_box(rgb, detection.box))

    def embed(self, chips: Sequence[Rgb], jitters: int = 1) -> Encodings:
        """Encodings of chips, shape (len(chips), 128); more `jitters` average that many re-samples.

        Re-samples of several faces share a batch, and only a batch of them is in memory.
        """
        if jitters <= 1:
            return self._network.encode(chips)
        samples = [self._jitter.resampled(chip, jitters) for chip in chips]
        return sum_sample_encodings(samples, self._network.encode, RESNET_BATCH, self.dimensions) / jitters
