"""How good are bodies? On visits that were left out, never on other frames of a visit that was learnt."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from face_det.bodies.encodings import BodyEncodings
from face_det.bodies.recognizer import (
    BodyRecognizer,
    Calibration,
    fit_bodies,
    fit_people,
    threshold_above,
)
from face_det.evaluation import Proportion


@dataclass(frozen=True, slots=True)
class BodyEvaluation:
    """What would be answered on visits that were not learnt.

    A visit of somebody enrolled is `right` if a frame is named rightly and none otherwise, and `wrong` if any
    is named otherwise. A stranger's is `strangers_named` if any frame is named. Without a stated rate these
    are what the threshold above all strangers that are known would give; in use, nobody is named then.
    """

    right: Proportion
    wrong: Proportion
    strangers_named: Proportion
    people: dict[str, tuple[int, int, int]]
    """For each person: visits, those right, those wrong."""
    calibration: Calibration
    names_people: bool


def evaluate_bodies(encodings: BodyEncodings, rate: float) -> BodyEvaluation:
    """Leave out one visit after the other, fit with the others, and ask about it."""
    whole = fit_bodies(encodings, rate)
    keys = list(zip(encodings.names, encodings.visits, strict=True))
    people: dict[str, tuple[int, int, int]] = {}
    for name in () if whole.model is None else whole.model.labels:
        visits = sorted({visit for owner, visit in keys if owner == name})
        told = Counter(_judge_visit(encodings, whole, (name, visit)) for visit in visits)
        people[name] = (len(visits), told["right"], told["wrong"])
    total = sum(count for count, _, _ in people.values())
    return BodyEvaluation(
        Proportion(sum(right for _, right, _ in people.values()), total),
        Proportion(sum(wrong for _, _, wrong in people.values()), total),
        _judge_strangers(whole),
        people,
        whole.calibration,
        whole.names_people,
    )


def _judge_visit(encodings: BodyEncodings, whole: BodyRecognizer, left_out: tuple[str, str]) -> str:
    assert whole.model is not None
    keys = zip(encodings.names, encodings.visits, strict=True)
    asked = np.array([key == left_out for key in keys])
    rest = encodings.take(np.flatnonzero(~asked))
    fitted = fit_people(rest, whole.model.labels, whole.calibration)
    named = {match.name for match in fitted.judge(encodings.X[asked])} - {None}
    return "right" if named == {left_out[0]} else "wrong" if named else "none"


def _judge_strangers(whole: BodyRecognizer) -> Proportion:
    """Ask about each stranger's visit with the threshold that the others alone set."""
    best = np.array(whole.stranger_scores)
    allowed = whole.calibration.allowed or 0
    named = sum(
        bool(best[at] >= threshold_above(np.delete(best, at), allowed)) for at in range(whole.unknown_visits)
    )
    return Proportion(named, whole.unknown_visits)
