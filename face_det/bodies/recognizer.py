"""Names bodies by templates, with an error rate that is counted visit by visit, or not at all.

The rule is that of faces, `recognition.decide_names`. Its threshold is not: two people own the same coat, so
no tail of strangers' scores can be extrapolated. It is set by counting alone. A stranger's visit counts as
named if any frame of it is. Of n such visits, the threshold lets k pass, with k as large as n allows to say
with 95 % confidence that the share of all strangers' visits is at most the false accept rate (Wilks, 1941).
Below 3 / rate visits, not even k = 0 says that, and nobody is named.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from face_det.bodies.encodings import BodyEncodings
from face_det.classifiers import STRANGER, Targets, TemplateClassifier, normalise_encodings
from face_det.recognition import (
    DecisionRule,
    Model,
    ModelCard,
    Verifier,
    decide_names,
    name_once_per_frame,
)
from face_det.training import ComparisonScores, calibrate_probabilities, impostors_needed
from face_det.types import UNKNOWN, Box, Encodings, Match, Outcome, Reason

CONFIDENCE = 0.95
MIN_VISITS = 2
"""With one visit, a person's clothes of that day are all that is known."""
LIKENESS_MARGIN = math.log(1.5)
"""Whoever is named is nearer than anybody else in the household was ever seen, by this factor of the squared
distance. Of so few people no rate can be shown, as it can of strangers."""
_ANY_DISTANCE = 2.0
"""No two encodings of length 1 are farther apart. At which distance two bodies are equally likely to be one
person's is not known, so that no distance speaks against a name."""

Floats = npt.NDArray[np.float64]


