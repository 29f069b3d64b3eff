"""A process that looks at pictures for the daemon: `main`, with a socket's number for its argument.

On the socket come pickles, which are ours: first a Start, then for each view its options, shape and
pixels. What goes back is plain data (msgpack): who has made native code here run astray must not
get further by a pickle. The process ends with the daemon, however that ends; signals from a
terminal or a service manager are the daemon's business.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import select
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import msgpack  # type: ignore[import-untyped]
import numpy as np

from face_det.engine.engine import Engine, EngineOptions, Timings
from face_det.engine.engines import Engines
from face_det.errors import FaceDetError
from face_det.types import Face

NETWORK_ERRORS = (ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError)
"""What a network may raise over a picture that decodes."""


@dataclass(frozen=True, slots=True)
class StartRequest:
    """What to build engines of and by (`module:function`), where modules lie, what to load at once."""

    options: EngineOptions
    build: str
    path: tuple[str, ...]
    embedders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ViewRequest:
    """Look at a view of this shape, whose pixels come next; without a shape, only load the networks."""

    options: EngineOptions
    shape: tuple[int, ...] | None


def serve_requests(parent: Connection) -> None:
    """Answer until the daemon closes its end."""
    start: StartRequest = parent.recv()
    sys.path[:] = start.path
    module, _, name = start.build.partition(":")
    build: Callable[[EngineOptions], Engine] = getattr(importlib.import_module(module), name)
    engines = Engines(start.options, build)
    for embedder in start.embedders:
        engines.of(embedder)
    parent.send_bytes(msgpack.packb({"ready": True}))
    while True:
        look: ViewRequest = parent.recv()
        pixels = np.frombuffer(parent.recv_bytes(), np.uint8) if look.shape is not None else None
        try:
            engine = engines.of(look.options.embedder)
            if pixels is None or look.shape is None:
                answer: dict[str, Any] = {"fingerprint": engine.fingerprint, "runtime": engine.runtime}
            else:
                # `of` takes the options it was made with; the gates are those of the call.
                answer = _encode_view(Engine.sharing(engine, look.options), pixels.reshape(look.shape))
        except FaceDetError as error:
            answer = {"error": type(error).__name__, "message": str(error)}
        except NETWORK_ERRORS as error:
            answer = {"fault": f"{type(error).__name__}: {error}"}
        parent.send_bytes(msgpack.packb({**answer, "rss_mb": _rss_mb()}))
        del pixels


def _encode_view(engine: Engine, rgb: Any) -> dict[str, Any]:
    timings = Timings()
    (faces,) = engine.faces([(rgb, None)], timings)
    return {
        "faces": [_face_as_fields(face) for face in faces],
        "detect_s": timings.detect_s,
        "embed_s": timings.embed_s,
    }


def _face_as_fields(face: Face) -> dict[str, Any]:
    return {
        "box": [float(edge) for edge in (face.box.xmin, face.box.ymin, face.box.xmax, face.box.ymax)],
        "score": float(face.score),
        "focus": float(face.focus),
        "reason": None if face.reason is None else face.reason.value,
        "encoding": None if face.encoding is None else face.encoding.astype("<f8").tobytes(),
    }


def _rss_mb() -> float:
    with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123 - a Path would be slower than the reading
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _exit_with_parent(descriptor: int) -> None:
    """End as soon as the daemon's end is closed, in the middle of a picture too."""
    poll = select.poll()
    poll.register(descriptor, select.POLLRDHUP)
    poll.poll()
    os._exit(0)


def main() -> None:
    """Entry point."""
    faulthandler.enable()
    descriptor = int(sys.argv[1])
    threading.Thread(target=_exit_with_parent, args=(descriptor,), daemon=True).start()
    try:
        serve_requests(Connection(descriptor))
    except (EOFError, ConnectionError):
        return
    except FaceDetError as error:
        # Said in words to the one who reads, before the end: this is no crash.
        Connection(os.dup(descriptor)).send_bytes(
            msgpack.packb({"error": type(error).__name__, "message": str(error)})
        )
