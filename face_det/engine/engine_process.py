"""A process that finds faces for the daemon; `main` takes the number of a socket as its argument.

The socket carries pickles from the daemon, which is trusted: first a StartRequest, then a ViewRequest and
the pixels of each view. The answers are plain data (msgpack): an attacker who takes over this process
through native code must not reach the daemon through a pickle. The process ends when the daemon does, for
whatever reason; signals from a terminal or a service manager are the daemon's business.
"""

from __future__ import annotations

import faulthandler
import importlib
import math
import os
import select
import sys
import threading
from collections.abc import Callable
from dataclasses import astuple, dataclass
from multiprocessing.connection import Connection
from typing import Any

import msgpack  # type: ignore[import-untyped]
import numpy as np

from face_det.budget import Budget
from face_det.engine.engines import Engines
from face_det.engine.interface import EngineOptions, FaceEngine
from face_det.errors import FaceDetError
from face_det.types import Box, Face, Rgb

NETWORK_ERRORS = (ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError)
"""What a network may raise for an image that can be decoded."""


@dataclass(frozen=True, slots=True)
class StartRequest:
    """How to start: the options, the function `module:function` that builds an engine, the module search
    path, and the embedders to load at once."""

    options: EngineOptions
    build: str
    path: tuple[str, ...]
    embedders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ViewRequest:
    """Process a view of this shape, whose pixels follow. Without a shape, only load the networks.

    `seconds` is how long that may take; what is not done by then is late. `in_person` says that the view is
    a person's box. With `find_from_px`, faces from so many pixels on are found and not encoded; with `faces`,
    these are encoded, and none are found.
    """

    options: EngineOptions
    shape: tuple[int, ...] | None
    seconds: float = math.inf
    in_person: bool = False
    find_from_px: float | None = None
    faces: tuple[Face, ...] | None = None


def serve_requests(parent: Connection) -> None:
    """Answer requests until the daemon closes its end."""
    start: StartRequest = parent.recv()
    sys.path[:] = start.path
    module, _, name = start.build.partition(":")
    build: Callable[[EngineOptions], FaceEngine] = getattr(importlib.import_module(module), name)
    engines = Engines(start.options, build)
    for embedder in start.embedders:
        engines.of(embedder)
    parent.send_bytes(msgpack.packb({"ready": True}))
    while True:
        request: ViewRequest = parent.recv()
        pixels = np.frombuffer(parent.recv_bytes(), np.uint8) if request.shape is not None else None
        try:
            engine = engines.of(request.options.embedder)
            if pixels is None or request.shape is None:
                answer: dict[str, Any] = {"fingerprint": engine.fingerprint, "runtime": engine.runtime}
            else:
                # Engines keeps the options of the start; the limits are those of the call.
                limited = engine.with_options(request.options)
                answer = _process_view(limited, pixels.reshape(request.shape), request)
        except FaceDetError as error:
            answer = {"error": type(error).__name__, "message": str(error)}
        except NETWORK_ERRORS as error:
            answer = {"fault": f"{type(error).__name__}: {error}"}
        parent.send_bytes(msgpack.packb({**answer, "rss_mb": _rss_mb()}))
        del pixels


def _process_view(engine: FaceEngine, rgb: Rgb, request: ViewRequest) -> dict[str, Any]:
    if request.faces is not None:
        return {"faces": [_face_as_fields(face) for face in engine.encode(rgb, request.faces)]}
    if request.find_from_px is not None:
        found = engine.find(rgb, from_px=request.find_from_px)
        return {"faces": [_face_as_fields(face) for face in found]}
    box = Box(0.0, 0.0, float(rgb.shape[1]), float(rgb.shape[0])) if request.in_person else None
    result = engine.run([(rgb, box)], Budget(request.seconds))
    (faces,) = result.faces
    return {
        "faces": [_face_as_fields(face) for face in faces],
        "detect_s": result.detect_s,
        "embed_s": result.embed_s,
        "late": bool(result.late),
    }


def _face_as_fields(face: Face) -> dict[str, Any]:
    return {
        "box": [float(edge) for edge in (face.box.xmin, face.box.ymin, face.box.xmax, face.box.ymax)],
        "score": float(face.score),
        "focus": float(face.focus),
        "reason": None if face.reason is None else face.reason.value,
        "encoding": None if face.encoding is None else face.encoding.astype("<f8").tobytes(),
        "norm": face.norm,
        "quality": face.quality,
        "landmarks": None if face.landmarks is None else face.landmarks.astype("<f4").tobytes(),
        "head_pose": None if face.head_pose is None else [*astuple(face.head_pose)],
        "liveness": face.liveness,
    }


def _rss_mb() -> float:
    with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123 - a Path would take longer than the read
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _exit_with_parent(descriptor: int) -> None:
    """Exit as soon as the daemon's end is closed, even in the middle of an image."""
    poll = select.poll()
    poll.register(descriptor, select.POLLRDHUP)
    poll.poll()
    os._exit(0)


def main() -> None:
    """Run the process."""
    faulthandler.enable()
    descriptor = int(sys.argv[1])
    threading.Thread(target=_exit_with_parent, args=(descriptor,), daemon=True).start()
    try:
        serve_requests(Connection(descriptor))
    except (EOFError, ConnectionError):
        return
    except FaceDetError as error:
        # Tell the daemon why before exiting: this is not a crash.
        Connection(os.dup(descriptor)).send_bytes(
            msgpack.packb({"error": type(error).__name__, "message": str(error)})
        )
