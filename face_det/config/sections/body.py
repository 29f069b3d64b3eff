"""The settings in `body`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, field_validator

from face_det.config.fields import STRICT, absolute, field, integer, list_to_tuple

_Channels = tuple[float, float, float]
_Positive = Annotated[float, Field(gt=0)]


class Body(BaseModel):
    """The settings in `body`: naming people by body and clothes where the face cannot be seen."""

    model_config = STRICT

    false_accept_rate: float | None = field(
        None,
        "a number above 0.000001, up to 0.1",
        "The share of strangers' visits in which you accept that the body gives them a name. It takes 3 / "
        "rate visits of strangers to show it; with fewer, nobody is named. Default: falseAcceptRate.",
        gt=1e-6,
        le=0.1,
    )
    network: Path | None = field(
        None,
        "a path",
        "An ONNX file of your own that turns the picture of a person into a row of numbers, such as one for "
        "re-identification. Default: the colours of the clothes, which need no network.",
    )
    width: int = integer(0, 0, 4096, "Pixels of the network's input; 0 means the model's own, or 128.")
    height: int = integer(0, 0, 4096, "Pixels of the network's input; 0 means the model's own, or 256.")
    mean: _Channels = field(
        (123.675, 116.28, 103.53),
        "a list of three numbers",
        "What is subtracted from the pixels, 0 to 255, of the three channels.",
    )
    std: tuple[_Positive, _Positive, _Positive] = field(
        (58.395, 57.12, 57.375),
        "a list of three positive numbers",
        "What the channels are divided by then.",
    )
    channels: Literal["rgb", "bgr"] = field("rgb", "rgb or bgr", "The order of the network's channels.")

    _paths = field_validator("network", mode="before")(absolute)

    _lists = field_validator("mean", "std", mode="before")(list_to_tuple)
