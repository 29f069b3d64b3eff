"""Runs ONNX models on what the configuration asks for, and never silently on something else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from face_det import memory
from face_det.compute import PLAIN, Compute
from face_det.errors import ModelError

GIVE_BACK_AFTER = 1_000_000_000
"""Bytes of input: a dozen frames of a camera. After each single one, a twentieth of the time went into it."""

Feeds = Mapping[str, npt.NDArray[Any]]


class Refusal(Exception):
    """What a library said against a model or an input, in one line; `by` is its name and version."""

    def __init__(self, by: str, why: str) -> None:
        super().__init__(why)
        self.by = by


class Library(Protocol):
    """One model in one library; `name` is what a status says."""

    name: str

    def run(self, feeds: Feeds) -> list[npt.NDArray[np.float32]]:
        """All outputs, in the model's order; Refusal for inputs that do not fit."""
        ...


class Session:
    """A loaded model. `run` may be called from several threads at once; it lets go of the
    interpreter lock, so that a daemon answers heartbeats meanwhile.

    `name` says what runs it, as in `onnxruntime` or `openvino bf16`. Raises ConfigError for what
    this machine or its packages cannot do, ModelError for a model that does not load.
    """

    def __init__(self, model: bytes, compute: Compute = PLAIN) -> None:
        try:
            self._library = _load(model, compute)
        except Refusal as refusal:
            raise ModelError(
                f"a model of {len(model)} bytes: must load in {refusal.by}, got {refusal}; "
                "install face_det's requirements again"
            ) from refusal.__cause__
        self.name = self._library.name
        self._since = 0

    def run(self, feeds: Feeds) -> list[npt.NDArray[np.float32]]:
        """All outputs of the model; ModelError if an input is missing or has another shape."""
        try:
            outputs = self._library.run(feeds)
        except Refusal as refusal:
            shapes = ", ".join(f"{name} {value.shape}" for name, value in feeds.items())
            raise ModelError(f"inputs must fit the model, got {shapes}: {refusal}") from refusal.__cause__
        # Threads may lose a sum to each other; then it is the next run's turn.
        self._since += sum(value.nbytes for value in feeds.values())
        if self._since >= GIVE_BACK_AFTER:
            self._since = 0
            memory.give_back()
        return outputs


def _load(model: bytes, compute: Compute) -> Library:
    # Each takes time and memory to import, and OpenVINO need not be there.
    if compute.library == "openvino":
        from face_det.nets.openvino_session import OpenvinoSession

        return OpenvinoSession(model, compute)
    from face_det.nets.onnx_session import OnnxSession

    return OnnxSession(model, compute)
