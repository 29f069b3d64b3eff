"""BlazeFace, as MediaPipe has it: made for telephones, it looks at 256 x 256 pixels in a few milliseconds."""

from __future__ import annotations

import numpy as np

from face_det.boxes import pairwise_iou
from face_det.budget import checkpoint
from face_det.detectors.candidates import Candidates, Floats, merge_candidates
from face_det.detectors.views import draw_view, plan_views
from face_det.nets import DEFAULT_COMPUTE, Compute, load_opencv_session
from face_det.types import Box, Detection, Rgb

MIN_SCORE = 0.5

MAX_IOU = 0.3
"""Boxes with a higher intersection over union are one face."""

SIDE_PX = 256

ANCHORS = ((16, 2), (32, 6))
"""For each of the network's maps: pixels between its cells, and boxes that it gives for each cell."""

MAX_LOGIT = 80.0
"""Beyond this the exponential would overflow; the score is 1 long before."""


class BlazefaceDetector:
    """Finds the boxes of MediaPipe's BlazeFace for cameras at the back of a telephone, run by OpenCV.

    It gives no landmarks: of its six points, none are the corners of the mouth. Faces of all sizes are found,
    whatever `min_face_px` is. `detect` may be called from several threads.
    """

    def __init__(self, compute: Compute = DEFAULT_COMPUTE, min_face_px: float = 0) -> None:
        self._session = load_opencv_session(["blazeface"], compute)
        self.runtime = self._session.name
        self._anchors = anchor_centres()

    def detect(self, rgb: Rgb, upsample: int = 0) -> list[Detection]:
        """Detect the faces of one image, RGB uint8 (H, W, 3), best first; `score` is MIN_SCORE to 1.

        The network sees the whole image and, for each of `upsample` doublings, parts of half the size.
        """
        height, width = rgb.shape[:2]
        views = [*plan_views(width, height, aspect=1.0, upsample=upsample)]
        found = merge_candidates([self._look(rgb, view) for view in views])
        found = blend_overlapping(found)
        if len(views) > 1:
            found = found.without_covered()
        return found.detections(width, height)

    def _look(self, rgb: Rgb, view: Box) -> Candidates:
        checkpoint()
        drawn, times = draw_view(rgb, view, SIDE_PX, SIDE_PX)
        pixels = (drawn.astype(np.float32) / np.float32(127.5) - 1).transpose(2, 0, 1)[None]
        logits, boxes = self._session.run({"input": np.ascontiguousarray(pixels)})
        found = decode_boxes(boxes[0], logits[0, :, 0], self._anchors)
        return found.moved(times, times, round(view.xmin), round(view.ymin))


def anchor_centres() -> Floats:
    """Return the middle of each anchor in pixels of the input, shape (896, 2)."""
    parts = []
    for stride, each in ANCHORS:
        along = (np.arange(SIDE_PX // stride, dtype=np.float32) + 0.5) * stride
        grid = np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2)
        parts.append(np.repeat(grid, each, axis=0))
    return np.concatenate(parts)


def decode_boxes(raw: Floats, logits: Floats, anchors: Floats) -> Candidates:
    """Decode boxes (n, 16): the middle's distance from the anchor, then width and height, in pixels."""
    scores = 1 / (1 + np.exp(-np.clip(logits, -MAX_LOGIT, MAX_LOGIT)))
    likely = np.flatnonzero(scores >= MIN_SCORE)
    middle, half = anchors[likely] + raw[likely, :2], raw[likely, 2:4] / 2
    return Candidates(np.hstack([middle - half, middle + half]), scores[likely].astype(np.float32))


def blend_overlapping(found: Candidates) -> Candidates:
    """Make one face of each group of overlapping candidates: the mean of their boxes, weighted by score, with
    the best score.

    >>> two = Candidates(np.float32([[0, 0, 8, 8], [0, 0, 8, 12]]), np.float32([0.75, 0.25]))
    >>> blend_overlapping(two).boxes.tolist()
    [[0.0, 0.0, 8.0, 9.0]]
    """
    left, kept = found.best_first(), []
    while len(left.scores):
        near = pairwise_iou(left.boxes[0], left.boxes) > MAX_IOU
        near[0] = True
        box = np.average(left.boxes[near], axis=0, weights=left.scores[near])
        kept.append(Candidates(box[None].astype(np.float32), left.scores[:1]))
        left = left.select(np.flatnonzero(~near))
    return merge_candidates(kept)
