"""Are two photos of one person? The accuracy on pairs, as LFW's benchmark reports it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student  # type: ignore[import-untyped]

from face_det.evaluation.metrics import Floats, Proportion
from face_det.types import Encodings

FOLDS = 10
SEED = 1234


@dataclass(frozen=True, slots=True)
class VerificationResult:
    """Mean accuracy over folds, its 95 % interval, and on how many pairs; half of them are genuine."""

    accuracy: float
    interval: tuple[float, float]
    folds: int
    pairs: int


def measure_verification(encodings: Encodings, names: Sequence[str | None]) -> VerificationResult | None:
    """Accuracy by the Euclidean distance: pairs of one person, all if there are as many of two, and as
    many pairs of two people.

    Folds share no person. In each the threshold is that of the best accuracy on the others (Huang et
    al., Labeled Faces in the Wild, 2007). The interval is Student's over the folds, and no narrower than
    Wilson's of as many independent pairs: a few folds without an error prove little. A name of None is
    somebody who appears once. None with fewer than two people of two photos, or fewer than four people.
    """
    people, owner = np.unique([name or "" for name in names], return_inverse=True)
    # Each stranger is somebody of their own.
    single = np.array([name is None for name in names])
    owner = np.where(single, len(people) + np.arange(len(owner)), owner)
    numbers, counts = np.unique(owner, return_counts=True)
    several = numbers[counts > 1]
    # Two people in each, at least: there are no pairs of two people otherwise.
    folds = min(FOLDS, len(several), len(numbers) // 2)
    if folds < 2:
        return None
    rng = np.random.default_rng(SEED)
    distances, same, fold = _pairs(encodings, owner, _fold_of(numbers, several, folds, rng), rng)
    right = np.zeros(len(same), dtype=np.bool_)
    for number in range(folds):
        test = fold == number
        threshold = _best_threshold(distances[~test], same[~test])
        right[test] = (distances[test] <= threshold) == same[test]
    accuracies = [float(right[fold == number].mean()) for number in range(folds)]
    mean, deviation = float(np.mean(accuracies)), float(np.std(accuracies, ddof=1))
    half = float(student.ppf(0.975, folds - 1)) * deviation / math.sqrt(folds)
    low, high = Proportion(int(right.sum()), len(right)).interval
    interval = max(0.0, min(low, mean - half)), min(1.0, max(high, mean + half))
    return VerificationResult(mean, interval, folds, len(distances))


def _fold_of(
    numbers: npt.NDArray[np.intp], several: npt.NDArray[np.intp], folds: int, rng: np.random.Generator
) -> dict[int, int]:
    """Each person's fold, dealt like cards: first the people with several photos, then the others."""
    single = np.setdiff1d(numbers, several)
    dealt = [*rng.permutation(several), *rng.permutation(single)]
    return {int(person): index % folds for index, person in enumerate(dealt)}


def _pairs(
    encodings: Encodings, owner: npt.NDArray[np.intp], fold_of: dict[int, int], rng: np.random.Generator
) -> tuple[Floats, npt.NDArray[np.bool_], npt.NDArray[np.intp]]:
    """(distance, same person, fold) of the pairs of all folds."""
    place = np.array([fold_of[int(person)] for person in owner])
    found: list[tuple[Floats, npt.NDArray[np.bool_], npt.NDArray[np.intp]]] = []
    for number in range(int(place.max()) + 1):
        rows = np.flatnonzero(place == number)
        left, right = np.triu_indices(len(rows), k=1)
        same = owner[rows[left]] == owner[rows[right]]
        genuine, others = np.flatnonzero(same), np.flatnonzero(~same)
        count = min(len(genuine), len(others))
        chosen = np.concatenate(
            [rng.choice(genuine, count, replace=False), rng.choice(others, count, replace=False)]
        )
        gaps = encodings[rows[left[chosen]]] - encodings[rows[right[chosen]]]
        found.append((np.linalg.norm(gaps, axis=1), same[chosen], np.full(len(chosen), number)))
    distances, same, fold = (np.concatenate(column) for column in zip(*found, strict=True))
    return distances, same, fold


def _best_threshold(distances: Floats, same: npt.NDArray[np.bool_]) -> float:
    """The distance up to which "one person" is right most often."""
    order = np.argsort(distances, kind="stable")
    right = np.cumsum(np.where(same[order], 1, -1))
    best = int(right.argmax())
    following = distances[order[min(best + 1, len(order) - 1)]]
    return float((distances[order[best]] + following) / 2)
