"""A detector that the user brings: an ONNX file, and a description of its input and outputs beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from face_det.budget import checkpoint
from face_det.detectors.candidates import Candidates, merge_candidates
from face_det.detectors.onnx_decode import DECODERS
from face_det.detectors.views import draw_view, plan_views
from face_det.errors import ModelError
from face_det.nets import DEFAULT_COMPUTE, Compute, PictureDescription, PictureModel, read_model_file
from face_det.types import Box, Detection, Rgb


class DetectorDescription(PictureDescription):
    """What a detector's description says."""

    decode: Literal["scrfd", "retinaface", "yolo-face", "ultralight", "yunet"]
    """The family of the network, which decides what its outputs mean."""
    min_score: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """The least confidence of a face."""
    max_iou: Annotated[float, Field(gt=0, lt=1)] = 0.4
    """Boxes with a higher intersection over union are one face."""


class OnnxFileDetector:
    """Finds what the user's model finds. `detect` may be called from several threads.

    Faces of all sizes are found, whatever `min_face_px` is.
    """

    def __init__(self, path: Path, compute: Compute = DEFAULT_COMPUTE, min_face_px: float = 0) -> None:
        """Load the model, and see that its outputs are those of its family.

        Raises ModelMissing or ModelError, which name the file, and whatever loading a network raises.
        """
        file = read_model_file(path, DetectorDescription)
        self._path, self._description = path, file.description
        self._model = PictureModel(file, compute)
        self.runtime = self._model.runtime
        self._find(np.zeros((self._model.height, self._model.width, 3), np.uint8))

    def detect(self, rgb: Rgb, upsample: int = 0) -> list[Detection]:
        """Detect the faces of one image, RGB uint8 (H, W, 3), best first; `score` is at least minScore.

        The model sees the whole image and, for each of `upsample` doublings, parts of half the size.
        """
        height, width = rgb.shape[:2]
        views = [*plan_views(width, height, self._model.width / self._model.height, upsample)]
        found = merge_candidates([self._look(rgb, view) for view in views])
        found = found.suppressed(self._description.max_iou)
        if len(views) > 1:
            found = found.without_covered()
        return found.detections(width, height)

    def _look(self, rgb: Rgb, view: Box) -> Candidates:
        checkpoint()
        grey = DECODERS[self._description.decode].grey
        drawn, times = draw_view(rgb, view, self._model.width, self._model.height, grey)
        return self._find(drawn).moved(times, times, round(view.xmin), round(view.ymin))

    def _find(self, drawn: Rgb) -> Candidates:
        """Return what the model finds in a picture of its input's size."""
        outputs = self._model.run(drawn)
        kind = self._description.decode
        try:
            found = DECODERS[kind].decode(outputs, self._model.width, self._model.height)
        except ValueError as error:
            shapes = ", ".join(str(each.shape) for each in outputs)
            raise ModelError(f"{self._path}: {kind}: {error}; its outputs are {shapes}") from error
        if len(found.scores) and not (-1e-3 <= found.scores.min() <= found.scores.max() <= 1 + 1e-3):
            raise ModelError(
                f"{self._path}: {kind}: its scores must lie in 0..1, got {found.scores.min():.3g} to "
                f"{found.scores.max():.3g}; "
                "export it with its sigmoid or softmax"
            )
        return found.select(np.flatnonzero(found.scores >= self._description.min_score))
