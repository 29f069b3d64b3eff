"""Whose photo is it really? Photos that do not belong, strangers that are none, people who look alike.

A photo in a person's folder may be of that person, of another who is enrolled, or of somebody else;
Bayes' rule turns the odds of check_likeness into the probability of each. What is found out to be
misplaced no longer counts when the others are judged, the clearest case first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from face_det.embedders import ExpectedDistances
from face_det.gallery.check.likeness import (
    FEW_DISTANCES,
    Floats,
    LikelihoodModel,
    fit_likelihood,
    median_distances,
    pairwise_distances,
)
from face_det.types import UNKNOWN, Encodings

MISPLACED_PRIOR = 0.02
"""Taken for so probable of any photo before it is looked at; half of it for "somebody else enrolled"."""
ENROLLED_STRANGER_PRIOR = 0.02
"""The same, of a photo among the strangers being of somebody enrolled."""
SAME_PERSON_PRIOR = 0.001
"""The same, of two names being one person's."""
REPORTED_FROM = 0.5
"""From this probability on something is reported."""
NAMED_FROM = 0.9
"""From this probability on a name is told."""
LOOK_ALIKE_SHARE = 0.10
"""Two people look alike if this share of their photos' distances is below the even one."""


@dataclass(frozen=True, slots=True)
class MisplacedPhoto:
    """A photo that does not belong: how probable that is, who it is more likely, how probably that."""

    index: int
    probability: float
    likely: str | None
    likely_probability: float


@dataclass(frozen=True, slots=True)
class MixedPerson:
    """A person whose photos do not agree, and nobody can say which are right; two of them as an example."""

    name: str
    indices: tuple[int, ...]
    probability: float


@dataclass(frozen=True, slots=True)
class LookAlikePair:
    """Two people: the share of their photos' distances that are below the even one, how probably they
    are one person, and the two photos that are nearest."""

    names: tuple[str, str]
    share: float
    one_person: float
    nearest: tuple[int, int]


class PersonDistances:
    """The photos of everybody enrolled, and which of them still count."""

    def __init__(self, encodings: Encodings, names: Sequence[str], expected: ExpectedDistances) -> None:
        self.encodings = np.asarray(encodings, dtype=np.float64)
        self.names = np.array(names, dtype=object)
        self.people = sorted(set(names) - {UNKNOWN})
        self.number = np.array([self.people.index(name) if name != UNKNOWN else -1 for name in names], int)
        self.counts_still = self.number >= 0
        self.away = np.full((len(self.names), len(self.people)), np.nan)
        self.log_ratios = np.zeros_like(self.away)
        """Of each photo and person: the log of the odds that it is that person."""
        for person in range(len(self.people)):
            self.away[:, person] = median_distances(self.encodings, self.members(person))
        self.likeness = self._fitted(expected)
        for person in range(len(self.people)):
            self._weigh(person)

    def members(self, person: int) -> npt.NDArray[np.intp]:
        """Indices of the photos of a person that count."""
        return np.flatnonzero((self.number == person) & self.counts_still)

    def leave(self, index: int) -> None:
        """Count a photo no longer."""
        self.counts_still[index] = False
        self._measure(int(self.number[index]))

    def come_back(self, index: int) -> None:
        """Count a photo again."""
        self.counts_still[index] = True
        self._measure(int(self.number[index]))

    def _measure(self, person: int) -> None:
        self.away[:, person] = median_distances(self.encodings, self.members(person))
        self._weigh(person)

    def _weigh(self, person: int) -> None:
        members = self.members(person)
        counts = np.full(len(self.names), len(members))
        counts[members] -= 1
        self.log_ratios[:, person] = self.likeness.log_ratio(self.away[:, person], counts)

    def _fitted(self, expected: ExpectedDistances) -> LikelihoodModel:
        enrolled = np.flatnonzero(self.number >= 0)
        own = self.away[enrolled, self.number[enrolled]]
        sizes = np.bincount(self.number[enrolled], minlength=len(self.people))
        settled = sizes[self.number[enrolled]] > FEW_DISTANCES
        others = self.away[enrolled].copy()
        others[np.arange(len(enrolled)), self.number[enrolled]] = np.nan
        return fit_likelihood(own[settled], others.ravel(), expected)


def find_misplaced(crowd: PersonDistances) -> tuple[list[MisplacedPhoto], list[MixedPerson]]:
    """Photos that are not their person's; a person with fewer than three photos is not judged by them.

    Photos that no name is found for only count as misplaced while more of the person's photos agree.
    """
    flagged: list[int] = []
    while True:
        odds = _misplaced_log_odds(crowd)
        odds[~crowd.counts_still] = -np.inf
        worst = int(np.argmax(odds)) if odds.size else 0
        if not odds.size or odds[worst] < _logit(REPORTED_FROM):
            break
        crowd.leave(worst)
        flagged.append(worst)
    for index in reversed(flagged):  # whom others of the misplaced ones had put in a bad light
        if _misplaced_log_odds(crowd)[index] < _logit(REPORTED_FROM):
            crowd.come_back(index)
    flagged = [index for index in flagged if not crowd.counts_still[index]]
    verdicts = _describe_misplaced(crowd, flagged)
    mixed = _find_mixed(crowd, verdicts)
    unsure = {person.name for person in mixed}
    kept = [
        verdict
        for verdict in verdicts
        if verdict.likely is not None or crowd.names[verdict.index] not in unsure
    ]
    return kept, mixed


