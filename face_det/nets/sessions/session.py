"""Runs ONNX models on what the configuration asks for, and never silently on something else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from face_det.errors import ConfigError, ModelError
from face_det.nets import memory
from face_det.nets.compute import DEFAULT_COMPUTE, Compute
from face_det.nets.sessions.backend import Backend, BackendError, Feeds

TRIM_AFTER_BYTES = 1_000_000_000
"""Bytes of input: a dozen frames of a camera. After each single one, a twentieth of the time went into it."""


class Session:
    """A loaded model. `run` may be called from several threads at once; it lets go of the
    interpreter lock, so that a daemon answers heartbeats meanwhile.

    `name` says what runs it, as in `onnxruntime` or `openvino bf16`. Raises ConfigError for what
    this machine or its packages cannot do, ModelError for a model that does not load.
    """

    def __init__(self, model: bytes | Backend, compute: Compute = DEFAULT_COMPUTE) -> None:
        self._library = _load_backend(model, compute) if isinstance(model, bytes) else model
        self.name = self._library.name
        self._since = 0

    def run(self, feeds: Feeds) -> list[npt.NDArray[np.float32]]:
        """All outputs of the model; ModelError if an input is missing or has another shape."""
        try:
            outputs = self._library.run(feeds)
        except BackendError as refusal:
            shapes = ", ".join(f"{name} {value.shape}" for name, value in feeds.items())
            raise ModelError(f"inputs must fit the model, got {shapes}: {refusal}") from refusal.__cause__
        # Threads may lose a sum to each other; then it is the next run's turn.
        self._since += sum(value.nbytes for value in feeds.values())
        if self._since >= TRIM_AFTER_BYTES:
            self._since = 0
            memory.trim_heap()
        return outputs


def load_dlib_session(name: str, compute: Compute = DEFAULT_COMPUTE) -> Session:
    """One of dlib's networks, mmod or resnet: with kernels of our own where they are wanted and there are
    any. Raises as Session does, WeightsError if its weights are missing or damaged."""
    from face_det.nets import model_cache
    from face_det.nets.winograd import convolution

    if compute.native:
        kernels = convolution.load_checked_kernels()
        if not isinstance(kernels, str):
            from face_det.nets.sessions.native_session import NativeSession

            return Session(
                _make_backend(lambda: NativeSession(name, compute, kernels), f"the parts of {name}")
            )
        if compute.runtime == "native":
            raise ConfigError([f"runtime: native needs face_det's own kernels, but {kernels}; or set auto"])
    return Session(model_cache.load_onnx_model(name), compute)


def _load_backend(model: bytes, compute: Compute) -> Backend:
    # Each takes time and memory to import, and OpenVINO need not be there.
    OnnxSession: Callable[[bytes, Compute], Backend]
    if compute.library == "openvino":
        pass
    else:
        from face_det.nets.sessions.onnx_session import OnnxSession
    return _make_backend(lambda: OnnxSession(model, compute), f"a model of {len(model)} bytes")


def _make_backend(make: Callable[[], Backend], what: str) -> Backend:
    try:
        return make()
    except BackendError as refusal:
        raise ModelError(
            f"{what}: must load in {refusal.by}, got {refusal}; install face_det's requirements again"
        ) from refusal.__cause__
