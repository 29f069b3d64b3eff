"""dlib's CNN detector outside dlib: the same boxes, several times as fast."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from face_det.budget import checkpoint
from face_det.detectors import mmod_boxes, mmod_pyramid
from face_det.detectors.dlib_boxes import detection_from_edges
from face_det.nets import DEFAULT_COMPUTE, Compute, Float32Array, load_dlib_session
from face_det.types import Detection, Rgb


class CnnDetector:
    """Finds the boxes of face_recognition.face_locations(rgb, upsample, "cnn"), exactly in fp32.

    `detect` may be called from several threads; the network runs without the interpreter lock.

    With `min_face_px`, pyramid levels that can only hold narrower and shorter faces are skipped, unless they
    could affect a larger one: if a face is found on a level so close to them that the two could be one face,
    they are computed after all. The faces are those of the full run, in its order, without some of the
    smaller ones.
    """

    def __init__(self, compute: Compute = DEFAULT_COMPUTE, min_face_px: float = 0) -> None:
        self._session = load_dlib_session("mmod", compute)
        self.runtime = self._session.name
        self._min_face_px = min_face_px

    def detect(self, rgb: Rgb, upsample: int = 0) -> list[Detection]:
        """Detect the faces of one image, RGB uint8 (H, W, 3), best first.

        `score` is the network's confidence, 0 or more. `upsample` is how many times the image is doubled
        first. Before each doubling and each run of the network is a checkpoint.
        """
        return self.detect_from(rgb, self._min_face_px, upsample)

    def detect_from(self, rgb: Rgb, min_face_px: float, upsample: int = 0) -> list[Detection]:
        """Detect as `detect` does, without computing levels that only hold faces below `min_face_px`."""
        least_px = max(self._min_face_px, min_face_px)
        image = np.ascontiguousarray(rgb)
        for _ in range(upsample):
            checkpoint()
            # The size that dlib's pyramid_up produces.
            image = mmod_pyramid.resize_like_dlib(image, 2 * image.shape[0] + 1, 2 * image.shape[1] + 2)
        faces = mmod_boxes.suppress_overlapping_boxes(
            self._candidates(image, mmod_boxes.first_level(least_px, upsample))
        )
        boxes = mmod_boxes.halve_boxes(faces.boxes, upsample).tolist()
        return [
            detection_from_edges(rgb, sides, score) for sides, score in zip(boxes, faces.scores, strict=True)
        ]

    def _candidates(self, image: Rgb, first: int) -> mmod_boxes.CandidateBoxes:
        """Return the candidate boxes on level `first` and smaller ones; 0 means all levels."""
        pyramid = mmod_pyramid.tile_pyramid(*image.shape[:2])
        scores = np.zeros((pyramid.scores.height, pyramid.scores.width), np.float32)
        areas = mmod_pyramid.areas_from_level(pyramid, first) if first else [pyramid.scores]
        self._fill(scores, areas, image, pyramid)
        found = mmod_boxes.decode_boxes(scores, pyramid)
        if first and (found.levels[found.levels >= first] < mmod_boxes.undisturbed_level(first)).any():
            self._fill(scores, [mmod_pyramid.Area(0, 0, areas[0].top, areas[0].right)], image, pyramid)
            return mmod_boxes.decode_boxes(scores, pyramid)
        return found.select(found.levels >= first)

    def _fill(
        self,
        scores: Float32Array,
        areas: Iterable[mmod_pyramid.Area],
        image: Rgb,
        pyramid: mmod_pyramid.TiledPyramid,
    ) -> None:
        """Compute some of the pyramid's scores, window by window."""
        for batch in mmod_pyramid.batch_windows(areas, pyramid):
            drawn = mmod_pyramid.draw_parts(image, pyramid, [part for _, part in batch])
            for window, part in batch:
                checkpoint()
                # Each part is released once it is computed.
                (((computed,),),) = self._session.run({"tile": drawn.pop(0)})
                top, left = part.top // mmod_pyramid.STRIDE_PX, part.left // mmod_pyramid.STRIDE_PX
                scores[window.top : window.bottom, window.left : window.right] = computed[
                    window.top - top : window.bottom - top, window.left - left : window.right - left
                ]
