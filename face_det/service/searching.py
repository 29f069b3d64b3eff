"""An engine that searches only for faces from some size on."""

from __future__ import annotations

from dataclasses import replace

from face_det.engine import FaceEngine


def searching_from(engine: FaceEngine, from_px: float) -> tuple[FaceEngine, bool]:
    """Return the engine that searches for faces from so many pixels on, and whether it may miss some."""
    if from_px <= engine.options.min_face_px:
        return engine, False
    return engine.with_options(replace(engine.options, search_from_px=float(from_px))), True
