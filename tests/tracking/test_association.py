"""Which face continues which track: by place, and all together as well as can be."""

from __future__ import annotations

import itertools

import numpy as np

from face_det.tracking.association import ambiguous_faces, assign, motion_costs
from face_det.types import Box


def square(left: float, side: float = 10) -> Box:
    return Box(left, 0, left + side, side)


def test_a_face_beyond_reach_or_of_another_size_is_somebody_elses() -> None:
    """Each track has its own reach; a face twice as large is not the same one a moment later."""
    costs = motion_costs([square(0), square(100)], [1.0, 3.0], [square(9), square(120), square(0, 25)])
    assert np.isfinite(costs).tolist() == [[True, False, False], [False, True, False]]
    assert costs[0, 0] == 0.9


def test_the_assignment_is_the_best_of_all() -> None:
    """As many pairs as can be, at the least total cost: compared with every permutation."""
    rng = np.random.default_rng(3)
    for _ in range(200):
        rows, columns = rng.integers(0, 5, 2)
        costs = rng.uniform(size=(rows, columns))
        costs[rng.uniform(size=costs.shape) < 0.4] = np.inf
        best = (0, 0.0)
        for chosen in itertools.permutations([*range(columns), *[None] * rows], int(rows)):
            pairs = [(row, column) for row, column in enumerate(chosen) if column is not None]
            if all(np.isfinite(costs[pair]) for pair in pairs):
                best = min(best, (-len(pairs), sum(costs[pair] for pair in pairs)))
        found = assign(costs)
        assert -len(found) == best[0]
        assert np.isclose(sum(costs[pair] for pair in found), best[1])
        assert len({row for row, _ in found}) == len({column for _, column in found}) == len(found)


def test_what_place_alone_does_not_tell_is_ambiguous() -> None:
    """A face that two tracks may have, and two faces that one track may have, are; one with one is not."""
    far = np.inf
    assert ambiguous_faces(np.array([[0.1, far, far], [far, 0.2, 0.9]])) == [1, 2]
    assert ambiguous_faces(np.array([[0.1, far], [0.9, far]])) == [0]
    assert ambiguous_faces(np.array([[0.1, far], [far, 0.3]])) == []
    assert ambiguous_faces(np.zeros((0, 2))) == []
