"""Runs ONNX models on what the configuration asks for, and never silently on something else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from face_det import memory
from face_det.compute import PLAIN, Compute
from face_det.errors import ConfigError, ModelError

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

    def __init__(self, model: bytes | Library, compute: Compute = PLAIN) -> None:
        self._library = _load(model, compute) if isinstance(model, bytes) else model
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


def network(name: str, compute: Compute = PLAIN) -> Session:
    """One of dlib's networks, mmod or resnet: with kernels of our own where they are wanted and there are
    any. Raises as Session does, WeightsError if its weights are missing or damaged."""
    from face_det.nets import graph_cache, winograd

    if compute.native:
        kernels = winograd.checked()
        if not isinstance(kernels, str):
            from face_det.nets.native_session import NativeSession

            return Session(_checked(lambda: NativeSession(name, compute, kernels), f"the parts of {name}"))
        if compute.runtime == "native":
            raise ConfigError([f"runtime: native needs face_det's own kernels, but {kernels}; or set auto"])
    return Session(graph_cache.load(name), compute)


def _load(model: bytes, compute: Compute) -> Library:
    # Each takes time and memory to import, and OpenVINO need not be there.
    made: Callable[[bytes, Compute], Library]
    if compute.library == "openvino":
        from face_det.nets.openvino_session import OpenvinoSession as made
    else:
        from face_det.nets.onnx_session import OnnxSession as made
    return _checked(lambda: made(model, compute), f"a model of {len(model)} bytes")


def _checked(make: Callable[[], Library], what: str) -> Library:
    try:
        return make()
    except Refusal as refusal:
        raise ModelError(
            f"{what}: must load in {refusal.by}, got {refusal}; install face_det's requirements again"
        ) from refusal.__cause__
