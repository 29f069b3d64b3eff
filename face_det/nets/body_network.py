"""Encodes the picture of a person by the user's own ONNX model, such as one for re-identification."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from face_det.errors import ModelError
from face_det.media import resize_image
from face_det.nets.compute import DEFAULT_COMPUTE, Compute
from face_det.nets.picture_model import read_onnx_file, read_picture_input
from face_det.nets.sessions.session import Session
from face_det.types import Rgb

HEIGHT_PX, WIDTH_PX = 256, 128
"""The input's size where the model takes any: that of most networks for re-identification."""


@dataclass(frozen=True, slots=True)
class BodyInput:
    """What a network expects: (pixel - mean) / std for each channel, with pixels from 0 to 255.

    `mean` and `std` are in the order of the channels, which is red, green, blue unless `bgr`. A `height` and
    `width` of 0 are the model's own, or HEIGHT_PX and WIDTH_PX if it takes any.
    """

    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)
    bgr: bool = False
    height: int = 0
    width: int = 0


class BodyNetwork:
    """The user's own network; its methods may be called from several threads.

    `fingerprint` names the file's content and what its input is made of.
    """

    def __init__(
        self, path: Path, wanted: BodyInput | None = None, compute: Compute = DEFAULT_COMPUTE
    ) -> None:
        """Load the model and try it on a grey picture. Raises ModelMissing, or ModelError if it is none that
        returns a row of numbers for a picture."""
        wanted = wanted or BodyInput()
        data = read_onnx_file(path)
        self._place = str(path)
        own = read_picture_input(data, self._place)
        self._name = own.name
        self._height = _side("height", wanted.height, own.height, HEIGHT_PX, self._place)
        self._width = _side("width", wanted.width, own.width, WIDTH_PX, self._place)
        self._mean, self._std = (np.array(row, np.float32) for row in (wanted.mean, wanted.std))
        self._bgr = wanted.bgr
        described = repr((wanted.mean, wanted.std, wanted.bgr, self._height, self._width)).encode()
        self.fingerprint = f"network:{hashlib.sha256(data + described).hexdigest()[:16]}"
        self._session = Session(data, compute)
        self.dimensions = len(self.encode(np.full((self._height, self._width, 3), 128, np.uint8)))

    def prepare(self, rgb: Rgb) -> Rgb:
        """Scale the picture of a person to the network's input, whatever its proportions."""
        return resize_image(rgb, self._width, self._height)

    def encode(self, prepared: Rgb) -> npt.NDArray[np.float32]:
        """Encode what `prepare` returned, shape (dimensions,); ModelError if the model returns no row."""
        pixels = prepared[:, :, ::-1] if self._bgr else prepared
        scaled = (pixels.astype(np.float32) - self._mean) / self._std
        feed = np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])
        found = np.asarray(self._session.run({self._name: feed})[0])
        if found.ndim == 4 and found.shape[2:] == (1, 1):
            found = found[:, :, 0, 0]
        if found.ndim != 2 or len(found) != 1 or found.shape[1] < 2 or not np.isfinite(found).all():
            raise ModelError(
                f"{self._place}: its first output must be a row of numbers, shape (1, n), got {found.shape}"
            )
        return np.asarray(found[0], np.float32)


def _side(side: str, wanted: int, own: int | None, default: int, place: str) -> int:
    if wanted and own and wanted != own:
        raise ModelError(f"{place}: its input has a {side} of {own}, and the configuration says {wanted}")
    return wanted or own or default
