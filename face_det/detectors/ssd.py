"""OpenCV's SSD: a small ResNet that looks at 300 x 300 pixels, for faces that fill a tenth of a side."""

from __future__ import annotations

import numpy as np

from face_det.budget import checkpoint
from face_det.detectors.candidates import Candidates, merge_candidates
from face_det.media import resize_image
from face_det.nets import DEFAULT_COMPUTE, Compute, load_opencv_session
from face_det.types import Detection, Rgb

MIN_SCORE = 0.5

SIDE_PX = 300
"""The size that the network was trained on: here the shorter side, as a wide picture pressed into a square
loses its faces."""

MAX_ASPECT = 4
"""Pictures that are more than so many times as long as wide are pressed together."""

MAX_SIDE_PX = 2400

MAX_IOU = 0.45
"""Two boxes with a higher intersection over union are one face, as in the network's own last layer."""

MEAN_BGR = np.array([104, 177, 123], np.float32)


class SsdDetector:
    """Finds the boxes of res10_300x300_ssd, the detector of OpenCV's samples, run by OpenCV.

    Faces of all sizes are found, whatever `min_face_px` is. `detect` may be called from several threads.
    """

    def __init__(self, compute: Compute = DEFAULT_COMPUTE, min_face_px: float = 0) -> None:
        self._session = load_opencv_session(["res10", "res10_layers"], compute)
        self.runtime = self._session.name

    def detect(self, rgb: Rgb, upsample: int = 0) -> list[Detection]:
        """Detect the faces of one image, RGB uint8 (H, W, 3), best first; `score` is MIN_SCORE to 1.

        The image is looked at in the network's size and in `upsample` doublings of it: each alone would miss
        the small faces or the large ones.
        """
        height, width = rgb.shape[:2]
        sizes = dict.fromkeys(input_size(width, height, doublings) for doublings in range(upsample + 1))
        found = merge_candidates([self._look(rgb, *size) for size in sizes])
        if len(sizes) > 1:
            found = found.suppressed(MAX_IOU).without_covered()
        return found.detections(width, height)

    def _look(self, rgb: Rgb, columns: int, rows: int) -> Candidates:
        checkpoint()
        pixels = resize_image(rgb, columns, rows)[:, :, ::-1].astype(np.float32) - MEAN_BGR
        (output,) = self._session.run({"data": np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])})
        # Each row: picture, class, score, and four edges as shares of the picture's sides.
        rows_found = output.reshape(-1, 7)
        likely = rows_found[rows_found[:, 2] >= MIN_SCORE]
        return Candidates(likely[:, 3:], likely[:, 2]).moved(rgb.shape[1], rgb.shape[0])


def input_size(width: int, height: int, doublings: int = 0) -> tuple[int, int]:
    """Return the width and height at which a picture is given to the network.

    >>> input_size(640, 480), input_size(250, 250, doublings=1), input_size(5000, 3)
    ((400, 300), (600, 600), (1200, 300))
    """
    aspect = min(max(width, height) / min(width, height), MAX_ASPECT)
    shorter = min(SIDE_PX * 2**doublings, int(MAX_SIDE_PX / aspect))
    longer = round(shorter * aspect)
    return (longer, shorter) if width >= height else (shorter, longer)
