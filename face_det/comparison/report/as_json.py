"""The comparison as plain values."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from face_det import __version__
from face_det.comparison.compare import Comparison, DetectorComparison, RecogniserComparison
from face_det.comparison.masks import MaskResult
from face_det.comparison.recognisers import RecogniserResult
from face_det.comparison.scoring import SIZES_PX, DetectorScore
from face_det.evaluation import OpenSetCounts


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
    if comparison.recognisers is not None:
        values["recognisers"] = _recognisers(comparison.recognisers)
    elif comparison.no_dataset is not None:
        values["noDataset"] = comparison.no_dataset
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
        "bySize": [
            {"fromPx": least, "found": share.count, "faces": share.total}
            for least, share in zip(SIZES_PX, score.by_size, strict=False)
        ],
        "ms": None if score.ms is None else round(score.ms, 1),
        "memoryMb": run.peak_mb,
        "memoryWithoutDetectorMb": run.base_mb,
        "failed": dict(run.failed),
    }


def _recognisers(found: RecogniserComparison) -> dict[str, Any]:
    split = found.split
    strangers = sum(photo.name is None for photo in split.tested)
    return {
        "people": len(split.people),
        "enrolled": len(split.enrolled),
        "strangersLearntFrom": len(split.strangers),
        "tested": len(split.tested) - strangers,
        "strangersTested": strangers,
        "leftOut": dict(found.left_out),
        "falseAcceptRate": found.settings.false_accept_rate,
        "results": [_result(result) for result in found.results],
        "masks": [_mask(each) for each in found.masks],
    }


def _result(result: RecogniserResult) -> dict[str, Any]:
    names = {"classifier": result.classifier, "embedder": result.embedder}
    if result.counts is None:
        return names | {"missing": result.missing}
    return {
        **names,
        "openSet": _counts(result.counts),
        "enrolmentS": round(result.enrolment_s, 2),
        "ms": round(result.ms, 1),
        "modelBytes": result.model_bytes,
    }


def _counts(counts: OpenSetCounts | None) -> dict[str, int] | None:
    if counts is None:
        return None
    return {
        "".join(part.title() if at else part for at, part in enumerate(key.split("_"))): value
        for key, value in asdict(counts).items()
    }


def _mask(each: MaskResult) -> dict[str, Any]:
    nearest = {
        name: {"count": share.count, "of": share.total}
        for name, share in zip(("bare", "masked"), each.nearest, strict=True)
    }
    return {
        "embedder": each.embedder,
        "nearestIsThePerson": nearest,
        "bare": _counts(each.bare),
        "masked": _counts(each.masked),
        "masksEnrolledBare": _counts(each.learnt_bare),
        "masksEnrolledMasked": _counts(each.learnt_masked),
    }
