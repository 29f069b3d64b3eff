"""Local face detection and recognition: an engine, a decision and a daemon.

The names below are the public API. Each is imported when it is first used, so `import face_det` is
instant and loads no network.

>>> import face_det
>>> face_det.Box(10, 20, 40, 60).height
40
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from face_det.config import Config, load_config
    from face_det.engine import Engine, EngineOptions, build_engine
    from face_det.errors import FaceDetError
    from face_det.nets import Compute
    from face_det.rpc import AsyncClient, Client
    from face_det.types import Box, Face, Match, Reason

__version__ = "0.1.0"

# The official builds of ONNX Runtime send usage data to Microsoft as soon as they are imported. This
# project sends nothing to anyone, so that is switched off before anything can import them.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = [
    "AsyncClient",
    "Box",
    "Client",
    "Compute",
    "Config",
    "Engine",
    "EngineOptions",
    "Face",
    "FaceDetError",
    "Match",
    "Reason",
    "__version__",
    "build_engine",
    "load_config",
]

_PUBLIC = {
    "AsyncClient": "face_det.rpc:AsyncClient",
    "Box": "face_det.types:Box",
    "Client": "face_det.rpc:Client",
    "Compute": "face_det.nets:Compute",
    "Config": "face_det.config:Config",
    "Engine": "face_det.engine:Engine",
    "EngineOptions": "face_det.engine:EngineOptions",
    "Face": "face_det.types:Face",
    "FaceDetError": "face_det.errors:FaceDetError",
    "Match": "face_det.types:Match",
    "Reason": "face_det.types:Reason",
    "build_engine": "face_det.engine:build_engine",
    "load_config": "face_det.config:load_config",
}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'face_det' has no attribute {name!r}")
    module, _, attribute = _PUBLIC[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
