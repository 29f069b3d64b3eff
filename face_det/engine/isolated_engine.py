"""An engine whose networks run in separate processes, so that a crash in native code ends only one of them.

If a process crashes on a view, another one tries it; a view that has crashed two is given up.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from face_det.budget import Budget
from face_det.engine.engine import crop_view, move_face, require_shared_networks
from face_det.engine.engine_process import ViewRequest
from face_det.engine.interface import CRASHED, EngineOptions, EngineResult, FaceEngine, View
from face_det.engine.process_pool import BUILD_ENGINE, ProcessDied, ProcessPool
from face_det.errors import BadImage
from face_det.types import Box, Face, HeadPose, Reason, Rgb

log = logging.getLogger(__name__)

ALIGNMENT_MARGIN = 1.5
"""How far around a face pixels are sent to have it encoded, in widths of its box: alignment needs less."""


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
                answer = self._ask(part, budget, in_person=box is not None)
            except BadImage:
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

    def find(self, rgb: Rgb, regions: Sequence[Box] | None = None, from_px: float = 0.0) -> tuple[Face, ...]:
        """Find faces without encoding them; see FaceEngine. Only the pixels in the regions are sent."""
        found: list[Face] = []
        for region in [None] if regions is None else regions:
            part, (dx, dy) = crop_view(rgb, region)
            if part is not None:
                answer = self._ask(part, find_from_px=from_px)
                found += [_face_from_fields(fields, dx, dy) for fields in answer["faces"]]
        return tuple(sorted(found, key=lambda face: -face.score))

    def encode(self, rgb: Rgb, faces: Sequence[Face]) -> list[Face]:
        """Encode chosen faces; see FaceEngine. Only the pixels around each are sent."""
        return [face if face.reason is not None else self._encode(rgb, face) for face in faces]

    def _encode(self, rgb: Rgb, face: Face) -> Face:
        margin = ALIGNMENT_MARGIN * max(face.box.width, face.box.height, 1.0)
        box = face.box
        around = Box(box.xmin - margin, box.ymin - margin, box.xmax + margin, box.ymax + margin)
        part, (dx, dy) = crop_view(rgb, around)
        if part is None:
            part, (dx, dy) = rgb, (0, 0)
        (fields,) = self._ask(part, faces=(move_face(face, -dx, -dy),))["faces"]
        encoded = _face_from_fields(fields, dx, dy)
        # What it was before, to the last digit.
        return replace(encoded, box=face.box, landmarks=face.landmarks, thumbnail=face.thumbnail)

    def _ask(
        self,
        part: Rgb,
        budget: Budget | None = None,
        *,
        in_person: bool = False,
        find_from_px: float | None = None,
        faces: tuple[Face, ...] | None = None,
    ) -> dict[str, Any]:
        """Have a view processed; BadImage if it crashed one process after another."""
        request = ViewRequest(
            self.options, part.shape, in_person=in_person, find_from_px=find_from_px, faces=faces
        )
        try:
            return self._pool.run(request, part, budget)
        except ProcessDied as error:
            log.error("a view of %d x %d pixels has crashed two processes: bad_image", *part.shape[1::-1])
            raise BadImage(CRASHED) from error


def _face_from_fields(fields: dict[str, Any], dx: int, dy: int) -> Face:
    encoding, points = fields["encoding"], fields["landmarks"]
    found = Face(
        box=Box(*fields["box"]),
        score=fields["score"],
        focus=fields["focus"],
        reason=None if fields["reason"] is None else Reason(fields["reason"]),
        encoding=None if encoding is None else np.frombuffer(encoding, "<f8"),
        norm=fields["norm"],
        quality=fields["quality"],
        landmarks=None if points is None else np.frombuffer(points, "<f4").reshape(-1, 2),
        head_pose=None if fields["head_pose"] is None else HeadPose(*fields["head_pose"]),
        liveness=fields["liveness"],
    )
    return move_face(found, dx, dy)
