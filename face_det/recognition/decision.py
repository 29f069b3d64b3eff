"""Turns encodings into names: known, uncertain or unknown."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from face_det.boxes import intersection_over_union
from face_det.classifiers import TemplateScores
from face_det.recognition.measures import Requirement, measure_faces
from face_det.recognition.model import Model
from face_det.recognition.negatives import IGNORED, NO_NEGATIVES, NOT_REFUTED, Comparison, Negatives
from face_det.recognition.verifier import GENUINE_PER_IMPOSTOR, Verifier
from face_det.types import UNKNOWN, Box, Candidate, Encodings, Match, Outcome, Reason, Veto

AUTO_DECISION, PROBABILITY_DECISION = "auto", "proba"
DECISION_MODES = (AUTO_DECISION, PROBABILITY_DECISION)

MAX_CANDIDATES = 3
MIN_CANDIDATE_PROBABILITY = 0.01
"""A face gets at most this many candidates, each at least this likely."""

SAME_FACE_IOU = 0.5
"""Two boxes in one frame with this intersection over union are one face, seen twice because the boxes of
two people overlap."""

Vetoes = dict[int, Veto]
"""Who was ruled out for a face, by its row."""

ORIGINAL_MIN_PROBA = 0.9
"""The original's minProba, for models that have nothing else to go by."""

MIN_STRANGER_PROBABILITY = 0.7
"""A face is said to be nobody's who is enrolled only if that is at least this likely. Of faces of people
enrolled, small, blurred, dark or masked (1,380 degraded photos of LFW, of which a third could not be
recognised), 1.1 % are then called Unknown; at 0.9 it would be 0.1 %, but 24 instead of 40 % of strangers seen
as poorly."""


@dataclass(frozen=True, slots=True)
class DecisionRule:
    """How to decide.

    The mode `auto` is the rule of decide_names where the model has a verifier. `proba` is the original's
    rule, the likeliest class if its probability is `min_proba` or more; it serves all other models.

    With a `min_proba` of 0, the false accept rate alone decides and, where there is none, the original's
    limit of 0.9.
    """

    min_proba: float = 0.0
    mode: str = AUTO_DECISION


def decide_names(
    model: Model | None,
    encodings: Encodings,
    rule: DecisionRule,
    frames: Sequence[Hashable] | None = None,
    boxes: Sequence[Box] | None = None,
    qualities: Sequence[float | None] | None = None,
    negatives: Negatives = NO_NEGATIVES,
    looks: Sequence[int] | None = None,
) -> list[Match]:
    """Decide who each encoding shows, shape (n, d) -> n matches. Without a model, nobody is known.

    A person is known if all of these hold: the score is one that strangers reach only at the wanted false
    accept rate; the calibrated probability is at least `min_proba`; it is MIN_RATIO_TO_NEXT
    times that of the next person; and the distance to the mean of their photos is one at which two photos
    would show one person. The templates decide whatever kind of classifier the model has: they know more
    people, and an svm that has to agree only takes names away (docs/adr/0018-templates-decide.md).

    A face that is not known is unknown if it is likely enough that nobody enrolled looks like it, and
    uncertain otherwise. `qualities` are probabilities that somebody enrolled would have been recognised
    (Face.quality): the worse a face is seen, the less it says that it resembles nobody.

    `frames` says which frame each face was seen in. A person appears once in a frame: the likeliest face is
    named and the others become uncertain, unless by their `boxes` they are the same face.

    A person whom `negatives` say that a face is not is left out of the decision about it, under every rule.
    Whoever is next is named if the conditions hold for them.

    `looks` says of each encoding how many of the same person are asked about, of which any may name them; the
    false accept rate is then that of all of them together.

    >>> [match.outcome.value for match in decide_names(None, np.zeros((1, 128)), DecisionRule())]
    ['uncertain']
    """
    if model is None:
        return [Match(None, None, Reason.UNRECOGNISED, Outcome.UNCERTAIN)] * len(encodings)
    if model.verifier is None or rule.mode == PROBABILITY_DECISION:
        limit = rule.min_proba or ORIGINAL_MIN_PROBA
        proba, vetoes = _refute_by_probability(model, encodings, negatives.compare(model))
        decided = [_decide_by_probability(model, row, limit) for row in proba]
        return _with_vetoes(decided, vetoes)
    missed = np.zeros(len(encodings))
    if qualities is not None:
        missed = np.array([0.0 if quality is None else 1.0 - quality for quality in qualities])
    template = model.verifier.template
    scores = template.scores(encodings)
    scores, vetoes = _refute_by_scores(model, model.verifier, encodings, scores, negatives.compare(model))
    matches = _with_vetoes(
        _decide_by_verifier(model, model.verifier, encodings, scores, rule.min_proba, missed, looks), vetoes
    )
    return matches if frames is None else name_once_per_frame(matches, frames, boxes)


