"""How alive a face looks to a network that the user brings: an ONNX file, and a description beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from face_det.errors import ModelError
from face_det.media import crop_box, resize_image
from face_det.nets import DEFAULT_COMPUTE, Compute, PictureDescription, PictureModel, read_model_file
from face_det.registry import description_path
from face_det.types import Box, Rgb


class LivenessDescription(PictureDescription):
    """What the description says, beside the input."""

    how_to: ClassVar[str] = "see docs/reference/attributes.md"

    margin: Annotated[float, Field(ge=0, le=4)] = 0.85
    """What is around the face, relative to the longer side of its box."""
    output: str | None = None
    """The name of the output to read; needed if there are several."""
    decode: Literal["softmax", "sigmoid", "probability"] = "softmax"
    """What makes probabilities of the output; `probability` if it holds some."""
    live_index: Annotated[int, Field(ge=0, le=1000)] = 0
    """Which of its numbers, from 0, stands for a real face."""


class LivenessNetwork:
    """Answers how likely a face is a real one. It may be called from several threads."""

    def __init__(self, path: Path, compute: Compute = DEFAULT_COMPUTE) -> None:
        """Load the model, and see that it answers as described.

        Raises ModelMissing or ModelError, which name the file, and whatever loading a network raises.
        """
        file = read_model_file(path, LivenessDescription)
        self._place, self._description = description_path(path), file.description
        self._model = PictureModel(file, compute)
        self._output = self._find_output()
        self._decode(np.zeros((self._model.height, self._model.width, 3), np.uint8))

    def probability(self, rgb: Rgb, box: Box) -> float:
        """Return the network's probability, 0..1, that the face in a box of an image is a real one.

        What lies outside the image is left out, and the crop is stretched to the input's size. Raises
        ModelError if the network answers no finite number.
        """
        middle_x, middle_y = (box.xmin + box.xmax) / 2, (box.ymin + box.ymax) / 2
        reach = max(box.width, box.height, 1.0) * (0.5 + self._description.margin)
        around = Box(middle_x - reach, middle_y - reach, middle_x + reach, middle_y + reach)
        crop = crop_box(rgb, around)
        return self._decode(
            resize_image(rgb if crop is None else crop, self._model.width, self._model.height)
        )

    def _find_output(self) -> int:
        names, wanted = self._model.outputs, self._description.output
        if wanted is None and len(names) == 1:
            return 0
        if wanted not in names:
            got = "none" if wanted is None else repr(wanted)
            raise ModelError(f"{self._place}: output: must be one of {', '.join(names)}, got {got:.60}")
        return names.index(wanted)

    def _decode(self, picture: Rgb) -> float:
        numbers = np.asarray(self._model.run(picture)[self._output], np.float64).reshape(-1)
        index, how = self._description.live_index, self._description.decode
        if index >= numbers.size:
            raise ModelError(
                f"{self._place}: liveIndex: must be below {numbers.size}, the count of the model's numbers, "
                f"got {index}"
            )
        if how == "softmax" and numbers.size < 2:
            raise ModelError(f"{self._place}: decode: softmax needs two numbers, and the model answers one")
        if not np.isfinite(numbers).all():
            raise ModelError(f"{self._place}: must describe a model that answers finite numbers, got others")
        if how == "softmax":
            powers = np.exp(numbers - numbers.max())
            return float(powers[index] / powers.sum())
        if how == "sigmoid":
            return float(1 / (1 + np.exp(-np.clip(numbers[index], -500, 500))))
        if not 0 <= numbers[index] <= 1:
            raise ModelError(f"{self._place}: decode: probability needs 0 to 1, got {numbers[index]:.4g}")
        return float(numbers[index])
