"""Runs ONNX models on what the configuration asks for, and never silently on something else."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from face_det.compute import PLAIN, Compute
from face_det.errors import ModelError

LARGE_BYTES = 1_000_000
"""Of input: from here on, what the C library has kept of a run's memory is worth giving back."""

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
        # glibc's, which keeps holes of every size in its heap when pictures of every size were there:
        # twice the memory after a thousand. It takes half a millisecond.
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)

    def run(self, feeds: Feeds) -> list[npt.NDArray[np.float32]]:
        """All outputs of the model; ModelError if an input is missing or has another shape."""
        try:
            outputs = self._library.run(feeds)
        except Refusal as refusal:
            shapes = ", ".join(f"{name} {value.shape}" for name, value in feeds.items())
            raise ModelError(f"inputs must fit the model, got {shapes}: {refusal}") from refusal.__cause__
        if self._trim is not None and sum(value.nbytes for value in feeds.values()) >= LARGE_BYTES:
            self._trim(0)
        return outputs


def _load(model: bytes, compute: Compute) -> Library:
    # Each takes time and memory to import, and OpenVINO need not be there.
    if compute.library == "openvino":
        from face_det.nets.openvino_session import OpenvinoSession

        return OpenvinoSession(model, compute)
    from face_det.nets.onnx_session import OnnxSession

    return OnnxSession(model, compute)
