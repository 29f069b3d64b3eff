"""From encodings to names: known, uncertain or unknown."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from face_det.boxes import intersection_over_union
from face_det.recognition.model import Model
from face_det.recognition.verifier import Verifier
from face_det.types import UNKNOWN, Box, Candidate, Encodings, Match, Outcome, Reason

AUTO_DECISION, PROBABILITY_DECISION = "auto", "proba"
DECISION_MODES = (AUTO_DECISION, PROBABILITY_DECISION)

MIN_RATIO_TO_NEXT = 2.0
"""Somebody is named if they are so many times as likely as the next: of twins, neither is."""

MAX_CANDIDATES = 3
MIN_CANDIDATE_PROBABILITY = 0.01
"""Candidates to a face: at most so many, at least so likely."""

SAME_FACE_IOU = 0.5
"""Two boxes in one frame with that much in common (intersection over union) are one face, seen twice
because two persons' boxes overlap."""


@dataclass(frozen=True, slots=True)
class DecisionRule:
    """How to decide. `auto` is the rule below where the model carries what it needs; `proba` is the
    original's, the likeliest class from `min_proba` on, and serves all other models."""

    min_proba: float = 0.9
    mode: str = AUTO_DECISION


def decide_names(
    model: Model | None,
    encodings: Encodings,
    rule: DecisionRule,
    frames: Sequence[Hashable] | None = None,
    boxes: Sequence[Box] | None = None,
) -> list[Match]:
    """One answer for each encoding, shape (n, d). Without a model nobody is known.

    Known is who passes all of: the score that strangers reach at the wanted false accept rate only;
    a calibrated probability of `min_proba`; MARGIN over the next person; and a distance to the mean
    of their photos at which two photos would be of one person. A classifier that is no template has
    a say too: somebody else, or nobody, is not named over its head.

    Of the faces with the same entry in `frames`, a person is one: the likeliest is named, the others
    are uncertain, but for those that are the same face by their `boxes`.
    """
    if model is None:
        return [Match(None, None, Reason.UNRECOGNISED, Outcome.UNCERTAIN)] * len(encodings)
    if model.verifier is None or rule.mode == PROBABILITY_DECISION:
        return [_decide_by_probability(model, row, rule.min_proba) for row in model.proba(encodings)]
    matches = _decide_by_verifier(model, model.verifier, encodings, rule.min_proba)
    return matches if frames is None else _name_once_per_frame(matches, frames, boxes)


def _decide_by_probability(model: Model, row: npt.NDArray[np.float64], min_proba: float) -> Match:
    likeliest = int(row.argmax())
    name, probability = model.labels[likeliest], min(1.0, float(row[likeliest]))
    if probability < min_proba:
        candidates = _likeliest_candidates(model.labels, row)
        return Match(None, probability, Reason.UNRECOGNISED, Outcome.UNCERTAIN, candidates)
    return Match(name, probability, None, Outcome.UNKNOWN if name == UNKNOWN else Outcome.KNOWN)


def _decide_by_verifier(
    model: Model, verifier: Verifier, encodings: Encodings, min_proba: float
) -> list[Match]:
    """The rule of `decide`, face by face."""
    template = verifier.template
    scores = template.scores(encodings)
    proba = template.likely(scores)
    people, stranger = proba[:, :-1], proba[:, -1]
    asked = people.argmax(axis=1)
    if model.classifier is not template:
        asked = model.proba(encodings).argmax(axis=1)
    rows, person = np.arange(len(asked)), np.minimum(asked, people.shape[1] - 1)
    others = people.copy()
    others[rows, person] = 0.0
    passed = (
        (asked < people.shape[1])
        & (scores[rows, person] >= verifier.threshold)
        & (people[rows, person] >= min_proba)
        & (people[rows, person] >= MIN_RATIO_TO_NEXT * others.max(axis=1))
        & (template.distances(encodings, person) <= template.even_distance)
    )
    unknown = ~passed & (stranger >= min_proba) & (stranger > people.max(axis=1))
    matches = []
    for row in rows:
        if passed[row]:
            likely = min(1.0, float(people[row, person[row]]))
            matches.append(Match(model.labels[person[row]], likely, None, Outcome.KNOWN))
        elif unknown[row]:
            matches.append(_unknown_match(model, float(stranger[row]), people[row]))
        else:
            matches.append(_uncertain_match(model.labels, people[row]))
    return matches


def _unknown_match(model: Model, stranger: float, people: npt.NDArray[np.float64]) -> Match:
    """`Unknown` where the model knows that name; otherwise no name."""
    if UNKNOWN in model.labels:
        return Match(UNKNOWN, min(1.0, stranger), None, Outcome.UNKNOWN)
    return Match(None, float(people.max()), Reason.UNRECOGNISED, Outcome.UNKNOWN)


def _uncertain_match(labels: Sequence[str], people: npt.NDArray[np.float64]) -> Match:
    candidates = _likeliest_candidates(labels, people)
    return Match(None, min(1.0, float(people.max())), Reason.UNRECOGNISED, Outcome.UNCERTAIN, candidates)


def _likeliest_candidates(labels: Sequence[str], row: npt.NDArray[np.float64]) -> tuple[Candidate, ...]:
    """The likeliest people, never Unknown."""
    order = np.argsort(-row, kind="stable")[: MAX_CANDIDATES + 1]
    found = [
        Candidate(labels[i], min(1.0, float(row[i]))) for i in order if row[i] >= MIN_CANDIDATE_PROBABILITY
    ]
    return tuple(one for one in found if one.name != UNKNOWN)[:MAX_CANDIDATES]


def _name_once_per_frame(
    matches: list[Match], frames: Sequence[Hashable], boxes: Sequence[Box] | None
) -> list[Match]:
    """Each person once a frame."""
    named: dict[tuple[Hashable, str], list[int]] = {}
    for index, match in enumerate(matches):
        if match.outcome is Outcome.KNOWN and match.name is not None:
            named.setdefault((frames[index], match.name), []).append(index)
    for (_, name), rivals in named.items():
        best = max(rivals, key=lambda index: matches[index].probability or 0.0)
        for index in rivals:
            if index == best or (
                boxes is not None and intersection_over_union(boxes[index], boxes[best]) >= SAME_FACE_IOU
            ):
                continue
            probability = matches[index].probability or 0.0
            matches[index] = replace(
                matches[index],
                name=None,
                reason=Reason.UNRECOGNISED,
                outcome=Outcome.UNCERTAIN,
                candidates=(Candidate(name, probability),),
            )
    return matches
