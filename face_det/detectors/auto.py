"""The default detector: YuNet, at the scale at which the smallest faces wanted are found."""

from __future__ import annotations

from dataclasses import replace

from face_det.detectors.cnn import CnnDetector
from face_det.detectors.yunet import YunetDetector
from face_det.nets import DEFAULT_COMPUTE, Compute, weights_available
from face_det.types import CoarseDetector, Detection, Detector, Rgb

RELIABLE_FACE_PX = 24
"""YuNet finds all faces of this width: of 100 enrolled photos of LFW, shrunk, it found 89 at 16 px, 97 at
20 px, and all from 24 px on."""

LARGE_FACE_PX = 40
"""In a person's box, smaller faces are searched for only if there is no face of this width: the person's own
face is hardly ever smaller than another one there. dlib's cnn, doubling once, sees none below it either."""

MIN_SCALE, MAX_SCALE = 0.25, 3.0
"""The least and the greatest factor by which a picture is resized."""


class AutoDetector:
    """Finds faces down to `min_face_px` pixels, at a scale that it chooses itself.

    It reports no landmarks: YuNet's own, seen in a picture where the face is small, are less exact than
    those that the embedder's aligner finds in an enlarged crop. Where YuNet's weights are not installed, it
    is dlib's cnn. Its methods may be called from several threads.
    """

    def __init__(self, compute: Compute = DEFAULT_COMPUTE, min_face_px: float = 0) -> None:
        self._yunet = YunetDetector(compute) if weights_available("yunet") else None
        self._detector: Detector = self._yunet or CnnDetector(compute, min_face_px)
        self.runtime = self._detector.runtime
        self._scale = choose_scale(min_face_px)

    def detect(self, rgb: Rgb, upsample: int = 0) -> list[Detection]:
        """Detect the faces of one image, RGB uint8 (H, W, 3), best first.

        `score` is the network's confidence, 0.7 to 1. Only the cnn uses `upsample`.
        """
        if self._yunet is None:
            return self._detector.detect(rgb, upsample)
        return _without_landmarks(self._yunet.detect_at(rgb, self._scale))

    def detect_from(self, rgb: Rgb, min_face_px: float, upsample: int = 0) -> list[Detection]:
        """Detect the faces of one image, RGB uint8 (H, W, 3), that are at least `min_face_px` wide.

        Smaller ones may be left out. From 24 px on that takes a third of the time of 16 px, from 40 px on a
        quarter.
        """
        if self._yunet is None:
            assert isinstance(self._detector, CoarseDetector)
            return self._detector.detect_from(rgb, min_face_px, upsample)
        return _without_landmarks(self._yunet.detect_at(rgb, min(self._scale, choose_scale(min_face_px))))

    def detect_in_person(self, rgb: Rgb, upsample: int = 0) -> list[Detection]:
        """Detect faces in the box of one person, RGB uint8 (H, W, 3).

        Small faces are searched for only if there is no large one. Where somebody is near, that takes a sixth
        of the time.
        """
        coarse = choose_scale(LARGE_FACE_PX)
        if self._yunet is not None and coarse < self._scale:
            found = self._yunet.detect_at(rgb, coarse)
            if any(face.box.width >= LARGE_FACE_PX for face in found):
                return _without_landmarks(found)
        return self.detect(rgb, upsample)


def _without_landmarks(found: list[Detection]) -> list[Detection]:
    return [replace(face, landmarks=None) for face in found]


def choose_scale(min_face_px: float) -> float:
    """Return the factor by which to resize pictures so that faces of that width are found.

    >>> choose_scale(16), choose_scale(48), choose_scale(0)
    (1.5, 0.5, 3.0)
    """
    return min(max(RELIABLE_FACE_PX / max(min_face_px, 1), MIN_SCALE), MAX_SCALE)
