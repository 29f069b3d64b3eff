"""Finds which photos of a person count: a burst counts as one, and somebody else's photo not at all.

A burst is a set of photos of one person that are nearly the same: frames of one visit, or copies. Unless
stated otherwise, encodings here have length 1, and distances are between encodings of length 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from face_det.embedders import DistanceThresholds
from face_det.types import Encodings

MIN_BURSTS_FOR_OUTLIERS = 4
"""With fewer bursts of a person, it is impossible to tell which photo is the wrong one."""

MAX_BATCH_VALUES = 4_000_000
"""A batch of people examined together may hold this many numbers."""

MAX_PAIRWISE_PHOTOS = 1500
"""If a person has more photos than this, their photos are not compared with each other."""


BURST_RADIUS = 0.4
"""Two photos of a person closer than this share of the even distance belong to one burst: frames of one
visit, or copies. They count as one photo; otherwise that visit would dominate the template."""


def normalise_encodings(encodings: Encodings) -> Encodings:
    """Scale encodings, shape (..., d), to length 1; zeros stay zeros.

    >>> normalise_encodings(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    lengths = np.linalg.norm(encodings, axis=-1, keepdims=True)
    scaled: Encodings = encodings / np.where(lengths > 0, lengths, 1.0)
    return scaled


def mean_norm(encodings: Encodings) -> float:
    """Return the mean length of encodings, shape (n, d); 1 if all are zero.

    Divide an embedder's distances by it to compare encodings that were scaled to length 1.

    >>> mean_norm(np.array([[3.0, 4.0], [0.0, 1.0]]))
    3.0
    """
    return float(np.linalg.norm(encodings, axis=1).mean()) or 1.0


def burst_distance(encodings: Encodings, distances: DistanceThresholds) -> float:
    """Return the distance below which two photos of a person belong to one burst.

    `encodings`, shape (n, d), are an embedder's own; the result is for encodings scaled to length 1.

    >>> from face_det.embedders import DLIB_DISTANCES
    >>> burst_distance(np.eye(2), DLIB_DISTANCES)
    0.24
    """
    return BURST_RADIUS * distances.even_distance / mean_norm(encodings)


def find_bursts_and_inliers(
    photos: Encodings,
    number: npt.NDArray[np.int64],
    enrolled: npt.NDArray[np.intp],
    near: float,
    far: float,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Find the burst of each photo, and whether the photo belongs to its person.

    `photos`, shape (n, d), show the people in `number`, shape (n,); only the people in `enrolled` are
    examined. Photos of a person that are nearer to each other than `near` form a burst; `far` is as in
    find_inliers. Returns the burst's number within its person, and True for an inlier, both of shape (n,).

    People with equally many photos are examined in one batch, and then one by one only those who have two
    photos near each other or one far from the others.

    >>> photos = normalise_encodings(np.array([[1.0, 0.0], [0.99, 0.01], [0.0, 1.0]]))
    >>> find_bursts_and_inliers(photos, np.zeros(3, int), np.array([0]), near=0.2, far=1.0)
    (array([0, 0, 1]), array([ True,  True,  True]))
    """
    burst, inlier = np.zeros(len(number), np.int64), np.ones(len(number), bool)
    order = np.argsort(number, kind="stable")
    counts = np.bincount(number)
    first = np.cumsum(counts) - counts
    for count in np.unique(counts[enrolled]):
        people = enrolled[counts[enrolled] == count]
        step = max(1, MAX_BATCH_VALUES // int(count * max(min(count, MAX_PAIRWISE_PHOTOS), photos.shape[1])))
        for start in range(0, len(people), step):
            rows = order[first[people[start : start + step]][:, None] + np.arange(count)]
            burst[rows] = np.arange(count)
            if 1 < count <= MAX_PAIRWISE_PHOTOS:
                for mine in rows[_people_to_examine(photos[rows], near, far)]:
                    burst[mine] = cluster_bursts(photos[mine], near)
                    inlier[mine] = find_inliers(photos[mine], burst[mine], far)
    return burst, inlier


def _people_to_examine(photos: Encodings, near: float, far: float) -> npt.NDArray[np.bool_]:
    """Find people with two photos near each other or one far from the rest: (people, n, d) -> (people,)."""
    cosines = photos @ photos.transpose(0, 2, 1)
    cosines[:, np.arange(photos.shape[1]), np.arange(photos.shape[1])] = -1
    examine: npt.NDArray[np.bool_] = (cosines > 1 - near**2 / 2).any(axis=(1, 2))
    if photos.shape[1] >= MIN_BURSTS_FOR_OUTLIERS:
        examine |= (_distances_to_others(photos) > far).any(axis=1)
    return examine


def cluster_bursts(photos: Encodings, near: float) -> npt.NDArray[np.int64]:
    """Number the bursts of one person's photos, shape (n, d), from 0; returns shape (n,).

    This is single linkage: photos nearer than `near` belong to one burst, and so does a chain of them.

    >>> photos = normalise_encodings(np.array([[1.0, 0.0], [0.99, 0.14], [0.96, 0.28], [0.0, 1.0]]))
    >>> cluster_bursts(photos, 0.2).tolist()
    [0, 0, 0, 1]
    """
    # Only here: whoever trains nothing starts without scipy, which takes half a second to import.
    from scipy.sparse import csr_array  # type: ignore[import-untyped]
    from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]

    linked = photos @ photos.T > 1 - near**2 / 2
    return np.asarray(connected_components(csr_array(linked), directed=False)[1], np.int64)


def in_same_burst(
    photos: Encodings,
    people: npt.NDArray[Any],
    reference: Encodings,
    reference_people: npt.NDArray[Any],
    near: float,
) -> npt.NDArray[np.bool_]:
    """Find photos, shape (n, d), in a burst with a reference photo, shape (m, d), of the same person.

    `people`, shape (n,), and `reference_people`, shape (m,), say whose the photos are. Encodings of any
    length are accepted; `near` is a distance between encodings of length 1. Returns shape (n,).

    >>> in_same_burst(np.eye(2), np.array(["Ann", "Ann"]), np.eye(1, 2), np.array(["Ann"]), near=0.2)
    array([ True, False])
    """
    photos, reference = normalise_encodings(photos), normalise_encodings(reference)
    found = np.zeros(len(photos), bool)
    for person in np.unique(people):
        mine = np.flatnonzero(people == person)
        cosines = photos[mine] @ reference[reference_people == person].T
        found[mine] = (cosines > 1 - near**2 / 2).any(axis=1)
    return found


def find_inliers(photos: Encodings, burst: npt.NDArray[np.int64], far: float) -> npt.NDArray[np.bool_]:
    """Find which of one person's photos, shape (n, d), belong to that person; returns shape (n,).

    The burst farthest from the mean of the others is dropped, again and again, while it is farther than `far`
    and at most 30 % of the bursts are gone. With fewer than four bursts it is impossible to tell, so all
    stay.

    >>> photos = np.vstack([np.tile([1.0, 0.0], (4, 1)), [[-1.0, 0.0]]])
    >>> find_inliers(photos, np.arange(5), far=1.0).tolist()
    [True, True, True, True, False]
    """
    inlier = np.ones(len(photos), bool)
    allowed = int(0.3 * (burst.max() + 1)) if burst.max() >= MIN_BURSTS_FOR_OUTLIERS - 1 else 0
    for _ in range(allowed):
        means = group_means(photos[inlier], burst[inlier])
        distances = _distances_to_others(means[None])[0]
        worst = int(distances.argmax())
        if distances[worst] <= far:
            break
        inlier &= burst != np.unique(burst[inlier])[worst]
    return inlier


def group_means(rows: Encodings, group: npt.NDArray[np.int64]) -> Encodings:
    """Return the mean of the rows of each group, ordered by the group's number.

    `rows`, shape (n, d), and `group`, shape (n,), give shape (groups, d).

    >>> group_means(np.array([[1.0], [3.0], [5.0]]), np.array([7, 2, 7])).tolist()
    [[3.0], [3.0]]
    """
    order = np.argsort(group, kind="stable")
    first = np.flatnonzero(np.diff(group[order], prepend=-1))
    counts = np.diff(first, append=len(group))
    means: Encodings = np.add.reduceat(rows[order], first, axis=0) / counts[:, None]
    return means


def _distances_to_others(means: Encodings) -> Encodings:
    """Measure from each burst to the mean of the person's others: (people, n, d) -> (people, n)."""
    others = normalise_encodings(means.sum(axis=1, keepdims=True) - means)
    cosines = np.einsum("pnd,pnd->pn", normalise_encodings(means), others)
    distances: Encodings = np.sqrt(np.maximum(2 - 2 * cosines, 0))
    return distances
