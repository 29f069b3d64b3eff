"""Which face of this frame continues which track.

The ideas are those of SORT (Bewley et al., "Simple online and realtime tracking", 2016: motion is
predicted, and an optimal assignment decides), DeepSORT (Wojke et al., 2017: where motion leaves a doubt,
appearance decides, which here is the encoding) and ByteTrack (Zhang et al., 2022: tracks that were seen a
moment ago choose before those that were lost).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from face_det.types import Box

Costs = npt.NDArray[np.float64]
"""What it costs to take a face for a track's, shape (tracks, faces); infinite where it cannot be."""

MAX_SIZE_RATIO = 1.8
"""A face does not become that many times as large or small between two looks."""


def box_side(box: Box) -> float:
    """Return the side of a square as large as the box, in pixels, at least 1.

    >>> box_side(Box(0, 0, 20, 45))
    30.0
    """
    return max(math.sqrt(box.width * box.height), 1.0)


def centre_distance(one: Box, other: Box) -> float:
    """Return how far apart the centres of two boxes are, in sides of the mean box.

    >>> centre_distance(Box(0, 0, 10, 10), Box(20, 0, 30, 10))
    2.0
    """
    across = (one.xmin + one.xmax - other.xmin - other.xmax) / 2
    down = (one.ymin + one.ymax - other.ymin - other.ymax) / 2
    return math.hypot(across, down) * 2 / (box_side(one) + box_side(other))


def motion_costs(predicted: Sequence[Box], reaches: Sequence[float], found: Sequence[Box]) -> Costs:
    """Return how badly each face fits where each track is predicted, 0..1, shape (tracks, faces).

    `reaches` says, in sides of the face, how far from its prediction each track may be. The cost is infinite
    beyond, and for faces of quite another size.

    >>> motion_costs([Box(0, 0, 10, 10)], [2.0], [Box(10, 0, 20, 10), Box(30, 0, 40, 10)]).tolist()
    [[0.5, inf]]
    """
    costs = np.full((len(predicted), len(found)), np.inf)
    for row, (box, reach) in enumerate(zip(predicted, reaches, strict=True)):
        for column, face in enumerate(found):
            ratio = box_side(face) / box_side(box)
            apart = centre_distance(box, face) / reach
            if apart <= 1 and 1 / MAX_SIZE_RATIO <= ratio <= MAX_SIZE_RATIO:
                costs[row, column] = apart
    return costs


def ambiguous_faces(costs: Costs) -> list[int]:
    """Return the faces that motion alone does not assign: several tracks may be theirs, or a track several
    faces'.

    >>> ambiguous_faces(np.array([[0.1, np.inf, np.inf], [np.inf, 0.2, 0.9]]))
    [1, 2]
    """
    possible = np.isfinite(costs)
    contested = (possible.sum(axis=1) > 1)[:, None] & possible
    return [int(face) for face in np.flatnonzero((possible.sum(axis=0) > 1) | contested.any(axis=0))]


def assign(costs: Costs) -> list[tuple[int, int]]:
    """Return pairs (track, face), as many as there can be, and among those at the least total cost.

    >>> assign(np.array([[0.1, 0.2], [0.2, 0.9]]))
    [(0, 1), (1, 0)]
    """
    possible = np.isfinite(costs)
    if (possible.sum(axis=0) <= 1).all() and (possible.sum(axis=1) <= 1).all():
        return [(int(row), int(column)) for row, column in zip(*np.nonzero(possible), strict=True)]
    # Only here: it takes a fifth of a second to import, and most faces have one track to go to.
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]

    never = 1 + 2 * float(np.abs(costs[possible]).sum())
    rows, columns = linear_sum_assignment(np.where(possible, costs, never))
    return [
        (int(row), int(column)) for row, column in zip(rows, columns, strict=True) if possible[row, column]
    ]
