"""ONNX models that users bring, which take one picture: the file, its description and its input.

The description is a JSON file beside the model. It says what the file itself cannot: the order of the
colours, which numbers pixels become, and what the outputs mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from face_det.errors import DataError, ModelError, ModelMissing
from face_det.nets.compute import DEFAULT_COMPUTE, Compute
from face_det.nets.sessions.session import Session
from face_det.registry import description_path
from face_det.storage import read_if_present
from face_det.types import Rgb

MAX_MODEL_BYTES = 1_000_000_000
MAX_DESCRIPTION_BYTES = 100_000

Side = Annotated[int, Field(ge=16, le=4096)]
Number = Annotated[float, Field(ge=-1e6, le=1e6)]
PerColour = Number | tuple[Number, Number, Number]
"""One number, or one for each colour in the order of `channels`."""

Description = TypeVar("Description", bound="PictureDescription")


class _Strict(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, alias_generator=to_camel, allow_inf_nan=False
    )


class InputDescription(_Strict):
    """The input: its size in pixels, where the model leaves it open, and the order of the colours."""

    width: Side | None = None
    height: Side | None = None
    channels: Literal["RGB", "BGR"] = "RGB"


class PictureDescription(_Strict):
    """What every description has: a pixel of 0 to 255 becomes (pixel - mean) * scale."""

    how_to: ClassVar[str] = "see docs/how-to/own-detector.md"

    input: InputDescription = InputDescription()
    mean: PerColour = 0.0
    scale: PerColour = 1.0


@dataclass(frozen=True, slots=True)
class PictureInput:
    """A model's input, float32 of shape (1, 3, height, width); None for a side that the model leaves open.

    `outputs` are the names of the model's outputs, in their order.
    """

    name: str
    height: int | None
    width: int | None
    outputs: tuple[str, ...]


@dataclass(frozen=True, eq=False, slots=True)
class ModelFile(Generic[Description]):
    """A model as it was read."""

    path: Path
    data: bytes
    description: Description


def read_model_file(path: Path, kind: type[Description]) -> ModelFile[Description]:
    """Read an ONNX file and the description beside it.

    Raises ModelMissing if either cannot be read, and ModelError for a description that is not one.
    """
    described = description_path(path)
    if described == path:
        raise ModelError(f"{path}: must be an ONNX file, got the name of a description; {kind.how_to}")
    data = read_onnx_file(path, f"; {kind.how_to}")
    text = _read(described, f"describe {path.name}", MAX_DESCRIPTION_BYTES, f"; {kind.how_to}")
    try:
        description = kind.model_validate_json(text)
    except ValidationError as error:
        raise ModelError(f"{described}: {_first_fault(error)}; {kind.how_to}") from error
    return ModelFile(path, data, description)


class PictureModel:
    """A model that takes one picture of one size. `run` may be called from several threads."""

    def __init__(self, file: ModelFile[Any], compute: Compute = DEFAULT_COMPUTE) -> None:
        """Load the model. Raises ModelError if it is none, or its input is not what the description says, and
        whatever Session raises."""
        description: PictureDescription = file.description
        found = read_picture_input(file.data, str(file.path))
        self._name = found.name
        self.width = _side(file.path, "width", found.width, description.input.width)
        self.height = _side(file.path, "height", found.height, description.input.height)
        self._step = 1 if description.input.channels == "RGB" else -1
        self._mean, self._scale = (
            np.broadcast_to(np.array(value, np.float32), 3).reshape(3, 1, 1)
            for value in (description.mean, description.scale)
        )
        self.outputs = found.outputs
        self._session = Session(file.data, compute)
        self.runtime = self._session.name

    def run(self, rgb: Rgb) -> list[npt.NDArray[np.float32]]:
        """Compute all outputs for one picture of the input's size, RGB uint8 (height, width, 3)."""
        pixels = rgb[:, :, :: self._step].transpose(2, 0, 1).astype(np.float32)
        return self._session.run(
            {self._name: np.ascontiguousarray(((pixels - self._mean) * self._scale)[None])}
        )


def read_onnx_file(path: Path, advice: str = "") -> bytes:
    """Return the bytes of a user's ONNX file; ModelMissing, ending with `advice`, if it cannot be read."""
    return _read(path, "be an ONNX file", MAX_MODEL_BYTES, advice)


def read_picture_input(data: bytes, place: str) -> PictureInput:
    """Read the only input of a model; ModelError, which begins with `place`, if it is no RGB picture."""
    import onnx  # 9 MB for networks of the user's own; the daemon imports this module at the start

    try:
        graph = onnx.load_model_from_string(data).graph
    except Exception as error:  # protobuf's errors have no common class
        raise ModelError(f"{place}: must be an ONNX model, got something else") from error
    weights = {one.name for one in graph.initializer}
    inputs = [one for one in graph.input if one.name not in weights]
    if len(inputs) != 1:
        raise ModelError(f"{place}: must have one input, the picture, got {len(inputs)}")
    (found,) = inputs
    tensor = found.type.tensor_type
    shape = [side.dim_value or None for side in tensor.shape.dim]
    if tensor.elem_type != onnx.TensorProto.FLOAT or len(shape) != 4 or shape[1] not in (3, None):
        raise ModelError(f"{place}: its input must be float32 of shape (1, 3, height, width), got {shape}")
    return PictureInput(found.name, shape[2], shape[3], tuple(one.name for one in graph.output))


def _read(path: Path, purpose: str, max_bytes: int, advice: str) -> bytes:
    try:
        data = read_if_present(path, max_bytes)
    except DataError as error:
        found = str(error).removeprefix(f"{path}: ")
        raise ModelMissing(f"{path}: must {purpose}, but cannot be read: {found}{advice}") from error
    if data is None:
        raise ModelMissing(f"{path}: must {purpose}, but cannot be read: file not found{advice}")
    return data


def _side(path: Path, name: str, own: int | None, described: int | None) -> int:
    """The length of one side of the input, which model and description must agree about."""
    if own is None and described is None:
        raise ModelError(f"{description_path(path)}: input.{name}: must be given, as the model takes any")
    if own is not None and described not in (None, own):
        raise ModelError(
            f"{description_path(path)}: input.{name}: must be {own}, as in the model, got {described}"
        )
    return own or described or 0


def _first_fault(error: ValidationError) -> str:
    """Say in a line what is wrong first: where, what it must be, and what it is."""
    fault = error.errors()[0]
    where = ".".join(str(part) for part in fault["loc"] if not str(part).startswith(("float", "tuple")))
    if fault["type"] == "json_invalid":
        return f"must be JSON, got {fault['msg'].removeprefix('Invalid JSON: ')}"
    if fault["type"] == "extra_forbidden":
        return f"{where}: unknown key"
    if fault["type"] == "missing":
        return f"{where}: must be given"
    must = fault["msg"].replace("Input should be", "must be", 1)
    return f"{where}: {must}, got {fault['input']!r:.60}" if where else f"{must}, got {fault['input']!r:.60}"
