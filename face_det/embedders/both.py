"""Both embedders at once: dlib's 128 numbers, then SFace's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from face_det.compute import PLAIN, Compute
from face_det.embedders.dlib_resnet import DlibResnetEmbedder
from face_det.embedders.sface import SfaceEmbedder
from face_det.faces import Detection, Encodings, Rgb


class BothEmbedder:
    """Each half is what its embedder alone gives; the chip is the pair of theirs.

    `loaded` is one of them that is there already, made with the same options, and is not loaded again.
    """

    name = "both"

    def __init__(
        self,
        compute: Compute = PLAIN,
        jitter: str = "dlib",
        loaded: DlibResnetEmbedder | SfaceEmbedder | None = None,
    ) -> None:
        dlib = loaded if isinstance(loaded, DlibResnetEmbedder) else None
        sface = loaded if isinstance(loaded, SfaceEmbedder) else None
        self._dlib = dlib or DlibResnetEmbedder(compute, jitter)
        self._sface = sface or SfaceEmbedder(compute, jitter)
        self.dimensions = self._dlib.dimensions + self._sface.dimensions
        self.fingerprint = f"{self.name}:{self._dlib.fingerprint}+{self._sface.fingerprint}"
        self.runtime = self._sface.runtime

    def part(self, name: str) -> DlibResnetEmbedder | SfaceEmbedder | None:
        """The half of that name."""
        return next((half for half in (self._dlib, self._sface) if half.name == name), None)

    def align(self, rgb: Rgb, detection: Detection) -> tuple[Rgb, Rgb]:
        """The face's two chips."""
        return self._dlib.align(rgb, detection), self._sface.align(rgb, detection)

    def embed(self, chips: Sequence[tuple[Rgb, Rgb]], jitters: int = 1) -> Encodings:
        """Encodings of pairs of chips, shape (len(chips), 256); `jitters` as each embedder has them."""
        left, right = ([pair[at] for pair in chips] for at in (0, 1))
        return np.hstack([self._dlib.embed(left, jitters), self._sface.embed(right, jitters)])
