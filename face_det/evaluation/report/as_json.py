"""The evaluation as JSON values, for `face-det evaluate --json`."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

from face_det.embedders import DLIB_RESNET, DLIB_VIEWS, configurable_embedder
from face_det.evaluation.end_to_end import LOST_REASONS, EndToEndCounts
from face_det.evaluation.evaluate import DegradedResult, Evaluation
from face_det.evaluation.metrics import OpenSetCounts, Proportion, ReliabilityDiagram, count_by_threshold
from face_det.evaluation.open_set import EncodedSplit
from face_det.evaluation.protocol import LabelledPhoto
from face_det.types import Reason


def evaluation_as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Return all results except the encodings as JSON values."""
    return {
        **_enrolment(evaluation.encoded),
        "ofEnrolledMoments": evaluation.same_burst,
        "classifier": evaluation.model.card.kind,
        "embedder": configurable_embedder(evaluation.embedder),
        "endToEnd": {
            **_end_to_end(evaluation.end_to_end.counts),
            "mistakes": _mistakes(evaluation.end_to_end.mistakes),
            "byQuality": {
                band: _end_to_end(counts) for band, counts in evaluation.answers_to_all.by_quality()
            },
        },
        "openSet": _counts(evaluation.counts),
        "perPerson": {
            person.name: {
                **_counts(person.counts),
                "takenFor": list(person.taken_for),
                "lent": person.given_to_others,
            }
            for person in evaluation.people
        },
        "calibration": _calibration(evaluation.calibration),
        "calibrationNamed": _calibration(evaluation.calibration_named),
        "verification": {
            _key(embedder, evaluation.verification): {
                "accuracy": one.accuracy,
                "interval": list(one.interval),
                "pairs": one.pairs,
                "folds": one.folds,
            }
            for embedder, one in evaluation.verification.items()
        },
        "sweep": _sweep(evaluation),
        "byRate": {str(rate): _counts(counts) for rate, counts in evaluation.by_rate.items()},
        "byPhotos": {str(count): _counts(counts) for count, counts in evaluation.by_photos.items()},
        "compare": _comparisons(evaluation),
        "degraded": {one.name: _degraded(one) for one in evaluation.degraded},
        "mistakes": _mistakes(evaluation.mistakes),
    }


def _enrolment(encoded: EncodedSplit) -> dict[str, Any]:
    """Return who and what is enrolled, and the photos that are not."""
    return {
        "people": len(encoded.enrolled_per_person),
        "enrolled": sum(encoded.enrolled_per_person.values()),
        "strangersTrained": encoded.strangers_enrolled,
        "leftOut": encoded.count_left_out(),
        "notEnrolled": [str(photo.path) for photo in encoded.left_out],
        "unreadable": [str(photo.path) for photo in encoded.unreadable],
    }


def _degraded(result: DegradedResult) -> dict[str, Any]:
    return {
        "endToEnd": _end_to_end(result.end_to_end.counts),
        "trainedMaskedEndToEnd": _end_to_end(result.trained_masked_end_to_end.counts),
        "openSet": _counts(result.counts),
        "trainedMasked": _counts(result.trained_masked),
    }


def _mistakes(mistakes: Iterable[tuple[LabelledPhoto, str, float]]) -> list[dict[str, Any]]:
    return [
        {"photo": str(photo.path), "is": photo.name, "named": name, "faceProba": probability}
        for photo, name, probability in mistakes
    ]


def _key(embedder: str, measured: Container[str]) -> str:
    """Return the JSON key of an embedder; `dlib_resnet` stands for several views if they were measured."""
    return (
        "dlib_resnet_one_view"
        if embedder == DLIB_RESNET and DLIB_VIEWS in measured
        else configurable_embedder(embedder)
    )


def _comparisons(evaluation: Evaluation) -> dict[str, Any]:
    return {
        configurable_embedder(embedder): {
            "ours": _counts(evaluation.ours_compared[embedder]),
            **{
                one.name: {
                    **_counts(one.shipped),
                    "aheadInF1": evaluation.ours_compared[embedder].f1 - one.shipped.f1,
                    "oursAtItsRate": _counts(one.ours_at_its_rate),
                    "aheadAtItsRate": one.ahead_at_its_rate,
                    "oursAsRight": None if one.ours_as_right is None else _counts(one.ours_as_right),
                    "fewerStrangersAsRight": one.fewer_strangers,
                    "itAtOurRate": _counts(one.its_at_our_rate),
                    "oursAtOurRate": _counts(one.ours_at_our_rate),
                    "aheadAtOurRate": one.ahead_at_our_rate,
                }
                for one in comparisons
            },
        }
        for embedder, comparisons in evaluation.comparisons.items()
    }


def _counts(counts: OpenSetCounts) -> dict[str, Any]:
    return {
        "knownRight": _share(Proportion(counts.right, counts.known)),
        "knownWrong": _share(Proportion(counts.wrong, counts.known)),
        "knownUncertain": _share(Proportion(counts.uncertain, counts.known)),
        "knownUnnamed": _share(Proportion(counts.unnamed, counts.known)),
        "knownNoFace": _share(Proportion(counts.known_no_face, counts.known)),
        "strangersNamed": _share(Proportion(counts.strangers_named, counts.strangers)),
        "strangersUncertain": _share(Proportion(counts.strangers_uncertain, counts.strangers)),
        "strangersUnnamed": _share(Proportion(counts.strangers_unnamed, counts.strangers)),
        "strangersNoFace": _share(Proportion(counts.strangers_no_face, counts.strangers)),
        "f1": counts.f1,
    }


def _end_to_end(counts: EndToEndCounts) -> dict[str, Any]:
    """Return the shares of the answers; those without a name by the reason that callers are told."""
    known, strangers = counts.known, counts.strangers
    reasons = (Reason.UNRECOGNISED, *LOST_REASONS)
    return {
        "knownRight": _share(Proportion(counts.right, known)),
        "knownWrong": _share(Proportion(counts.wrong, known)),
        "knownUnknown": _share(Proportion(counts.unknown, known)),
        "knownUnnamed": {
            reason.value: _share(Proportion(counts.unnamed.get(reason, 0), known)) for reason in reasons
        },
        "strangersNamed": _share(Proportion(counts.strangers_named, strangers)),
        "strangersUnknown": _share(Proportion(counts.strangers_unknown, strangers)),
        "strangersUnnamed": {
            reason.value: _share(Proportion(counts.strangers_unnamed.get(reason, 0), strangers))
            for reason in reasons
        },
    }


def _share(share: Proportion) -> dict[str, Any]:
    return {
        "count": share.count,
        "of": share.total,
        "share": share.value,
        "interval": list(share.interval),
    }


def _calibration(diagram: ReliabilityDiagram) -> dict[str, Any]:
    return {
        "ece": diagram.ece,
        "claimed": diagram.claimed.tolist(),
        "right": diagram.actual.tolist(),
        "answers": diagram.counts.tolist(),
    }


def _sweep(evaluation: Evaluation) -> list[dict[str, Any]]:
    steps, counts = count_by_threshold(
        evaluation.encoded.truth, evaluation.predictions.with_probability_scores()
    )
    return [
        {"faceProba": step, "right": int(row[0]), "wrong": int(row[1]), "strangers": int(row[2])}
        for step, row in zip(steps[1:].tolist(), counts[1:], strict=True)
    ]
