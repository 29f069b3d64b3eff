"""SFace's embedder: 128-d encodings of length 1, those of cv2.FaceRecognizerSF."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from face_det import registry
from face_det.compute import PLAIN, Compute
from face_det.embedders.five_points import FivePoints
from face_det.faces import Detection, Encodings, Rgb
from face_det.media.resize import moved
from face_det.nets.catalogue import CATALOGUE
from face_det.nets.network import Floats
from face_det.nets.sface import CHIP_PX, DIMENSIONS, Sface, unit

TEMPLATE = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)


class SfaceEmbedder:
    """Five points turn the face upright into a 112 px chip; the network makes 128 numbers of it."""

    name = "sface"
    dimensions = DIMENSIONS

    def __init__(self, compute: Compute = PLAIN, jitter: str = "dlib") -> None:
        self.fingerprint = f"{self.name}:{CATALOGUE['sface'].sha256[:12]}:points5-{CHIP_PX}"
        self._points = FivePoints(compute)
        self._jitter = registry.create(registry.JITTERS, jitter)
        self._network = Sface(compute)
        self.runtime = self._network.runtime

    def align(self, rgb: Rgb, detection: Detection) -> Rgb:
        """The face as an upright chip, shape (112, 112, 3)."""
        return moved(rgb, similarity(self._points.of(rgb, detection)), CHIP_PX)

    def embed(self, chips: Sequence[Rgb], jitters: int = 1) -> Encodings:
        """Encodings of chips, shape (len(chips), 128); more `jitters` average that many re-samples."""
        if jitters <= 1:
            return self._network.encode(chips)
        sums = [
            self._network.encode(list(self._jitter.resampled(chip, jitters))).mean(axis=0) for chip in chips
        ]
        return unit(np.array(sums).reshape(-1, self.dimensions))


def similarity(points: Floats) -> npt.NDArray[np.float64]:
    """(2, 3): the turn, zoom and shift that bring the points nearest to the TEMPLATE (least squares)."""
    count = len(TEMPLATE)
    source, target = points[:count].astype(np.float64), TEMPLATE[: len(points)]
    if len(points) == 3:
        target = TEMPLATE[:3]
    a, b = source @ [1, 1j], target @ [1, 1j]
    da, db = a - a.mean(), b - b.mean()
    spread = float((abs(da) ** 2).sum())
    turn = (da.conj() @ db) / spread if spread > 1e-6 else 1.0
    shift = b.mean() - turn * a.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
