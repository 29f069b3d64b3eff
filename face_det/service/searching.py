"""The engine that a call asks for by its options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from face_det.engine import FaceEngine


def searching_from(engine: FaceEngine, given: Mapping[str, Any]) -> tuple[FaceEngine, bool]:
    """Return the engine for a call's options `searchFromPx` and `headPose`, and whether it may miss faces."""
    from_px, head_pose = given.get("searchFromPx") or 0, given.get("headPose", engine.options.head_pose)
    if head_pose != engine.options.head_pose:
        engine = engine.with_options(replace(engine.options, head_pose=head_pose))
    if from_px <= engine.options.min_face_px:
        return engine, False
    return engine.with_options(replace(engine.options, search_from_px=float(from_px))), True