def list_requirements(
    model: Model, encodings: Encodings, rule: DecisionRule, negatives: Negatives = NO_NEGATIVES
) -> tuple[str, list[Requirement]] | None:
    """Return who would be named for one encoding, shape (1, d), and what `decide_names` requires for that.

    None if nobody could be, because everybody is ruled out by `negatives`.
    """
    if model.verifier is None or rule.mode == PROBABILITY_DECISION:
        proba, _ = _refute_by_probability(model, encodings, negatives.compare(model))
        likeliest = int(proba[0].argmax())
        reached = min(1.0, float(proba[0, likeliest]))
        return model.labels[likeliest], [Requirement("proba", reached, rule.min_proba or ORIGINAL_MIN_PROBA)]
    scores = model.verifier.template.scores(encodings)
    scores, _ = _refute_by_scores(model, model.verifier, encodings, scores, negatives.compare(model))
    if not np.isfinite(scores).any():
        return None
    people = model.verifier.template.proba_of_scores(scores)[:, :-1]
    measures = measure_faces(model.verifier, encodings, scores, people)
    return model.labels[int(measures.person[0])], measures.requirements(model.verifier, rule.min_proba)


def _decide_by_probability(model: Model, row: npt.NDArray[np.float64], min_proba: float) -> Match:
    likeliest = int(row.argmax())
    name, probability = model.labels[likeliest], min(1.0, float(row[likeliest]))
    if probability < min_proba:
        candidates = _likeliest_candidates(model.labels, row)
        return Match(None, probability, Reason.UNRECOGNISED, Outcome.UNCERTAIN, candidates)
    return Match(name, probability, None, Outcome.UNKNOWN if name == UNKNOWN else Outcome.KNOWN)


def _decide_by_verifier(
    model: Model,
    verifier: Verifier,
    encodings: Encodings,
    scores: TemplateScores,
    min_proba: float,
    missed: npt.NDArray[np.float64],
    looks: Sequence[int] | None,
) -> list[Match]:
    """Return the rule of `decide_names`, for each face on its own.

    `scores` (n, people) are the template's; those of people who are out of the question are -inf.
    `missed` (n,) is how likely each face, seen as it is, would be missed if it were somebody's.
    """
    proba = verifier.template.proba_of_scores(scores)
    people, stranger = proba[:, :-1], proba[:, -1]
    measures = measure_faces(verifier, encodings, scores, people)
    person, passed = measures.person, measures.passed(verifier, min_proba, looks)
    rows = np.arange(len(person))
    # For each stranger there are GENUINE_PER_IMPOSTOR faces of the household, of which these are missed. This
    # decides whether a face is called Unknown; what is answered is the probability by the scores, which is
    # the calibrated one.
    surely_stranger = 1 / (1 / np.maximum(stranger, 1e-12) + GENUINE_PER_IMPOSTOR * missed)
    needed = min_proba or MIN_STRANGER_PROBABILITY
    unknown = ~passed & (surely_stranger >= needed) & (stranger > people.max(axis=1))
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


def _refute_by_scores(
    model: Model,
    verifier: Verifier,
    encodings: Encodings,
    scores: TemplateScores,
    comparison: Comparison | None,
) -> tuple[TemplateScores, Vetoes]:
    """Return the scores, with -inf for everybody whom a negative rules out, and what was ruled out.

    Only those are asked about who could be named or be a candidate; when one is ruled out, others may become
    likelier, and are asked about in turn.
    """
    if comparison is None:
        return scores, {}
    template = verifier.template
    first = people = template.proba_of_scores(scores)[:, :-1]
    refuted = np.zeros(scores.shape, np.int8)
    asked = np.zeros(scores.shape, np.bool_)
    while True:
        open_ = ~asked & ((people >= MIN_CANDIDATE_PROBABILITY) | (scores >= verifier.threshold))
        if not open_.any():
            break
        asked |= open_
        _refute(refuted, open_, encodings, comparison)
        scores = np.where(refuted != NOT_REFUTED, -np.inf, scores)
        people = template.proba_of_scores(scores)[:, :-1]
    return scores, _vetoes(model, refuted, first)


