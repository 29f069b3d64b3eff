"""A model in ONNX Runtime, on the processor or on a graphics card. Its only importer."""

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
"""What ONNX Runtime raises; they have no parent of their own."""

_CUDA_OPTIONS = {
    # TensorFloat-32 would round as bf16 does, nearly.
    "use_tf32": "0",
    # Pictures come in any size: a search for the fastest algorithm for each would never end.
    "cudnn_conv_algo_search": "HEURISTIC",
    "arena_extend_strategy": "kSameAsRequested",
}


class OnnxSession:
    """See runtime.Library."""

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
                # Otherwise it goes on with the processor, should the card fail.
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
        # Give back what a large picture needed: the next may be small, or hours away.
        self._options.add_run_config_entry(
            "memory.enable_memory_arena_shrinkage", "cpu:0;gpu:0" if cuda else "cpu:0"
        )

    def run(self, feeds: Feeds) -> list[npt.NDArray[np.float32]]:
        """See runtime.Library."""
        try:
            return list(self._session.run(None, dict(feeds), self._options))
        except (*_ERRORS, ValueError) as error:
            raise _backend_error(error) from error


def _require_cuda() -> None:
    """ConfigError if this build of ONNX Runtime has no CUDA."""
    if CUDA_PROVIDER not in onnxruntime.get_available_providers():
        raise ConfigError(
            [
                f"device: cuda needs onnxruntime-gpu, got {ONNX_RUNTIME} without it; "
                "python -m pip uninstall onnxruntime, then install 'onnxruntime-gpu[cuda,cudnn]'; or set cpu"
            ]
        )
    # CUDA's own libraries, where they came as Python packages; it prints what it misses.
    with contextlib.redirect_stdout(sys.stderr):
        onnxruntime.preload_dlls()


def _session_options(threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Waiting threads that spin are slower than one thread as soon as somebody else wants the core.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # A plan of the memory is kept for every shape of input; pictures come in any.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    return options


def _backend_error(error: Exception) -> BackendError:
    return BackendError(ONNX_RUNTIME, (str(error).splitlines() or [type(error).__name__])[0])
