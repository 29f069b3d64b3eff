"""Which photos of a person count, and as what: frames of one moment as one, somebody else's not."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array  # type: ignore[import-untyped]
from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]

from face_det.types import Encodings

MIN_BURSTS_FOR_OUTLIERS = 4
"""So many moments tell which photo does not belong."""

MAX_BATCH_VALUES = 4_000_000
"""Numbers in a batch of people who are looked at together."""

MAX_PAIRWISE_PHOTOS = 1500
"""More photos of one person than this are not compared each with each."""


def normalise_encodings(encodings: Encodings) -> Encodings:
    """Encodings of length 1; those of length 0 stay."""
    lengths = np.linalg.norm(encodings, axis=-1, keepdims=True)
    scaled: Encodings = encodings / np.where(lengths > 0, lengths, 1.0)
    return scaled


def mean_norm(encodings: Encodings) -> float:
    """Of encodings: what an embedder's distances are to be divided by, where these have length 1."""
    return float(np.linalg.norm(encodings, axis=1).mean()) or 1.0


def find_bursts_and_inliers(
    photos: Encodings,
    number: npt.NDArray[np.int64],
    enrolled: npt.NDArray[np.intp],
    near: float,
    far: float,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Moment and belonging of each photo. People with as many photos are looked at together, and then
    only those one by one of whom two photos are near, or one far."""
    moment, belongs = np.zeros(len(number), np.int64), np.ones(len(number), bool)
    order = np.argsort(number, kind="stable")
    counts = np.bincount(number)
    first = np.cumsum(counts) - counts
    for count in np.unique(counts[enrolled]):
        people = enrolled[counts[enrolled] == count]
        step = max(1, MAX_BATCH_VALUES // int(count * max(min(count, MAX_PAIRWISE_PHOTOS), photos.shape[1])))
        for start in range(0, len(people), step):
            rows = order[first[people[start : start + step]][:, None] + np.arange(count)]
            moment[rows] = np.arange(count)
            if 1 < count <= MAX_PAIRWISE_PHOTOS:
                for mine in rows[_people_to_examine(photos[rows], near, far)]:
                    moment[mine] = cluster_bursts(photos[mine], near)
                    belongs[mine] = find_inliers(photos[mine], moment[mine], far)
    return moment, belongs


def _people_to_examine(photos: Encodings, near: float, far: float) -> npt.NDArray[np.bool_]:
    """Of people (m, n, d), those of whom two photos are near, or one is far from the others."""
    cosines = photos @ photos.transpose(0, 2, 1)
    cosines[:, np.arange(photos.shape[1]), np.arange(photos.shape[1])] = -1
    doubtful: npt.NDArray[np.bool_] = (cosines > 1 - near**2 / 2).any(axis=(1, 2))
    if photos.shape[1] >= MIN_BURSTS_FOR_OUTLIERS:
        doubtful |= (_distances_to_others(photos) > far).any(axis=1)
    return doubtful


def cluster_bursts(photos: Encodings, near: float) -> npt.NDArray[np.int64]:
    """For each photo of a person (length 1) the number of its moment, from 0; single linkage."""
    linked = photos @ photos.T > 1 - near**2 / 2
    return np.asarray(connected_components(csr_array(linked), directed=False)[1], np.int64)


def in_same_burst(
    asked: Encodings, asked_of: npt.NDArray[Any], learnt: Encodings, learnt_of: npt.NDArray[Any], near: float
) -> npt.NDArray[np.bool_]:
    """Which photos are of a moment of which the same person's are learnt; `..._of` says whose each is, and
    `near` is for encodings of length 1."""
    asked, learnt = normalise_encodings(asked), normalise_encodings(learnt)
    found = np.zeros(len(asked), bool)
    for person in np.unique(asked_of):
        mine = np.flatnonzero(asked_of == person)
        found[mine] = (asked[mine] @ learnt[learnt_of == person].T > 1 - near**2 / 2).any(axis=1)
    return found


def find_inliers(photos: Encodings, moment: npt.NDArray[np.int64], far: float) -> npt.NDArray[np.bool_]:
    """Which photos of a person are theirs: the farthest from the mean of the other moments goes, as
    long as it is farther than `far` and most remain. With fewer than four moments nobody can tell."""
    kept = np.ones(len(photos), bool)
    allowed = int(0.3 * (moment.max() + 1)) if moment.max() >= MIN_BURSTS_FOR_OUTLIERS - 1 else 0
    for _ in range(allowed):
        means = group_means(photos[kept], moment[kept])
        distances = _distances_to_others(means[None])[0]
        worst = int(distances.argmax())
        if distances[worst] <= far:
            break
        kept &= moment != np.unique(moment[kept])[worst]
    return kept


def group_means(rows: Encodings, number: npt.NDArray[np.int64]) -> Encodings:
    """The mean of the rows of each number, in the order of the numbers: shape (numbers, d)."""
    order = np.argsort(number, kind="stable")
    first = np.flatnonzero(np.diff(number[order], prepend=-1))
    counts = np.diff(first, append=len(number))
    means: Encodings = np.add.reduceat(rows[order], first, axis=0) / counts[:, None]
    return means


def _distances_to_others(means: Encodings) -> Encodings:
    """Of moments (people, n, d), from each to the mean of its person's others: (people, n)."""
    others = normalise_encodings(means.sum(axis=1, keepdims=True) - means)
    cosines = np.einsum("pnd,pnd->pn", normalise_encodings(means), others)
    distances: Encodings = np.sqrt(np.maximum(2 - 2 * cosines, 0))
    return distances
