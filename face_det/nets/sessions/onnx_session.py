"""Runs a model in ONNX Runtime, on the processor or a graphics card. No other module imports onnxruntime."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime  # type: ignore[import-untyped]
from onnxruntime.capi import onnxruntime_pybind11_state as state  # type: ignore[import-untyped]

from face_det.errors import ConfigError
from face_det.nets.compute import Compute
from face_det.nets.sessions.backend import BackendError, Feeds

ONNX_RUNTIME = f"ONNX Runtime {onnxruntime.__version__}"
CUDA_PROVIDER = "CUDAExecutionProvider"

_ERRORS = (
    state.EPFail,
    state.Fail,
    state.InvalidArgument,
    state.InvalidGraph,
    state.InvalidProtobuf,
    state.NotImplemented,
    state.RuntimeException,
)
"""ONNX Runtime's exceptions, which have no common base class."""

_CUDA_OPTIONS = {
    # TensorFloat-32 would round almost as coarsely as bf16.
    "use_tf32": "0",
    # Images come in all sizes, so searching for the fastest algorithm for each would never end.
    "cudnn_conv_algo_search": "HEURISTIC",
    "arena_extend_strategy": "kSameAsRequested",
}


class OnnxSession:
    """A Backend that runs a model in ONNX Runtime."""

    def __init__(self, model: bytes, compute: Compute) -> None:
        cuda = compute.device == "cuda"
        self.name = "onnxruntime cuda" if cuda else "onnxruntime"
        if cuda:
            _require_cuda()
        try:
            self._session = onnxruntime.InferenceSession(
                model,
                _session_options(compute.threads),
                providers=[(CUDA_PROVIDER, _CUDA_OPTIONS)] if cuda else ["CPUExecutionProvider"],
                # Otherwise a failing card would silently be replaced by the processor.
                enable_fallback=0,
            )
        except _ERRORS as error:
            raise _backend_error(error) from error
        if cuda and self._session.get_providers()[0] != CUDA_PROVIDER:
            raise ConfigError(
                [
                    f"device: cuda does not start in {ONNX_RUNTIME}; look at the driver, and "
                    "install the libraries: python -m pip install 'onnxruntime-gpu[cuda,cudnn]'; or set cpu"
                ]
            )
        self._options = onnxruntime.RunOptions()
        # Return what a large image needed: the next one may be small, or hours away.
        self._options.add_run_config_entry(
            "memory.enable_memory_arena_shrinkage", "cpu:0;gpu:0" if cuda else "cpu:0"
        )

    def run(self, feeds: Feeds) -> list[npt.NDArray[np.float32]]:
        """Compute all outputs; see Backend."""
        try:
            return list(self._session.run(None, dict(feeds), self._options))
        except (*_ERRORS, ValueError) as error:
            raise _backend_error(error) from error


def _require_cuda() -> None:
    """Raise ConfigError if this build of ONNX Runtime has no CUDA."""
    if CUDA_PROVIDER not in onnxruntime.get_available_providers():
        raise ConfigError(
            [
                f"device: cuda needs onnxruntime-gpu, got {ONNX_RUNTIME} without it; "
                "python -m pip uninstall onnxruntime, then install 'onnxruntime-gpu[cuda,cudnn]'; or set cpu"
            ]
        )
    # Loads CUDA's libraries where they were installed as Python packages; it prints what is missing.
    with contextlib.redirect_stdout(sys.stderr):
        onnxruntime.preload_dlls()


def _session_options(threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin while they wait are slower than one thread once anyone else wants the core.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # A memory plan would be kept for every input shape, and images come in any shape.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    return options


def _backend_error(error: Exception) -> BackendError:
    return BackendError(ONNX_RUNTIME, (str(error).splitlines() or [type(error).__name__])[0])
