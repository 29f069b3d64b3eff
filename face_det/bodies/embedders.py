"""Turns the picture of a person into an encoding: by the colours of the clothes, or by a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from face_det.media import resize_image
from face_det.nets import DEFAULT_COMPUTE, BodyInput, BodyNetwork, Compute
from face_det.types import Encodings, Rgb


class BodyEmbedder(Protocol):
    """Encodes persons, in two steps, so that what is kept of a picture until then is small.

    `fingerprint` changes with whatever changes the encodings; those of two fingerprints are not compared.
    """

    fingerprint: str

    def prepare(self, rgb: Rgb) -> Rgb:
        """Make of the picture of a person what `encode` reads."""
        ...

    def encode(self, prepared: Sequence[Rgb]) -> Encodings:
        """Encode what `prepare` returned, shape (n, dimensions), each of length 1."""
        ...


class ClothesEmbedder:
    """The colours of a person's clothes, in six stripes from head to foot.

    Each stripe has a histogram of hue and saturation, and one of brightness. It needs no network, and knows
    nobody once they have changed. For frames of one visit it is as good as what a network for ImageNet sees
    (docs/adr/0031-bodies.md).
    """

    fingerprint = "clothes:1"

    _WIDTH_PX, _HEIGHT_PX, _EDGE_PX = 64, 128, 8
    _STRIPES, _HUES, _SATURATIONS, _VALUES = 6, 12, 4, 12

    def prepare(self, rgb: Rgb) -> Rgb:
        """Scale a person to 64 x 128 pixels, whatever the proportions."""
        return resize_image(rgb, self._WIDTH_PX, self._HEIGHT_PX)

    def encode(self, prepared: Sequence[Rgb]) -> Encodings:
        """Encode persons; shape (n, 360).

        The roots of the shares of pixels make the cosine of two encodings Bhattacharyya's coefficient.
        """
        rows = [self._encode(one) for one in prepared]
        return np.array(rows, np.float64).reshape(len(rows), -1)

    def _encode(self, prepared: Rgb) -> Encodings:
        # At the sides of a person's box there is background.
        inner = np.ascontiguousarray(prepared[:, self._EDGE_PX : -self._EDGE_PX])
        hsv = cv2.cvtColor(inner, cv2.COLOR_RGB2HSV)
        shares = []
        for stripe in np.array_split(hsv, self._STRIPES):
            colours = cv2.calcHist([stripe], [0, 1], None, [self._HUES, self._SATURATIONS], [0, 180, 0, 256])
            values = cv2.calcHist([stripe], [2], None, [self._VALUES], [0, 256])
            shares += [histogram.ravel() / histogram.sum() for histogram in (colours, values)]
        encoding = np.sqrt(np.concatenate(shares).astype(np.float64))
        return np.asarray(encoding / np.linalg.norm(encoding))


class NetworkEmbedder:
    """A network of the user's own, in an ONNX file; see `nets.BodyNetwork` for what it must be."""

    def __init__(
        self, path: Path, wanted: BodyInput | None = None, compute: Compute = DEFAULT_COMPUTE
    ) -> None:
        """Load the network; raises as BodyNetwork does."""
        self._network = BodyNetwork(path, wanted, compute)
        self.fingerprint = self._network.fingerprint

    def prepare(self, rgb: Rgb) -> Rgb:
        """Scale a person to the network's input."""
        return self._network.prepare(rgb)

    def encode(self, prepared: Sequence[Rgb]) -> Encodings:
        """Encode persons one by one, because a model may take no more at a time; shape (n, dimensions)."""
        rows = np.array([self._network.encode(one) for one in prepared], np.float64)
        rows = rows.reshape(len(prepared), self._network.dimensions)
        encodings: Encodings = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        return encodings
