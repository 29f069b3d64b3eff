"""The comparison as plain values."""

from __future__ import annotations

from typing import Any

from face_det import __version__
from face_det.comparison.compare import Comparison, DetectorComparison
from face_det.comparison.scoring import DetectorScore


def comparison_as_json(comparison: Comparison) -> dict[str, Any]:
    """Return everything that was measured, for json.dumps."""
    pictures = comparison.pictures
    values: dict[str, Any] = {
        "version": __version__,
        "folder": str(pictures.folder),
        "pictures": len(pictures.pictures),
        "unreadable": [{"picture": pictures.name(path), "why": why} for path, why in pictures.unreadable],
    }
    if comparison.detectors is not None:
        values["detectors"] = _detectors(comparison.detectors)
    return values


def _detectors(found: DetectorComparison) -> dict[str, Any]:
    truth = found.truth
    return {
        "truth": truth
        and {
            "source": truth.source,
            "annotated": truth.annotated,
            "pictures": len(truth.faces),
            "problems": list(truth.problems),
        },
        "minIou": found.settings.min_iou,
        "minFacePx": found.settings.min_face_px,
        "runs": [_run(score) for score in found.scores],
    }


def _run(score: DetectorScore) -> dict[str, Any]:
    run, recall = score.run, score.recall
    names: dict[str, Any] = {"detector": run.detector, "scale": float(run.scale)}
    if run.missing is not None:
        return {"detector": run.detector, "missing": run.missing}
    return names | {
        "runtime": run.runtime,
        "pictures": score.pictures,
        "boxes": score.boxes,
        "found": None if recall is None else recall.count,
        "faces": None if recall is None else recall.total,
        "falseAlarms": score.alarms,
        "ms": None if score.ms is None else round(score.ms, 1),
        "memoryMb": run.peak_mb,
        "memoryWithoutDetectorMb": run.base_mb,
        "failed": dict(run.failed),
    }
