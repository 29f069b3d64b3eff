"""Runs ONNX models on the configured runtime, and never silently on another one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from face_det.errors import ConfigError, ModelError
from face_det.nets import memory
from face_det.nets.catalogue import verify_weights
from face_det.nets.compute import DEFAULT_COMPUTE, Compute
from face_det.nets.model_cache import load_onnx_model
from face_det.nets.sessions.backend import Backend, BackendError, Feeds
from face_det.nets.winograd.convolution import load_checked_kernels

TRIM_AFTER_BYTES = 1_000_000_000
"""Bytes of input, about a dozen camera frames. Returning memory after every frame took a twentieth of
the time."""


class Session:
    """A loaded model.

    `run` may be called from several threads at once. It releases the interpreter lock, so a daemon
    keeps answering heartbeats. `name` tells what runs the model, such as `onnxruntime` or
    `openvino bf16`. Raises ConfigError for what this machine or its packages cannot do, and ModelError
    for a model that does not load.
    """

    def __init__(self, model: bytes | Backend, compute: Compute = DEFAULT_COMPUTE) -> None:
        self._backend = _load_backend(model, compute) if isinstance(model, bytes) else model
        self.name = self._backend.name
        self._since = 0

    def run(self, feeds: Feeds) -> list[npt.NDArray[np.float32]]:
        """Compute all outputs of the model; ModelError if an input is missing or has another shape or
        type."""
        try:
            outputs = self._backend.run(feeds)
        except BackendError as error:
            shapes = ", ".join(f"{name} {value.shape}" for name, value in feeds.items())
            raise ModelError(f"inputs must fit the model, got {shapes}: {error}") from error.__cause__
        # Threads may overwrite each other's sums; then a later run trims the heap.
        self._since += sum(value.nbytes for value in feeds.values())
        if self._since >= TRIM_AFTER_BYTES:
            self._since = 0
            memory.trim_heap()
        return outputs


def load_dlib_session(name: str, compute: Compute = DEFAULT_COMPUTE) -> Session:
    """Load one of dlib's networks, `mmod` or `resnet`.

    It runs on our own compiled kernels where `compute` allows them and they were built. Raises what
    Session raises, and WeightsError if the network's weights are missing or damaged.
    """
    if compute.native:
        found = load_checked_kernels()
        if found.kernels is not None:
            kernels = found.kernels
            # Imports ONNX Runtime, which takes time and memory.
            from face_det.nets.sessions.native_session import NativeSession

            return Session(
                _make_backend(lambda: NativeSession(name, compute, kernels), f"the parts of {name}")
            )
        if compute.runtime == "native":
            raise ConfigError(
                [f"runtime: native needs face_det's own kernels, but {found.reason}; or set auto"]
            )
    return Session(load_onnx_model(name), compute)


def load_opencv_session(names: Sequence[str], compute: Compute = DEFAULT_COMPUTE) -> Session:
    """Load a network that only OpenCV reads, by the names of its files in the catalogue: one of TensorFlow
    Lite, or Caffe's weights and layers.

    Raises what Session raises, and WeightsError if a file is missing or damaged.
    """
    files = [verify_weights(name) for name in names]
    from face_det.nets.sessions.opencv_session import OpencvSession

    return Session(_make_backend(lambda: OpencvSession(files, compute), str(files[0])))


def _load_backend(model: bytes, compute: Compute) -> Backend:
    # Each library takes time and memory to import, and OpenVINO may not be installed.
    if compute.library == "openvino":
        from face_det.nets.sessions.openvino_session import OpenvinoSession as Loaded
    else:
        from face_det.nets.sessions.onnx_session import OnnxSession as Loaded  # type: ignore[assignment]
    return _make_backend(lambda: Loaded(model, compute), f"a model of {len(model)} bytes")


def _make_backend(make: Callable[[], Backend], what: str) -> Backend:
    try:
        return make()
    except BackendError as error:
        raise ModelError(
            f"{what}: must load in {error.by}, got {error}; install face_det's requirements again"
        ) from error.__cause__
