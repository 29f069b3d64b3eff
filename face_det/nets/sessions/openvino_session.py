"""Runs a model in OpenVINO, in fp32 or bf16. No other module imports openvino."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from face_det.errors import ConfigError
from face_det.nets.compute import Compute
from face_det.nets.sessions.backend import BackendError, Feeds

MIN_VERSION = (2025, 0)
"""The first version whose compiled models can return memory."""

_ERRORS = (RuntimeError, TypeError, ValueError)
"""OpenVINO's exceptions for models and inputs that it rejects."""

BF16_FLAGS = {"avx512_bf16", "amx_bf16"}
"""CPU flags, as Linux spells them, of instructions that multiply in bf16. Without either of them, bf16
would be fp32 in disguise, and slower."""


class OpenvinoSession:
    """A Backend that runs a model in OpenVINO."""

    def __init__(self, model: bytes, compute: Compute) -> None:
        openvino = _import_openvino(compute)
        if compute.precision == "bf16":
            require_bf16()
        self.name = "openvino" if compute.precision == "fp32" else f"openvino {compute.precision}"
        self._by = f"OpenVINO {openvino.__version__.partition('-')[0]}"
        self._core = openvino.Core()
        self._settings = _settings(compute)
        try:
            self._model = self._core.read_model(model)
            # A compiled model runs one input at a time, so each caller takes one from this list.
            self._idle = [self._compiled()]
        except _ERRORS as error:
            raise self._refusal(error) from error
        self._inputs = {
            given.any_name: (given.partial_shape, given.element_type.to_dtype())
            for given in self._model.inputs
        }

    def run(self, feeds: Feeds) -> list[npt.NDArray[np.float32]]:
        """Compute all outputs; see Backend."""
        self._check(feeds)
        try:
            compiled = self._idle.pop()
        except IndexError:
            compiled = self._compiled()
        try:
            # A new request each time, because a request keeps its last input in memory.
            request = compiled.create_infer_request()
            found = request.infer(dict(feeds), share_inputs=True)
            outputs = [found[port] for port in compiled.outputs]
        except _ERRORS as error:
            raise self._refusal(error) from error
        finally:
            # Return what a large image needed: the next one may be small, or hours away.
            compiled.release_memory()
            self._idle.append(compiled)
        return outputs

    def _compiled(self) -> Any:
        return self._core.compile_model(self._model, "CPU", self._settings)

    def _check(self, feeds: Feeds) -> None:
        """Raise BackendError unless each input is there with its type and shape; OpenVINO would accept
        others."""
        for name, (shape, dtype) in self._inputs.items():
            if name not in feeds:
                raise BackendError(self._by, f"{name} is missing")
            value = feeds[name]
            if value.dtype != dtype:
                raise BackendError(self._by, f"{name} must be {dtype}, got {value.dtype}")
            if len(value.shape) != len(shape) or not all(
                side.is_dynamic or side.get_length() == size
                for side, size in zip(shape, value.shape, strict=True)
            ):
                raise BackendError(self._by, f"{name} must have the shape {shape.to_string()}")
        if unknown := sorted(feeds.keys() - self._inputs.keys()):
            raise BackendError(self._by, f"{', '.join(unknown)} is not an input")

    def _refusal(self, error: Exception) -> BackendError:
        # The first lines only say where in OpenVINO's source the error was raised.
        return BackendError(self._by, (str(error).strip().splitlines() or [type(error).__name__])[-1])


def require_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> None:
    """Raise ConfigError unless the processor computes in bf16."""
    try:
        text = cpuinfo.read_text("utf-8", "replace")
    except OSError:
        text = ""
    flags = re.search(r"^flags\s*:\s*(.+)$", text, re.M)
    if flags is None or not BF16_FLAGS & set(flags[1].split()):
        name = re.search(r"^model name\s*:\s*(.+)$", text, re.M)
        raise ConfigError(
            [
                f"precision: bf16 needs a processor with {' or '.join(sorted(BF16_FLAGS))}, "
                f"{name[1] if name else 'this one'} has neither; set fp32"
            ]
        )


def _import_openvino(compute: Compute) -> ModuleType:
    """Import openvino; ConfigError if it is missing or too old."""
    asked = "precision: bf16" if compute.runtime == "auto" else "runtime: openvino"
    advice = f"python -m pip install 'openvino>={MIN_VERSION[0]}.{MIN_VERSION[1]}'"
    # OpenVINO reports each import to its maker through this module, unless it is missing.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError as error:
        fault = f"{asked} needs OpenVINO, which is not installed ({error}); {advice}, or set "
        fault += "fp32" if compute.runtime == "auto" else "onnxruntime"
        raise ConfigError([fault]) from error
    finally:
        if sys.modules.get("openvino_telemetry") is None:
            sys.modules.pop("openvino_telemetry", None)
    version = tuple(int(part) for part in re.findall(r"\d+", openvino.__version__)[:2])
    if version < MIN_VERSION:
        raise ConfigError(
            [
                f"{asked} needs OpenVINO {MIN_VERSION[0]}.{MIN_VERSION[1]} or newer, "
                f"got {openvino.__version__}; {advice}"
            ]
        )
    module: ModuleType = openvino
    return module


def _settings(compute: Compute) -> dict[str, Any]:
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": compute.threads,
        "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[compute.precision],
        # Other processes may want the same core.
        "ENABLE_CPU_PINNING": False,
        # How many input shapes to keep code for; images come in all shapes.
        "CPU_RUNTIME_CACHE_CAPACITY": 16,
    }
