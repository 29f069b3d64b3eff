"""dlib's ResNet embedder: 128-d encodings, those of face_recognition.face_encodings."""

from __future__ import annotations

from collections.abc import Sequence

import dlib
import numpy as np

from face_det.embedders import landmarks
from face_det.embedders.landmarks import CHIP_PX, PADDING
from face_det.faces import Detection, Encodings, Rgb
from face_det.nets.catalogue import CATALOGUE
from face_det.nets.resnet import DIMENSIONS, Resnet


class DlibResnetEmbedder:
    """Five landmarks turn the face upright into a 150 px chip; the network makes 128 numbers of it."""

    name = "dlib_resnet"
    runtime = "onnxruntime"
    dimensions = DIMENSIONS

    def __init__(self, threads: int = 1) -> None:
        self.fingerprint = f"{self.name}:{CATALOGUE['resnet'].sha256[:12]}:landmarks5-{CHIP_PX}-{PADDING}"
        # Now, so that missing weights are said at the start.
        landmarks.predictor("landmarks5")
        self._network = Resnet(threads)

    def align(self, rgb: Rgb, detection: Detection) -> Rgb:
        """The face as an upright chip, shape (150, 150, 3)."""
        box = detection.box
        edges = (int(box.xmin), int(box.ymin), int(box.xmax), int(box.ymax))
        return landmarks.chip(rgb, landmarks.landmarks5(rgb, edges))

    def embed(self, chips: Sequence[Rgb], jitters: int = 1) -> Encodings:
        """Encodings of chips, shape (len(chips), 128); more `jitters` average that many re-samples.

        The re-samples (small shifts, turns, zooms, mirrored or not) are dlib's own, from its one
        stream of random numbers: a process that has drawn none yet gets face_recognition's numbers.
        """
        if jitters <= 1:
            return self._network.encode(chips)
        means = [self._network.encode(dlib.jitter_image(chip, jitters)).mean(axis=0) for chip in chips]
        return np.array(means).reshape(-1, self.dimensions)
