"""SFace's embedder: 128-d encodings of length 1, those of cv2.FaceRecognizerSF."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from face_det import registry
from face_det.compute import PLAIN, Compute
from face_det.embedders.samples import summed
from face_det.embedders.upright import Upright
from face_det.faces import Detection, Encodings, Rgb
from face_det.media.resize import moved
from face_det.nets.catalogue import CATALOGUE
from face_det.nets.sface import BATCH, CHIP_PX, DIMENSIONS, Sface, unit


class SfaceEmbedder:
    """Five points turn the face upright into a 112 px chip; the network makes 128 numbers of it.

    Encodings are compared by their angle, so all have the length 1. The fingerprint is that of every
    runtime, precision, jitter and detector; its last part names the alignment (see upright).
    """

    name = "sface"
    dimensions = DIMENSIONS

    def __init__(self, compute: Compute = PLAIN, jitter: str = "dlib") -> None:
        self.fingerprint = f"{self.name}:{CATALOGUE['sface'].sha256[:12]}:yunet4-{CHIP_PX}"
        self._upright = Upright(compute)
        self._jitter = registry.create(registry.JITTERS, jitter)
        self._network = Sface(compute)
        self.runtime = self._network.runtime

    def align(self, rgb: Rgb, detection: Detection) -> Rgb:
        """The face as an upright chip, shape (112, 112, 3), whatever its box.

        By the detection's landmarks where it has them: OpenCV's alignCrop.
        """
        return moved(rgb, self._upright.matrix(rgb, detection), CHIP_PX)

    def embed(self, chips: Sequence[Rgb], jitters: int = 1) -> Encodings:
        """Encodings of chips, shape (len(chips), 128).

        More `jitters` average the chip, its mirror image, then re-samples, so many in all: the second
        gains most of what there is to gain. Samples of several faces share a batch.
        """
        if jitters <= 1:
            return self._network.encode(chips)
        samples = [self._samples(chip, jitters) for chip in chips]
        return unit(summed(samples, self._network.encode, BATCH, self.dimensions))

    def _samples(self, chip: Rgb, count: int) -> Iterator[Rgb]:
        yield chip
        yield chip[:, ::-1]
        if count > 2:
            yield from self._jitter.resampled(chip, count - 2)
