"""Five points of any face: the detector's, else YuNet's, else dlib's."""

from __future__ import annotations

import numpy as np

from face_det.compute import PLAIN, Compute
from face_det.embedders import landmarks
from face_det.faces import Box, Detection, Rgb
from face_det.media.resize import moved
from face_det.nets.network import Floats
from face_det.nets.yunet import Yunet

LEAST_SCORE = 0.3
MARGIN = 0.5
SIDE_PX = 160


class FivePoints:
    """Finds the points; may be called from several threads."""

    def __init__(self, compute: Compute = PLAIN) -> None:
        landmarks.predictor("landmarks5")
        self._network = Yunet(compute)
        self.runtime = self._network.runtime

    def of(self, rgb: Rgb, detection: Detection) -> Floats:
        """The points of a face, (5, 2) pixels of the image; or (3, 2), the eyes and the nose."""
        if detection.landmarks is not None:
            return detection.landmarks
        box = detection.box
        side = max(box.width, box.height, 1.0) * (1 + 2 * MARGIN)
        factor = SIDE_PX / side
        left, top = (box.xmin + box.xmax - side) / 2, (box.ymin + box.ymax - side) / 2
        matrix = np.array([[factor, 0, -left * factor], [0, factor, -top * factor]])
        (found,) = self._network.faces([moved(rgb, matrix, SIDE_PX)], LEAST_SCORE)
        if not len(found.scores):
            return self._dlib(rgb, box)
        middle = found.boxes[:, :2] + found.boxes[:, 2:]
        near = int(np.argmin(np.abs(middle / 2 - SIDE_PX / 2).max(axis=1)))
        return np.asarray(found.landmarks[near] / factor + np.array([left, top]), np.float32)

    def _dlib(self, rgb: Rgb, box: Box) -> Floats:
        edges = (int(box.xmin), int(box.ymin), int(box.xmax), int(box.ymax))
        shape = landmarks.landmarks5(rgb, edges)
        points = np.array([[p.x, p.y] for p in shape.parts()], np.float32)
        found: Floats = np.stack([points[2:4].mean(0), points[0:2].mean(0), points[4]])
        return found
