"""An engine whose networks run in separate processes, so that a crash in native code ends only one of them.

If a process crashes on a view, another one tries it; a view that has crashed two is given up.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from face_det.budget import Budget
from face_det.engine.engine import (
    EngineOptions,
    EngineResult,
    FaceEngine,
    View,
    crop_view,
    require_shared_networks,
)
from face_det.engine.process_pool import BUILD_ENGINE, ProcessDied, ProcessPool
from face_det.types import Box, Face, Reason

log = logging.getLogger(__name__)


def build_isolated_engine(
    options: EngineOptions, size: int, memory_mb: int, made_by: str = BUILD_ENGINE
) -> IsolatedEngine:
    """Build an engine in `size` processes, each replaced once it uses more than `memory_mb` MB (0: never).

    `made_by` names the function, `module:function`, that builds the engine there. Raises as
    `build_engine` does.
    """
    return IsolatedEngine(ProcessPool(options, size, memory_mb, made_by), options)


class IsolatedEngine:
    """A FaceEngine whose networks run in the processes of a pool; raises as `build_isolated_engine` does."""

    def __init__(
        self, pool: ProcessPool, options: EngineOptions, networks: dict[str, Any] | None = None
    ) -> None:
        self._pool = pool
        self.options = options
        self._networks = pool.load_networks(options) if networks is None else networks

    def with_options(self, options: EngineOptions) -> IsolatedEngine:
        """Return an engine with other limits, in the same processes; see FaceEngine."""
        require_shared_networks(options, self.options)
        return IsolatedEngine(self._pool, options, self._networks)

    def with_embedder(self, name: str) -> FaceEngine:
        """Return an engine with another embedder, in the same processes."""
        return IsolatedEngine(self._pool, replace(self.options, embedder=name))

    def isolation(self) -> dict[str, Any] | None:
        """Report the processes, and how many crashed or were replaced."""
        return self._pool.status()

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the encodings; see FaceEngine."""
        return str(self._networks["fingerprint"])

    @property
    def runtime(self) -> str:
        """The runtimes of the networks; see FaceEngine."""
        return str(self._networks["runtime"])

    def faces(self, views: Iterable[View], *, budget: Budget | None = None) -> list[tuple[Face, ...]]:
        """Return only the faces that `run` finds; BadImage if a view was given up."""
        result = self.run(views, budget)
        result.raise_if_crashed()
        return result.faces

    def run(self, views: Iterable[View], budget: Budget | None = None) -> EngineResult:
        """Find and encode the faces of each view; see FaceEngine. Each view is processed separately."""
        found: list[tuple[Face, ...]] = []
        crashed: set[int] = set()
        late: set[int] = set()
        detect_s = embed_s = 0.0
        for rgb, box in views:
            part, (dx, dy) = crop_view(rgb, box)
            found.append(())
            del rgb
            if part is None:
                continue
            try:
                answer = self._pool.run(self.options, part, budget, in_person=box is not None)
            except ProcessDied:
                log.error("a view of %d x %d pixels has crashed two processes: bad_image", *part.shape[1::-1])
                crashed.add(len(found) - 1)
                continue
            finally:
                del part
            if answer["late"]:
                late.add(len(found) - 1)
            detect_s += answer["detect_s"]
            embed_s += answer["embed_s"]
            found[-1] = tuple(_face_from_fields(fields, dx, dy) for fields in answer["faces"])
        return EngineResult(found, detect_s, embed_s, frozenset(crashed), frozenset(late))


def _face_from_fields(fields: dict[str, Any], dx: int, dy: int) -> Face:
    encoding = fields["encoding"]
    return Face(
        box=Box(*fields["box"]).shifted(dx, dy),
        score=fields["score"],
        focus=fields["focus"],
        reason=None if fields["reason"] is None else Reason(fields["reason"]),
        encoding=None if encoding is None else np.frombuffer(encoding, "<f8"),
        norm=fields["norm"],
        quality=fields["quality"],
    )
