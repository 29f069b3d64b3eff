"""dlib's ResNet embedder: 128-d encodings, those of face_recognition.face_encodings."""

from __future__ import annotations

from collections.abc import Sequence

from face_det import registry
from face_det.compute import PLAIN, Compute
from face_det.embedders import landmarks
from face_det.embedders.landmarks import CHIP_PX, PADDING
from face_det.embedders.samples import summed
from face_det.faces import Detection, Encodings, Rgb
from face_det.nets.catalogue import CATALOGUE
from face_det.nets.resnet import BATCH, DIMENSIONS, Resnet


class DlibResnetEmbedder:
    """Five landmarks turn the face upright into a 150 px chip; the network makes 128 numbers of it.

    The fingerprint is that of every runtime, precision and jitter: what they make of a chip lies
    .02 apart at the most, as dlib's own jitters do, where two photos of a person lie .3 apart.
    """

    name = "dlib_resnet"
    dimensions = DIMENSIONS

    def __init__(self, compute: Compute = PLAIN, jitter: str = "dlib") -> None:
        self.fingerprint = f"{self.name}:{CATALOGUE['resnet'].sha256[:12]}:landmarks5-{CHIP_PX}-{PADDING}"
        # Now, so that missing weights are said at the start.
        landmarks.predictor("landmarks5")
        self._jitter = registry.create(registry.JITTERS, jitter)
        self._network = Resnet(compute)
        self.runtime = self._network.runtime

    def align(self, rgb: Rgb, detection: Detection) -> Rgb:
        """The face as an upright chip, shape (150, 150, 3)."""
        return landmarks.chip(rgb, landmarks.found5(rgb, detection.box))

    def embed(self, chips: Sequence[Rgb], jitters: int = 1) -> Encodings:
        """Encodings of chips, shape (len(chips), 128); more `jitters` average that many re-samples.

        Re-samples of several faces share a batch, and only a batch of them is in memory.
        """
        if jitters <= 1:
            return self._network.encode(chips)
        samples = [self._jitter.resampled(chip, jitters) for chip in chips]
        return summed(samples, self._network.encode, BATCH, self.dimensions) / jitters
