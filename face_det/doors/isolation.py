"""An engine whose work is done by processes, so that a crash in native code ends none but one of them.

If a process dies over a view, another has a try; the view that has made two crash is given up.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import weakref
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from face_det.budget import Budget
from face_det.doors.isolated import Start
from face_det.doors.processes import Died, Slots
from face_det.engine import Engine, EngineOptions, Timings, View, part_of
from face_det.errors import BadImage, FaceDetError
from face_det.faces import Box, Face, Reason, Rgb

log = logging.getLogger(__name__)

BUILD = "face_det.engine:build"
TRIES = 2
"""Processes that may crash over a view."""
KILLS = 5
"""Processes that may be killed (SIGKILL) over a view, before it is taken for the reason."""


def build(options: EngineOptions, size: int, memory_mb: int, made_by: str = BUILD) -> Engine:
    """An engine in `size` processes, which are replaced beyond `memory_mb` (0: never); raises as
    engine.build does. `made_by` builds it there."""
    return IsolatedEngine(Pool(options, size, memory_mb, made_by), options)


class Pool:
    """`size` processes that look at views. They end when it is let go of, or the daemon ends."""

    def __init__(self, options: EngineOptions, size: int, memory_mb: int, build: str = BUILD) -> None:
        path = tuple(os.path.abspath(entry) for entry in sys.path)  # noqa: PTH100 - "" is the folder we are in
        self._slots = Slots(Start(options, build, path, ()), memory_mb)
        self._end = weakref.finalize(self, self._slots.close)
        for index in range(size):
            threading.Thread(target=self._slots.keep, name=f"keeper-{index}", daemon=True).start()

    def loaded(self, options: EngineOptions) -> dict[str, Any]:
        """Have an embedder loaded, by new processes from the start; its fingerprint and runtime."""
        try:
            answer = self.look(options, None)
        except Died as error:
            raise FaceDetError(
                "isolation: must load the networks, which ends the process; see the log"
            ) from error
        slots = self._slots
        with slots.changed:
            embedders = tuple(dict.fromkeys((*slots.start.embedders, options.embedder)))
            slots.start = replace(slots.start, embedders=embedders)
        return answer

    def look(self, options: EngineOptions, rgb: Rgb | None) -> dict[str, Any]:
        """What a process says of a view; Died if it has ended as many as it may."""
        tries = kills = 0
        while True:
            process = self._slots.borrowed()
            # One that died while it was free is nobody's fault.
            blamed = process.alive
            try:
                answer = process.look(options, rgb)
            except Died as error:
                process.end()
                tries += blamed and not error.killed
                kills += blamed and error.killed
                if tries == TRIES or kills == KILLS:
                    raise
                continue
            finally:
                self._slots.given_back(process)
            return answer

    def status(self) -> dict[str, Any]:
        """Which processes there are, and how many died or were replaced."""
        return {"pids": self._slots.pids(), **self._slots.counts}


class IsolatedEngine(Engine):
    """An engine whose networks are in the processes of a pool; raises as `build` does."""

    def __init__(self, pool: Pool, options: EngineOptions, networks: dict[str, Any] | None = None) -> None:
        self._pool = pool
        self.options = options
        self._networks = pool.loaded(options) if networks is None else networks

    def _gated(self, options: EngineOptions) -> Engine:
        return IsolatedEngine(self._pool, options, self._networks)

    def with_embedder(self, name: str) -> Engine:
        """The engine with another embedder, in the same processes."""
        return IsolatedEngine(self._pool, replace(self.options, embedder=name))

    def isolation(self) -> dict[str, Any] | None:
        """The processes."""
        return self._pool.status()

    @property
    def fingerprint(self) -> str:
        """What encodings depend on."""
        return str(self._networks["fingerprint"])

    @property
    def runtime(self) -> str:
        """What runs the networks."""
        return str(self._networks["runtime"])

    def faces(
        self,
        views: Iterable[View],
        timings: Timings | None = None,
        *,
        budget: Budget | None = None,
        broken: set[int] | None = None,
    ) -> list[tuple[Face, ...]]:
        """As Engine.faces; each view is looked at, and its faces encoded, by itself."""
        timings = timings if timings is not None else Timings()
        found: list[tuple[Face, ...]] = []
        for rgb, box in views:
            part, (dx, dy) = part_of(rgb, box)
            found.append(())
            del rgb
            if part is None:
                continue
            try:
                answer = self._pool.look(self.options, part)
            except Died as error:
                log.error("a view of %d x %d pixels has ended two processes: bad_image", *part.shape[1::-1])
                if broken is None:
                    raise BadImage("image: ended the process that looked at it, twice") from error
                broken.add(len(found) - 1)
                continue
            finally:
                del part
            timings.detect_s += answer["detect_s"]
            timings.embed_s += answer["embed_s"]
            found[-1] = tuple(_face(fields, dx, dy) for fields in answer["faces"])
        return found


def _face(fields: dict[str, Any], dx: int, dy: int) -> Face:
    encoding = fields["encoding"]
    return Face(
        box=Box(*fields["box"]).shifted(dx, dy),
        score=fields["score"],
        focus=fields["focus"],
        reason=None if fields["reason"] is None else Reason(fields["reason"]),
        encoding=None if encoding is None else np.frombuffer(encoding, "<f8"),
    )
