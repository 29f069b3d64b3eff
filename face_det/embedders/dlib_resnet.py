"""dlib's ResNet embedder: 128-d encodings, those of face_recognition.face_encodings."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import dlib
import numpy as np

from face_det.embedders import landmarks
from face_det.embedders.landmarks import CHIP_PX, PADDING
from face_det.faces import Detection, Encodings, Rgb
from face_det.nets.catalogue import CATALOGUE, weights_path


class DlibResnetEmbedder:
    """Five landmarks turn the face upright into a 150 px chip; the network makes 128 numbers of it."""

    name = "dlib_resnet"
    runtime = "dlib"
    dimensions = 128

    def __init__(self, threads: int = 1) -> None:
        self.fingerprint = f"{self.name}:{CATALOGUE['resnet'].sha256[:12]}:landmarks5-{CHIP_PX}-{PADDING}"
        # Now, so that missing weights are said at the start.
        landmarks.predictor("landmarks5")
        self._network = dlib.face_recognition_model_v1(str(weights_path("resnet")))
        # The network keeps its activations between calls: one call at a time.
        self._lock = threading.Lock()

    def align(self, rgb: Rgb, detection: Detection) -> Rgb:
        """The face as an upright chip, shape (150, 150, 3)."""
        box = detection.box
        edges = (int(box.xmin), int(box.ymin), int(box.xmax), int(box.ymax))
        return landmarks.chip(rgb, landmarks.landmarks5(rgb, edges))

    def embed(self, chips: Sequence[Rgb], jitters: int = 1) -> Encodings:
        """Encodings of chips, shape (len(chips), 128); more `jitters` average that many re-samples."""
        if not chips:
            return np.empty((0, self.dimensions))
        with self._lock:
            vectors = self._network.compute_face_descriptor(list(chips), jitters)
        return np.array(vectors, dtype=np.float64)
