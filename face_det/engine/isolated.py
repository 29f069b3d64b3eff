"""An engine whose work is done by processes, so that a crash in native code ends none but one of them.

If a process dies over a view, another has a try; the view that has made two crash is given up.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from face_det.engine.budget import Budget
from face_det.engine.engine import Engine, EngineOptions, Timings, View, crop_view
from face_det.engine.process_pool import BUILD_ENGINE, ProcessDied, ProcessPool
from face_det.errors import BadImage
from face_det.types import Box, Face, Reason

log = logging.getLogger(__name__)


def build_isolated_engine(
    options: EngineOptions, size: int, memory_mb: int, made_by: str = BUILD_ENGINE
) -> Engine:
    """An engine in `size` processes, which are replaced beyond `memory_mb` (0: never); raises as
    engine.build does. `made_by` builds it there."""
    return IsolatedEngine(ProcessPool(options, size, memory_mb, made_by), options)


class IsolatedEngine(Engine):
    """An engine whose networks are in the processes of a pool; raises as `build` does."""

    def __init__(
        self, pool: ProcessPool, options: EngineOptions, networks: dict[str, Any] | None = None
    ) -> None:
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
            part, (dx, dy) = crop_view(rgb, box)
            found.append(())
            del rgb
            if part is None:
                continue
            try:
                answer = self._pool.look(self.options, part)
            except ProcessDied as error:
                log.error("a view of %d x %d pixels has ended two processes: bad_image", *part.shape[1::-1])
                if broken is None:
                    raise BadImage("image: ended the process that looked at it, twice") from error
                broken.add(len(found) - 1)
                continue
            finally:
                del part
            timings.detect_s += answer["detect_s"]
            timings.embed_s += answer["embed_s"]
            found[-1] = tuple(_face_from_fields(fields, dx, dy) for fields in answer["faces"])
        return found


def _face_from_fields(fields: dict[str, Any], dx: int, dy: int) -> Face:
    encoding = fields["encoding"]
    return Face(
        box=Box(*fields["box"]).shifted(dx, dy),
        score=fields["score"],
        focus=fields["focus"],
        reason=None if fields["reason"] is None else Reason(fields["reason"]),
        encoding=None if encoding is None else np.frombuffer(encoding, "<f8"),
    )