class VisitTemplates(TemplateClassifier):
    """Templates that are the mean of a person's visits, each of which counts once, whatever its frames."""

    def fit(self, X: Encodings, y: Targets) -> VisitTemplates:
        """Make the templates from the means of visits X, shape (n, d), of people y, shape (n,), from 0 on."""
        people = int(y.max()) + 1
        sums = np.zeros((people, X.shape[1]))
        np.add.at(sums, y, normalise_encodings(X))
        self.templates_ = self.means_ = normalise_encodings(sums)
        self.classes_ = np.append(np.arange(people), STRANGER)
        self.enrolled_ = np.arange(people, dtype=np.intp)
        self.n_features_in_ = X.shape[1]
        # Until they are calibrated: even odds at a cosine of .9, as odds are about all bodies.
        self.slope_, self.offset_ = 2.0, -2.0 * float(-np.log(0.2))
        return self


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the error rate rests on.

    `strangers` counts the visits of Unknown, and everybody enrolled once, who is a stranger to the others.
    `needed` is how many it takes for `rate`; `allowed` of them are above the threshold, None if they are too
    few. `left_out` names people with fewer than MIN_VISITS visits.
    """

    rate: float
    strangers: int
    needed: int
    allowed: int | None
    left_out: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class BodyRecognizer:
    """Templates and their calibration. It never changes; `model` is None if there is nobody to name.

    `stranger_scores` are the best scores that strangers reach: first those of each visit of Unknown, of which
    there are `unknown_visits`, then those of everybody enrolled. `floors` are the best scores that the others
    who are enrolled reach with each person's template: a name must be above that by LIKENESS_MARGIN, or two
    who wear the same would be taken for each other.
    """

    model: Model | None
    calibration: Calibration
    stranger_scores: tuple[float, ...] = ()
    unknown_visits: int = 0
    floors: tuple[float, ...] = ()

    @property
    def names_people(self) -> bool:
        """True if the error rate can be stated; otherwise nobody is named."""
        return self.model is not None and self.calibration.allowed is not None

    def match(
        self,
        encodings: Encodings,
        frames: Sequence[Hashable],
        boxes: Sequence[Box] | None = None,
        enrolled: Collection[str] | None = None,
    ) -> list[Match]:
        """Decide who bodies are, shape (n, d) -> n matches; nobody is known if the rate cannot be stated.

        In a frame, a person is named once. Nobody is named who is not in `enrolled`: they were forgotten.
        """
        if not self.names_people:
            return [Match(None, None, Reason.UNRECOGNISED)] * len(encodings)
        matches = self.judge(encodings, frames, boxes)
        return [
            one
            if one.name is None or enrolled is None or one.name in enrolled
            else Match(None, None, Reason.UNRECOGNISED)
            for one in matches
        ]

    def judge(
        self,
        encodings: Encodings,
        frames: Sequence[Hashable] | None = None,
        boxes: Sequence[Box] | None = None,
    ) -> list[Match]:
        """Decide as `match` does, but whether or not the rate can be stated; for an evaluation."""
        model = self.model
        assert model is not None
        assert model.verifier is not None
        scores = model.verifier.template.scores(encodings)
        matches = [
            one
            if one.name is None
            or row[at := model.labels.index(one.name)] >= self.floors[at] + LIKENESS_MARGIN
            else Match(None, one.probability, Reason.UNRECOGNISED, Outcome.UNCERTAIN)
            for one, row in zip(decide_names(model, encodings, DecisionRule()), scores, strict=True)
        ]
        return matches if frames is None else name_once_per_frame(matches, frames, boxes)


def fit_bodies(encodings: BodyEncodings, rate: float) -> BodyRecognizer:
    """Fit and calibrate templates for a false accept rate by visit.

    >>> X = np.eye(4)[[0, 0, 1, 1, 2]]
    >>> found = fit_bodies(
    ...     BodyEncodings(X, ("Ann", "Ann", "Bob", "Bob", "Unknown"), tuple("12121"), "toy"), rate=0.01
    ... )
    >>> found.names_people, found.calibration.strangers, found.calibration.needed
    (False, 3, 300)
    """
    visits = _Visits.of(encodings)
    counts = {name: len(visits.of_person(name)) for name in sorted({*visits.names} - {UNKNOWN})}
    people = tuple(name for name, count in counts.items() if count >= MIN_VISITS)
    left_out = tuple(name for name, count in counts.items() if count < MIN_VISITS)
    strangers = len(visits.of_person(UNKNOWN)) + (len(people) if len(people) > 1 else 0)
    needed = impostors_needed(rate)
    allowed = _count_allowed(strangers, rate) if people and strangers >= needed else None
    calibration = Calibration(rate, strangers, needed, allowed, left_out)
    return fit_people(encodings, people, calibration) if people else BodyRecognizer(None, calibration)


def fit_people(encodings: BodyEncodings, people: tuple[str, ...], calibration: Calibration) -> BodyRecognizer:
    """Fit templates of these people, with a threshold that as many strangers pass as the calibration allows.

    If it allows none to be named, the threshold is above all strangers; whoever asks must say so.
    """
    visits = _Visits.of(encodings)
    scores, best, floors = _score(encodings, visits, people)
    template = _templates(visits, people)
    line = calibrate_probabilities(scores, "") if len(scores.genuine) and len(scores.impostor) else None
    if line is not None:
        template.slope_, template.offset_ = line
    threshold = threshold_above(best, calibration.allowed or 0)
    verifier = Verifier(template, threshold, calibration.rate, len(best), calibration.needed)
    digest = hashlib.sha256(template.templates_.tobytes() + repr((people, threshold)).encode()).hexdigest()
    card = ModelCard("template", "template", {}, people, encodings.fingerprint, None)
    model = Model(template, people, card, digest[:12], verifier=verifier)
    strangers = len(visits.of_person(UNKNOWN))
    return BodyRecognizer(model, calibration, tuple(best.tolist()), strangers, tuple(floors.tolist()))


def threshold_above(best: Floats, allowed: int) -> float:
    """Return the lowest threshold that `allowed` of the strangers' best scores, shape (n,), reach.

    >>> threshold_above(np.array([0.5, 0.25, 1.0]), 1) > 0.5
    True
    """
    if len(best) <= allowed:
        return float("-inf")
    return float(np.nextafter(np.sort(best)[::-1][allowed], np.inf))


def _count_allowed(strangers: int, rate: float) -> int | None:
    """Return how many of the strangers' visits may be named with the rate still shown; None if none may.

    >>> _count_allowed(59, 0.05), _count_allowed(58, 0.05), _count_allowed(93, 0.05)
    (0, None, 1)
    """
    # Only here: whoever has no use for bodies starts without scipy, which takes half a second to import.
    from scipy.special import bdtr  # type: ignore[import-untyped]

    chances = bdtr(np.arange(min(strangers, int(strangers * rate) + 1)), strangers, rate)
    shown = int((chances <= 1 - CONFIDENCE).sum())
    return shown - 1 if shown else None


@dataclass(frozen=True, eq=False)
class _Visits:
    """The visits among encodings: `rows`, shape (n,), says which each encoding is from.

    `means`, shape (visits, d), are their mean encodings; `names` and `visits` say whose and which they are.
    """

    rows: npt.NDArray[np.intp]
    means: Encodings
    names: tuple[str, ...]
    visits: tuple[str, ...]

    @classmethod
    def of(cls, encodings: BodyEncodings) -> _Visits:
        keys = list(zip(encodings.names, encodings.visits, strict=True))
        known = sorted(set(keys))
        number = {key: at for at, key in enumerate(known)}
        rows = np.array([number[key] for key in keys], np.intp)
        sums = np.zeros((len(known), encodings.X.shape[1]))
        np.add.at(sums, rows, encodings.X)
        names, visits = (tuple(key[part] for key in known) for part in (0, 1))
        return cls(rows, normalise_encodings(sums), names, visits)

    def of_person(self, name: str) -> list[int]:
        """Return the numbers of a person's visits."""
        return [at for at, owner in enumerate(self.names) if owner == name]


