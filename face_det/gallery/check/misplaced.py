"""Finds photos in the wrong folder, enrolled people among the strangers, and people who look alike.

A photo in a person's folder may show that person, somebody else who is enrolled, or a stranger. Bayes'
rule turns the likelihood ratios of `likelihood` into the probability of each. Photos are judged clearest
case first, and a misplaced one no longer counts when the rest are judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from face_det.embedders import ExpectedDistances
from face_det.gallery.check.likelihood import (
    FEW_DISTANCES,
    Floats,
    LikelihoodModel,
    fit_likelihood,
    median_distances,
    pairwise_distances,
)
from face_det.types import UNKNOWN, Encodings

MISPLACED_PRIOR = 0.02
"""The prior probability that a photo is in the wrong folder; half of it for another enrolled person."""
ENROLLED_STRANGER_PRIOR = 0.02
"""The prior probability that a photo among the strangers shows somebody enrolled."""
SAME_PERSON_PRIOR = 0.001
"""The prior probability that two names belong to one person."""
REPORTED_FROM = 0.5
"""The probability from which something is reported."""
NAMED_FROM = 0.9
"""The probability from which a name is suggested."""
LOOK_ALIKE_SHARE = 0.10
"""Two people look alike if this share of the distances between their photos is below the even distance."""


@dataclass(frozen=True, slots=True)
class MisplacedPhoto:
    """A photo in the wrong folder: the probability of that, the more likely person, and its probability."""

    index: int
    probability: float
    likely: str | None
    likely_probability: float


@dataclass(frozen=True, slots=True)
class MixedPerson:
    """A person whose photos disagree so that nobody can tell which are right: the photos, and how probable
    that is."""

    name: str
    indices: tuple[int, ...]
    probability: float


@dataclass(frozen=True, slots=True)
class LookAlikePair:
    """Two people who look alike: the share of the distances between their photos that is below the even
    distance, the probability that they are one person, and their two nearest photos."""

    names: tuple[str, str]
    share: float
    one_person: float
    nearest: tuple[int, int]


class PersonDistances:
    """The distance of every photo to every enrolled person, counting only photos not yet found misplaced."""

    def __init__(self, encodings: Encodings, names: Sequence[str], expected: ExpectedDistances) -> None:
        self.encodings = np.asarray(encodings, dtype=np.float64)
        self.names = np.array(names, dtype=object)
        self.people = sorted(set(names) - {UNKNOWN})
        self.person_index = np.array(
            [self.people.index(name) if name != UNKNOWN else -1 for name in names], int
        )
        self.counted = self.person_index >= 0
        self.medians = np.full((len(self.names), len(self.people)), np.nan)
        self.log_ratios = np.zeros_like(self.medians)
        """The log-likelihood ratio of each photo showing each person, shape (photos, people)."""
        for person in range(len(self.people)):
            self.medians[:, person] = median_distances(self.encodings, self.members(person))
        self.likelihood = self._fit_likelihood(expected)
        for person in range(len(self.people)):
            self._update_ratios(person)

    def members(self, person: int) -> npt.NDArray[np.intp]:
        """Return the indices of the photos of a person that count."""
        return np.flatnonzero((self.person_index == person) & self.counted)

    def exclude(self, index: int) -> None:
        """Stop counting a photo."""
        self.counted[index] = False
        self._update_medians(int(self.person_index[index]))

    def include(self, index: int) -> None:
        """Count a photo again."""
        self.counted[index] = True
        self._update_medians(int(self.person_index[index]))

    def _update_medians(self, person: int) -> None:
        self.medians[:, person] = median_distances(self.encodings, self.members(person))
        self._update_ratios(person)

    def _update_ratios(self, person: int) -> None:
        members = self.members(person)
        counts = np.full(len(self.names), len(members))
        counts[members] -= 1
        self.log_ratios[:, person] = self.likelihood.log_ratio(self.medians[:, person], counts)

    def _fit_likelihood(self, expected: ExpectedDistances) -> LikelihoodModel:
        enrolled = np.flatnonzero(self.person_index >= 0)
        own = self.medians[enrolled, self.person_index[enrolled]]
        sizes = np.bincount(self.person_index[enrolled], minlength=len(self.people))
        settled = sizes[self.person_index[enrolled]] > FEW_DISTANCES
        others = self.medians[enrolled].copy()
        others[np.arange(len(enrolled)), self.person_index[enrolled]] = np.nan
        return fit_likelihood(own[settled], others.ravel(), expected)


def find_misplaced(distances: PersonDistances) -> tuple[list[MisplacedPhoto], list[MixedPerson]]:
    """Find photos in the wrong folder, and people whose photos disagree.

    People with fewer than three photos are not judged. A photo that matches nobody counts as misplaced
    only if most of the person's photos agree.
    """
    flagged: list[int] = []
    while True:
        odds = _misplaced_log_odds(distances)
        odds[~distances.counted] = -np.inf
        worst = int(np.argmax(odds)) if odds.size else 0
        if not odds.size or odds[worst] < _logit(REPORTED_FROM):
            break
        distances.exclude(worst)
        flagged.append(worst)
    for index in reversed(flagged):  # other misplaced photos may have made it look wrong
        if _misplaced_log_odds(distances)[index] < _logit(REPORTED_FROM):
            distances.include(index)
    flagged = [index for index in flagged if not distances.counted[index]]
    misplaced = _describe_misplaced(distances, flagged)
    mixed = _find_mixed(distances, misplaced)
    unsure = {person.name for person in mixed}
    kept = [
        photo for photo in misplaced if photo.likely is not None or distances.names[photo.index] not in unsure
    ]
    return kept, mixed


def find_enrolled_strangers(distances: PersonDistances) -> list[MisplacedPhoto]:
    """Find photos among the strangers that probably show somebody enrolled."""
    if not distances.people:
        return []
    strangers = np.flatnonzero(distances.person_index < 0)
    scores = distances.log_ratios[strangers] + np.log(ENROLLED_STRANGER_PRIOR / len(distances.people))
    logs = np.hstack([np.full((len(strangers), 1), np.log1p(-ENROLLED_STRANGER_PRIOR)), scores])
    shares = _softmax(logs)
    return [
        MisplacedPhoto(int(index), float(1 - row[0]), distances.people[best], float(row[1 + best]))
        for index, row in zip(strangers, shares, strict=True)
        if (best := int(np.argmax(row[1:]))) >= 0 and 1 - row[0] >= REPORTED_FROM
    ]


def find_look_alikes(distances: PersonDistances, even_distance: float) -> list[LookAlikePair]:
    """Find pairs of people whose photos are near each other, nearest pair first."""
    found = []
    members = [distances.members(person) for person in range(len(distances.people))]
    for one, other in combinations(range(len(distances.people)), 2):
        if not (members[one].size and members[other].size):
            continue
        away = pairwise_distances(distances.encodings[members[one]], distances.encodings[members[other]])
        share = float((away < even_distance).mean())
        ratio = float(distances.likelihood.log_ratio(np.median(away, keepdims=True).ravel(), [away.size])[0])
        same = float(_sigmoid(ratio + _logit(SAME_PERSON_PRIOR)))
        if share >= LOOK_ALIKE_SHARE or same >= REPORTED_FROM:
            at = np.unravel_index(int(np.argmin(away)), away.shape)
            nearest = (int(members[one][at[0]]), int(members[other][at[1]]))
            found.append(
                LookAlikePair((distances.people[one], distances.people[other]), share, same, nearest)
            )
    return sorted(found, key=lambda pair: (-pair.one_person, -pair.share, pair.names))


def _misplaced_log_odds(distances: PersonDistances) -> Floats:
    """Return the log-odds that each photo is misplaced; -inf for photos that are not judged."""
    enrolled = distances.person_index >= 0
    found = np.full(len(distances.person_index), -np.inf)
    own, another, nobody = _log_posteriors(distances)
    sizes = np.bincount(distances.person_index[enrolled & distances.counted], minlength=len(distances.people))
    others = sizes[distances.person_index[enrolled]] - distances.counted[enrolled]
    odds = np.log(np.exp(another).sum(axis=1) + np.exp(nobody)) - own  # no ratio is above e ** 200
    found[enrolled] = np.where(others >= 2, odds, -np.inf)
    return found


def _log_posteriors(distances: PersonDistances) -> tuple[Floats, Floats, float]:
    """Return the logs of prior times likelihood for each enrolled photo: for its person, for each other
    person, and for a stranger."""
    enrolled = np.flatnonzero(distances.person_index >= 0)
    ratios = distances.log_ratios[enrolled]
    rows, numbers = np.arange(len(enrolled)), distances.person_index[enrolled]
    own = ratios[rows, numbers] + np.log1p(-MISPLACED_PRIOR)
    another = ratios + np.log(MISPLACED_PRIOR / 2 / max(1, len(distances.people) - 1))
    another[rows, numbers] = -np.inf
    return own, another, float(np.log(MISPLACED_PRIOR / 2))


def _describe_misplaced(distances: PersonDistances, flagged: list[int]) -> list[MisplacedPhoto]:
    own, another, nobody = _log_posteriors(distances)
    rows = {int(index): row for row, index in enumerate(np.flatnonzero(distances.person_index >= 0))}
    found = []
    for index in flagged:
        row = rows[index]
        shares = _softmax(np.hstack([own[row], nobody, another[row]])[np.newaxis])[0]
        best = int(np.argmax(shares[2:]))
        likely = distances.people[best] if shares[2 + best] >= NAMED_FROM else None
        found.append(MisplacedPhoto(index, float(1 - shares[0]), likely, float(shares[2 + best])))
    return found


def _find_mixed(distances: PersonDistances, misplaced: list[MisplacedPhoto]) -> list[MixedPerson]:
    """Find people whose photos have no majority that agrees, and people whose two photos probably differ."""
    found = []
    odds = _pair_log_odds(distances)
    for person, name in enumerate(distances.people):
        kept = distances.members(person)
        unnamed = [
            photo for photo in misplaced if photo.likely is None and distances.names[photo.index] == name
        ]
        if unnamed and len(unnamed) >= len(kept):
            indices = tuple(sorted([*map(int, kept), *(photo.index for photo in unnamed)]))
            found.append(MixedPerson(name, indices, max(photo.probability for photo in unnamed)))
        elif len(kept) == 2 and odds[kept[0]] >= _logit(REPORTED_FROM):
            found.append(MixedPerson(name, (int(kept[0]), int(kept[1])), float(_sigmoid(odds[kept[0]]))))
    return found


def _pair_log_odds(distances: PersonDistances) -> Floats:
    """Return the log-odds that a photo and the person's other photos show different people."""
    found = np.full(len(distances.person_index), -np.inf)
    enrolled = np.flatnonzero(distances.person_index >= 0)
    ratios = distances.log_ratios[enrolled, distances.person_index[enrolled]]
    found[enrolled] = _logit(MISPLACED_PRIOR) - ratios
    return found


def _softmax(logs: Floats) -> Floats:
    """Turn rows of log weights into probabilities that sum to 1."""
    scaled = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(scaled / scaled.sum(axis=1, keepdims=True))


def _logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def _sigmoid(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))