def find_enrolled_strangers(crowd: PersonDistances) -> list[MisplacedPhoto]:
    """Photos among the strangers that are likely of somebody enrolled."""
    if not crowd.people:
        return []
    strangers = np.flatnonzero(crowd.number < 0)
    scores = crowd.log_ratios[strangers] + np.log(ENROLLED_STRANGER_PRIOR / len(crowd.people))
    logs = np.hstack([np.full((len(strangers), 1), np.log1p(-ENROLLED_STRANGER_PRIOR)), scores])
    shares = _softmax(logs)
    return [
        MisplacedPhoto(int(index), float(1 - row[0]), crowd.people[best], float(row[1 + best]))
        for index, row in zip(strangers, shares, strict=True)
        if (best := int(np.argmax(row[1:]))) >= 0 and 1 - row[0] >= REPORTED_FROM
    ]


def find_look_alikes(crowd: PersonDistances, even_distance: float) -> list[LookAlikePair]:
    """Pairs of people whose photos lie near each other, the nearest pair first."""
    found = []
    members = [crowd.members(person) for person in range(len(crowd.people))]
    for one, other in combinations(range(len(crowd.people)), 2):
        if not (members[one].size and members[other].size):
            continue
        away = pairwise_distances(crowd.encodings[members[one]], crowd.encodings[members[other]])
        share = float((away < even_distance).mean())
        ratio = float(crowd.likeness.log_ratio(np.median(away, keepdims=True).ravel(), [away.size])[0])
        same = float(_sigmoid(ratio + _logit(SAME_PERSON_PRIOR)))
        if share >= LOOK_ALIKE_SHARE or same >= REPORTED_FROM:
            at = np.unravel_index(int(np.argmin(away)), away.shape)
            nearest = (int(members[one][at[0]]), int(members[other][at[1]]))
            found.append(LookAlikePair((crowd.people[one], crowd.people[other]), share, same, nearest))
    return sorted(found, key=lambda pair: (-pair.one_person, -pair.share, pair.names))


def _misplaced_log_odds(crowd: PersonDistances) -> Floats:
    """The log of the odds that a photo is misplaced; -inf where that is not judged."""
    enrolled = crowd.number >= 0
    found = np.full(len(crowd.number), -np.inf)
    own, another, nobody = _log_posteriors(crowd)
    sizes = np.bincount(crowd.number[enrolled & crowd.counts_still], minlength=len(crowd.people))
    others = sizes[crowd.number[enrolled]] - crowd.counts_still[enrolled]
    odds = np.log(np.exp(another).sum(axis=1) + np.exp(nobody)) - own  # no ratio is above e ** 200
    found[enrolled] = np.where(others >= 2, odds, -np.inf)
    return found


def _log_posteriors(crowd: PersonDistances) -> tuple[Floats, Floats, float]:
    """Logs of prior times likelihood, of the enrolled photos: its person; each other one; nobody enrolled."""
    enrolled = np.flatnonzero(crowd.number >= 0)
    ratios = crowd.log_ratios[enrolled]
    rows, numbers = np.arange(len(enrolled)), crowd.number[enrolled]
    own = ratios[rows, numbers] + np.log1p(-MISPLACED_PRIOR)
    another = ratios + np.log(MISPLACED_PRIOR / 2 / max(1, len(crowd.people) - 1))
    another[rows, numbers] = -np.inf
    return own, another, float(np.log(MISPLACED_PRIOR / 2))


def _describe_misplaced(crowd: PersonDistances, flagged: list[int]) -> list[MisplacedPhoto]:
    own, another, nobody = _log_posteriors(crowd)
    rows = {int(index): row for row, index in enumerate(np.flatnonzero(crowd.number >= 0))}
    found = []
    for index in flagged:
        row = rows[index]
        shares = _softmax(np.hstack([own[row], nobody, another[row]])[np.newaxis])[0]
        best = int(np.argmax(shares[2:]))
        likely = crowd.people[best] if shares[2 + best] >= NAMED_FROM else None
        found.append(MisplacedPhoto(index, float(1 - shares[0]), likely, float(shares[2 + best])))
    return found


def _find_mixed(crowd: PersonDistances, verdicts: list[MisplacedPhoto]) -> list[MixedPerson]:
    """People of whom no majority agrees, and those with two photos of which that is likely."""
    found = []
    odds = _pair_log_odds(crowd)
    for person, name in enumerate(crowd.people):
        kept = crowd.members(person)
        unnamed = [
            verdict for verdict in verdicts if verdict.likely is None and crowd.names[verdict.index] == name
        ]
        if unnamed and len(unnamed) >= len(kept):
            indices = tuple(sorted([*map(int, kept), *(verdict.index for verdict in unnamed)]))
            found.append(MixedPerson(name, indices, max(verdict.probability for verdict in unnamed)))
        elif len(kept) == 2 and odds[kept[0]] >= _logit(REPORTED_FROM):
            found.append(MixedPerson(name, (int(kept[0]), int(kept[1])), float(_sigmoid(odds[kept[0]]))))
    return found


def _pair_log_odds(crowd: PersonDistances) -> Floats:
    """The log of the odds that a photo and its person's others are not of one person, by them alone."""
    found = np.full(len(crowd.number), -np.inf)
    enrolled = np.flatnonzero(crowd.number >= 0)
    ratios = crowd.log_ratios[enrolled, crowd.number[enrolled]]
    found[enrolled] = _logit(MISPLACED_PRIOR) - ratios
    return found


def _softmax(logs: Floats) -> Floats:
    """Rows of logs as probabilities that sum to 1."""
    scaled = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(scaled / scaled.sum(axis=1, keepdims=True))


def _logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def _sigmoid(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))