def _templates(visits: _Visits, people: tuple[str, ...], without: int | None = None) -> VisitTemplates:
    used = [at for at, name in enumerate(visits.names) if name in people and at != without]
    y = np.array([people.index(visits.names[at]) for at in used], np.int64)
    return VisitTemplates(even_distance=_ANY_DISTANCE, gate_distance=1.0).fit(visits.means[used], y)


def _score(
    encodings: BodyEncodings, visits: _Visits, people: tuple[str, ...]
) -> tuple[ComparisonScores, Floats, Floats]:
    """Return genuine and impostor scores, the best of each stranger, shape (strangers,), and the best that
    others who are enrolled reach with each template, shape (people,)."""
    whole = _templates(visits, people)
    none = np.empty((0, len(people)))
    genuine, person, impostor = [none], list[int](), [none]
    for at in visits.of_person(UNKNOWN):
        impostor.append(whole.scores(encodings.X[visits.rows == at]))
    for number, name in enumerate(people):
        mine = visits.of_person(name)
        for at in mine if len(mine) > 1 else ():
            seen = encodings.X[visits.rows == at]
            genuine.append(_templates(visits, people, without=at).scores(seen))
            person += [number] * len(seen)
        if len(people) > 1:
            others = whole.scores(encodings.X[np.isin(visits.rows, mine)])
            others[:, number] = -np.inf
            impostor.append(others)
    weights = [np.full(len(one), 1 / max(len(one), 1)) for one in impostor]
    compared = ComparisonScores(
        np.vstack(genuine), np.array(person, np.intp), np.vstack(impostor), np.concatenate(weights), 1.0
    )
    enrolled = impostor[1 + len(visits.of_person(UNKNOWN)) :]
    floors = (
        np.max([one.max(axis=0) for one in enrolled], axis=0) if enrolled else np.full(len(people), -np.inf)
    )
    return compared, np.array([one.max() for one in impostor[1:]]), floors
