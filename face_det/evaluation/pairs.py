"""Measures verification accuracy (whether two photos show one person), as LFW's benchmark does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit  # type: ignore[import-untyped]

from face_det.evaluation.metrics import Floats, Proportion
from face_det.types import Encodings

FOLDS = 10
SEED = 1234


@dataclass(frozen=True, slots=True)
class VerificationResult:
    """The mean accuracy over folds with its 95 % interval, and the numbers of folds and pairs.

    Half of the pairs are genuine.
    """

    accuracy: float
    interval: tuple[float, float]
    folds: int
    pairs: int


def measure_verification(encodings: Encodings, names: Sequence[str | None]) -> VerificationResult | None:
    """Measure verification accuracy by Euclidean distance, on equal numbers of genuine and impostor pairs.

    `encodings` has shape (n, d); a name of None is a stranger who appears only once. Folds share no person.
    Each fold uses the threshold with the best accuracy on the other folds (Huang et al., Labeled Faces in the
    Wild, 2007). The interval is Student's over the folds, but no narrower than Wilson's for as many
    independent pairs, because a few folds without an error prove little. Returns None with fewer than two
    people who have two photos, or fewer than four people.

    >>> centres = np.repeat(np.eye(4), 3, axis=0)
    >>> result = measure_verification(centres, [name for name in "abcd" for _ in range(3)])
    >>> result.accuracy, result.folds, result.pairs
    (1.0, 2, 24)
    """
    people, owner = np.unique([name or "" for name in names], return_inverse=True)
    # Each stranger counts as a different person.
    single = np.array([name is None for name in names])
    owner = np.where(single, len(people) + np.arange(len(owner)), owner)
    numbers, counts = np.unique(owner, return_counts=True)
    several = numbers[counts > 1]
    # At least two people in each fold; otherwise it has no impostor pairs.
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
    half = float(stdtrit(folds - 1, 0.975)) * deviation / math.sqrt(folds)
    low, high = Proportion(int(right.sum()), len(right)).interval
    interval = max(0.0, min(low, mean - half)), min(1.0, max(high, mean + half))
    return VerificationResult(mean, interval, folds, len(distances))


def _fold_of(
    numbers: npt.NDArray[np.intp], several: npt.NDArray[np.intp], folds: int, rng: np.random.Generator
) -> dict[int, int]:
    """Deal people to folds in random order: first those with several photos, then the others."""
    single = np.setdiff1d(numbers, several)
    dealt = [*rng.permutation(several), *rng.permutation(single)]
    return {int(person): index % folds for index, person in enumerate(dealt)}


def _pairs(
    encodings: Encodings, owner: npt.NDArray[np.intp], fold_of: dict[int, int], rng: np.random.Generator
) -> tuple[Floats, npt.NDArray[np.bool_], npt.NDArray[np.intp]]:
    """Return (distances, same person, fold number) of the pairs in all folds, each of shape (pairs,)."""
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
    """Return the distance threshold with the best accuracy."""
    order = np.argsort(distances, kind="stable")
    right = np.cumsum(np.where(same[order], 1, -1))
    best = int(right.argmax())
    following = distances[order[min(best + 1, len(order) - 1)]]
    return float((distances[order[best]] + following) / 2)
