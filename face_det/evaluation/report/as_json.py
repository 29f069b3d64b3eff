"""The assessment as plain values, for --json."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from face_det.embedders import DLIB_RESNET, DLIB_VIEWS, configurable_embedder
from face_det.evaluation.evaluate import Evaluation
from face_det.evaluation.metrics import OpenSetCounts, Proportion, ReliabilityDiagram, count_by_threshold


def evaluation_as_json(found: Evaluation) -> dict[str, Any]:
    """Everything but the encodings."""
    return {
        "people": len(found.split.people),
        "enrolled": len(found.split.enrolled),
        "strangersTrained": len(found.split.strangers),
        "notEnrolled": [str(photo.path) for photo in found.trial.left_out],
        "unreadable": [str(photo.path) for photo in found.trial.unreadable],
        "ofEnrolledMoments": found.same_moments,
        "classifier": found.model.card.kind,
        "embedder": configurable_embedder(found.embedder),
        "openSet": _table(found.table),
        "perPerson": {
            person.name: {**_table(person.table), "takenFor": list(person.taken_for), "lent": person.lent}
            for person in found.people
        },
        "calibration": _calibration(found.calibration),
        "calibrationNamed": _calibration(found.calibration_named),
        "verification": {
            _key(embedder, found.verification): {
                "accuracy": one.accuracy,
                "interval": list(one.interval),
                "pairs": one.pairs,
                "folds": one.folds,
            }
            for embedder, one in found.verification.items()
        },
        "sweep": _sweep(found),
        "byRate": {str(rate): _table(table) for rate, table in found.by_rate.items()},
        "byPhotos": {str(count): _table(table) for count, table in found.by_photos.items()},
        "compare": _comparisons(found),
        "degraded": {
            line.name: {"openSet": _table(line.table), "trainedMasked": _table(line.trained_masked)}
            for line in found.degraded
        },
        "mistakes": [
            {"photo": str(photo.path), "is": photo.name, "named": name, "faceProba": probability}
            for photo, name, probability in found.mistakes
        ],
    }


def _key(embedder: str, measured: Container[str]) -> str:
    """dlib_resnet is what decides where that is asked for."""
    return (
        "dlib_resnet_one_view"
        if embedder == DLIB_RESNET and DLIB_VIEWS in measured
        else configurable_embedder(embedder)
    )


def _comparisons(found: Evaluation) -> dict[str, Any]:
    return {
        configurable_embedder(embedder): {
            "ours": _table(found.rivals_ours[embedder]),
            **{
                line.name: {
                    **_table(line.table),
                    "aheadInF1": found.rivals_ours[embedder].f1 - line.table.f1,
                    "oursAtItsRate": _table(line.ours_there),
                    "aheadAtItsRate": line.ahead_there,
                    "oursAsRight": None if line.ours_as_right is None else _table(line.ours_as_right),
                    "fewerStrangersAsRight": line.fewer_strangers,
                    "itAtOurRate": _table(line.theirs_here),
                    "oursAtOurRate": _table(line.ours_here),
                    "aheadAtOurRate": line.ahead_here,
                }
                for line in lines
            },
        }
        for embedder, lines in found.lines.items()
    }


def _table(table: OpenSetCounts) -> dict[str, Any]:
    return {
        "knownRight": _share(Proportion(table.right, table.known)),
        "knownWrong": _share(Proportion(table.wrong, table.known)),
        "knownUncertain": _share(Proportion(table.uncertain, table.known)),
        "knownUnnamed": _share(Proportion(table.unnamed, table.known)),
        "knownNoFace": _share(Proportion(table.known_no_face, table.known)),
        "strangersNamed": _share(Proportion(table.strangers_named, table.strangers)),
        "strangersUncertain": _share(Proportion(table.strangers_uncertain, table.strangers)),
        "strangersUnnamed": _share(Proportion(table.strangers_unnamed, table.strangers)),
        "strangersNoFace": _share(Proportion(table.strangers_no_face, table.strangers)),
        "f1": table.f1,
    }


def _share(share: Proportion) -> dict[str, Any]:
    return {
        "count": share.count,
        "of": share.total,
        "share": share.value,
        "interval": list(share.interval),
    }


def _calibration(found: ReliabilityDiagram) -> dict[str, Any]:
    return {
        "ece": found.ece,
        "claimed": found.claimed.tolist(),
        "right": found.actual.tolist(),
        "answers": found.counts.tolist(),
    }


def _sweep(found: Evaluation) -> list[dict[str, Any]]:
    steps, counts = count_by_threshold(found.trial.truth, found.answers.by_probability())
    return [
        {"faceProba": step, "right": int(row[0]), "wrong": int(row[1]), "strangers": int(row[2])}
        for step, row in zip(steps[1:].tolist(), counts[1:], strict=True)
    ]
