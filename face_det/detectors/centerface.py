"""CenterFace: finds the smallest faces, with five landmarks, but takes ten times as long as YuNet."""

from __future__ import annotations

import numpy as np

from face_det.budget import checkpoint
from face_det.detectors.candidates import Candidates, Floats, merge_candidates
from face_det.detectors.scaling import pyramid_levels
from face_det.nets import DEFAULT_COMPUTE, Compute, Session, load_onnx_model
from face_det.types import Detection, Rgb

MIN_SCORE = 0.5

MAX_IOU = 0.3
"""Two boxes with a higher intersection over union are one face."""

STRIDE_PX = 4
"""Pixels between neighbouring cells of the network's output maps."""

SIDE_MULTIPLE_PX = 32
"""The sides of an input image are multiples of this."""

LARGE_FACE_PX = 240
"""Larger faces are searched for in the image at half its size, a quarter, and so on."""


class CenterfaceDetector:
    """Finds the boxes and landmarks of CenterFace (Xu et al., 2019), in fp32.

    Faces of all sizes are found, whatever `min_face_px` is. `detect` may be called from several threads.
    """

    def __init__(self, compute: Compute = DEFAULT_COMPUTE, min_face_px: float = 0) -> None:
        self._session = Session(load_onnx_model("centerface"), compute)
        self.runtime = self._session.name

    def detect(self, rgb: Rgb, upsample: int = 0) -> list[Detection]:
        """Detect the faces of one image, RGB uint8 (H, W, 3), best first; `score` is MIN_SCORE to 1.

        The image is doubled in size `upsample` times first, or less where it is very large.
        """
        height, width = rgb.shape[:2]
        levels = []
        for number, level in enumerate(pyramid_levels(rgb, 2.0**upsample, LARGE_FACE_PX)):
            found = self._look(level)
            if number:
                sides = (found.boxes[:, 2:] - found.boxes[:, :2]).max(axis=1)
                found = found.select(np.flatnonzero(sides > LARGE_FACE_PX / 2))
            levels.append(found.moved(width / level.shape[1], height / level.shape[0]))
        found = merge_candidates(levels).suppressed(MAX_IOU)
        if len(levels) > 1:
            found = found.without_covered()
        return found.detections(width, height)

    def _look(self, rgb: Rgb) -> Candidates:
        checkpoint()
        height, width = rgb.shape[:2]
        rows, columns = height + -height % SIDE_MULTIPLE_PX, width + -width % SIDE_MULTIPLE_PX
        pixels = np.zeros((1, 3, rows, columns), np.float32)
        pixels[0, :, :height, :width] = rgb.transpose(2, 0, 1)
        return decode_maps(*(each[0] for each in self._session.run({"input.1": pixels})))


def decode_maps(heat: Floats, sizes: Floats, offsets: Floats, points: Floats) -> Candidates:
    """Decode the network's maps: the score (1, rows, columns), the logarithm of height and width in cells and
    the middle's offset (2, rows, columns each), and the landmarks (10, rows, columns), all y before x.

    A landmark is a share of the box's sides.
    """
    rows, columns = np.nonzero(heat[0] >= MIN_SCORE)
    cells = np.stack([rows, columns], axis=1).astype(np.float32)
    sides = np.exp(sizes[:, rows, columns].T) * STRIDE_PX
    middle = (cells + offsets[:, rows, columns].T + 0.5) * STRIDE_PX
    low = middle - sides / 2
    shares = points[:, rows, columns].T.reshape(-1, 5, 2)
    landmarks = shares * sides[:, None] + low[:, None]
    # y and x change places.
    boxes = np.hstack([low[:, ::-1], (low + sides)[:, ::-1]])
    return Candidates(boxes, heat[0, rows, columns], np.ascontiguousarray(landmarks[:, :, ::-1]))
