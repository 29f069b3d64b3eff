"""dlib's CNN detector outside dlib: its own boxes, at a multiple of its speed."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from face_det.compute import PLAIN, Compute
from face_det.detectors import mmod, tiling
from face_det.detectors.dlib_boxes import detection
from face_det.faces import Detection, Rgb
from face_det.nets import runtime
from face_det.nets.network import Floats


class CnnDetector:
    """Boxes equal those of face_recognition.face_locations(rgb, upsample, "cnn"), in fp32.

    `detect` may be called from several threads; the network runs without the interpreter lock.

    With `min_face_px`, the levels of the pyramid that can only hold faces narrower and lower than
    that are not computed, unless they could decide about a larger one: where a face was found on a
    level so close to them that the two could be one face, they are computed after all. The faces
    are those of the full run, in its order, but for some of the smaller ones.
    """

    def __init__(self, compute: Compute = PLAIN, min_face_px: float = 0) -> None:
        self._session = runtime.network("mmod", compute)
        self.runtime = self._session.name
        self._min_face_px = min_face_px

    def detect(self, rgb: Rgb, upsample: int = 0) -> list[Detection]:
        """Faces of one image, best first; `score` is the network's confidence, 0 and up."""
        image = np.ascontiguousarray(rgb)
        for _ in range(upsample):
            # The size that dlib's pyramid_up gives.
            image = tiling.resized(image, 2 * image.shape[0] + 1, 2 * image.shape[1] + 2)
        faces = mmod.distinct(self._candidates(image, mmod.first_level(self._min_face_px, upsample)))
        boxes = mmod.halved(faces.boxes, upsample).tolist()
        return [detection(rgb, sides, score) for sides, score in zip(boxes, faces.scores, strict=True)]

    def _candidates(self, image: Rgb, first: int) -> mmod.Candidates:
        """What the network sees on level `first` and smaller ones, or on all of them."""
        sheet = tiling.sheet(*image.shape[:2])
        scores = np.zeros((sheet.scores.height, sheet.scores.width), np.float32)
        areas = tiling.around(sheet, first) if first else [sheet.scores]
        self._fill(scores, areas, image, sheet)
        found = mmod.candidates(scores, sheet)
        if first and (found.levels[found.levels >= first] < mmod.undisturbed_level(first)).any():
            self._fill(scores, [tiling.Area(0, 0, areas[0].top, areas[0].right)], image, sheet)
            return mmod.candidates(scores, sheet)
        return found.only(found.levels >= first)

    def _fill(self, scores: Floats, areas: Iterable[tiling.Area], image: Rgb, sheet: tiling.Sheet) -> None:
        """Compute some of the scores of a sheet, window by window."""
        for batch in tiling.batches(areas, sheet):
            drawn = tiling.draw(image, sheet, [part for _, part in batch])
            for window, part in batch:
                # Each part is let go once it is computed.
                (((computed,),),) = self._session.run({"tile": drawn.pop(0)})
                top, left = part.top // tiling.STRIDE_PX, part.left // tiling.STRIDE_PX
                scores[window.top : window.bottom, window.left : window.right] = computed[
                    window.top - top : window.bottom - top, window.left - left : window.right - left
                ]