def _refute_by_probability(
    model: Model, encodings: Encodings, comparison: Comparison | None
) -> tuple[npt.NDArray[np.float64], Vetoes]:
    """Return the probabilities, with 0 for everybody whom a negative rules out, and what was ruled out.

    What is taken from one person goes to nobody else: these probabilities are of the people enrolled alone,
    and that it is not Anna makes it no likelier that it is Bob.
    """
    proba = model.proba(encodings)
    if comparison is None:
        return proba, {}
    asked = proba >= MIN_CANDIDATE_PROBABILITY
    if UNKNOWN in model.labels:
        asked[:, model.labels.index(UNKNOWN)] = False
    refuted = np.zeros(proba.shape, np.int8)
    _refute(refuted, asked, encodings, comparison)
    return np.where(refuted != NOT_REFUTED, 0.0, proba), _vetoes(model, refuted, proba)


def _refute(
    refuted: npt.NDArray[np.int8],
    asked: npt.NDArray[np.bool_],
    encodings: Encodings,
    comparison: Comparison,
) -> None:
    """Fill in what the negatives say about the faces and people asked about; all of shape (n, people)."""
    for person in np.flatnonzero(asked.any(axis=0)):
        rows = np.flatnonzero(asked[:, person])
        refuted[rows, person] = comparison.refute(encodings[rows], int(person))


def _vetoes(model: Model, refuted: npt.NDArray[np.int8], people: npt.NDArray[np.float64]) -> Vetoes:
    """Return a veto for each face whose likeliest person was ruled out."""
    likeliest = people.argmax(axis=1)
    kinds = refuted[np.arange(len(refuted)), likeliest]
    return {
        int(row): Veto(model.labels[likeliest[row]], ignored=bool(kinds[row] == IGNORED))
        for row in np.flatnonzero(kinds != NOT_REFUTED)
    }


def _with_vetoes(matches: list[Match], vetoes: Vetoes) -> list[Match]:
    for row, veto in vetoes.items():
        matches[row] = replace(matches[row], veto=veto)
    return matches


def _unknown_match(model: Model, stranger: float, people: npt.NDArray[np.float64]) -> Match:
    """`Unknown` if the model knows that name; otherwise no name."""
    if UNKNOWN in model.labels:
        return Match(UNKNOWN, min(1.0, stranger), None, Outcome.UNKNOWN)
    return Match(None, float(people.max()), Reason.UNRECOGNISED, Outcome.UNKNOWN)


def _uncertain_match(labels: Sequence[str], people: npt.NDArray[np.float64]) -> Match:
    candidates = _likeliest_candidates(labels, people)
    return Match(None, min(1.0, float(people.max())), Reason.UNRECOGNISED, Outcome.UNCERTAIN, candidates)


def _likeliest_candidates(labels: Sequence[str], row: npt.NDArray[np.float64]) -> tuple[Candidate, ...]:
    """Return the likeliest people, never Unknown."""
    order = np.argsort(-row, kind="stable")[: MAX_CANDIDATES + 1]
    found = [
        Candidate(labels[i], min(1.0, float(row[i]))) for i in order if row[i] >= MIN_CANDIDATE_PROBABILITY
    ]
    return tuple(one for one in found if one.name != UNKNOWN)[:MAX_CANDIDATES]


def name_once_per_frame(
    matches: Sequence[Match], frames: Sequence[Hashable], boxes: Sequence[Box] | None = None
) -> list[Match]:
    """Leave each person named once in a frame: the likeliest face keeps the name, the others are uncertain.

    `frames` says which frame each face was seen in. By their `boxes`, two faces may be one, seen twice.

    >>> likely, likelier = (Match("Anna", proba, None, Outcome.KNOWN) for proba in (0.8, 0.9))
    >>> [match.name for match in name_once_per_frame([likely, likelier, likely], [1, 1, 2])]
    [None, 'Anna', 'Anna']
    """
    matches = list(matches)
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
