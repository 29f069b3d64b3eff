"""Runs ONNX models. The only module that imports ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime  # type: ignore[import-untyped]
from onnxruntime.capi import onnxruntime_pybind11_state as state  # type: ignore[import-untyped]

from face_det.errors import ConfigError, ModelError

RUNTIMES = ("onnxruntime",)
DEVICES = ("cpu",)

_REFUSED = (
    state.Fail,
    state.InvalidArgument,
    state.InvalidGraph,
    state.InvalidProtobuf,
    state.NotImplemented,
    state.RuntimeException,
)
"""What ONNX Runtime raises; they have no parent of their own."""


class Session:
    """A loaded model. `run` may be called from several threads at once; it lets go of the
    interpreter lock, so that a daemon answers heartbeats meanwhile.

    Raises ConfigError for an unknown runtime or device, ModelError for a model that does not load.
    """

    def __init__(
        self, model: bytes, threads: int = 1, *, runtime: str = "onnxruntime", device: str = "cpu"
    ) -> None:
        faults = [
            f"{key} must be one of {', '.join(known)}, got {value!r}"
            for key, value, known in (("runtime", runtime, RUNTIMES), ("device", device, DEVICES))
            if value not in known
        ]
        if threads < 1:
            faults.append(f"threads must be 1 or more, got {threads}")
        if faults:
            raise ConfigError(faults)
        try:
            self._session = onnxruntime.InferenceSession(
                model, _session_options(threads), providers=["CPUExecutionProvider"]
            )
        except _REFUSED as error:
            raise ModelError(
                f"a model of {len(model)} bytes: must load in ONNX Runtime {onnxruntime.__version__}, "
                f"got {_first_line(error)}; install face_det's requirements again"
            ) from error
        self._options = onnxruntime.RunOptions()
        # Give back what a large picture needed: the next may be small, or hours away.
        self._options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")

    def run(self, feeds: Mapping[str, npt.NDArray[Any]]) -> list[npt.NDArray[np.float32]]:
        """All outputs of the model; ModelError if an input is missing or has another shape."""
        try:
            return list(self._session.run(None, dict(feeds), self._options))
        except (*_REFUSED, ValueError) as error:
            shapes = ", ".join(f"{name} {value.shape}" for name, value in feeds.items())
            raise ModelError(f"inputs must fit the model, got {shapes}: {_first_line(error)}") from error


def _session_options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Waiting threads that spin are slower than one thread as soon as somebody else wants the core.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # A plan of the memory is kept for every shape of input; pictures come in any.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    return options


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
