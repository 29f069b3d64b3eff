"""The settings in `liveness`."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ValidationInfo, field_validator

from face_det.config.fields import STRICT, absolute, field
from face_det.registry import FILE_PREFIX


class Liveness(BaseModel):
    """The settings in `liveness`: a network's opinion whether a face is a real one, for information only."""

    model_config = STRICT

    network: Path = field(
        ...,
        "onnx:PATH",
        "An ONNX file of your own, with a description beside it ([format](attributes.md#liveness)). Its "
        "answer is told as `liveness` with each face that is encoded, and decides nothing.",
    )

    @field_validator("network", mode="before")
    @classmethod
    def _is_a_file(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str) or not value.startswith(FILE_PREFIX):
            raise ValueError("no onnx:PATH")
        return absolute(value.removeprefix(FILE_PREFIX), info)
