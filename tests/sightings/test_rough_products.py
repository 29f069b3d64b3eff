"""Rough products: no pair that a product of floats finds is overlooked, whatever has changed meanwhile."""

from __future__ import annotations

import numpy as np

from face_det.sightings import Clusters
from face_det.sightings.rough_products import BLOCK_ROWS, MOST_CHANGED, RoughProducts
from face_det.training import SFACE_CLUSTERS

ROWS = BLOCK_ROWS + 900
"""A block of rough copies, and some that wait for the next one."""


def crowd(rng: np.random.Generator, count: int) -> np.ndarray:
    """Sums of encodings, the first one each of a person of whom more are to come."""
    return SFACE_CLUSTERS.prepare(rng.normal(size=(count, 128)))


def test_no_product_is_above_its_bound() -> None:
    """Nor far below, for sums of any length; those that changed are multiplied as they are."""
    rng = np.random.default_rng(3)
    sums = crowd(rng, ROWS) * rng.integers(1, 9, (ROWS, 1)).astype(np.float32)
    rough = RoughProducts()
    for change in range(3):
        vector = sums[change * 700] + crowd(rng, 1)[0]
        lengths = np.linalg.norm(vector) * np.linalg.norm(sums, axis=1)
        above = rough.at_most(vector, sums) - sums.astype(np.float64) @ vector
        assert above.min() > -1e-5 * lengths.max()
        assert (above < 0.08 * lengths).all()
        # Few enough for the copies to stay, then too many.
        for row in range(0, ROWS, 1000 if change == 0 else BLOCK_ROWS // MOST_CHANGED - 1):
            sums[row] = -sums[row]
            rough.note_change(row)
    fewer = sums[: BLOCK_ROWS - 1]
    assert np.allclose(rough.at_most(vector, fewer), fewer @ vector, atol=1e-5)


def test_a_crowd_changes_nobodys_cluster() -> None:
    """Among very many, faces belong to whom all products say they do, while clusters come, grow and go."""
    rng = np.random.default_rng(4)
    sums = crowd(rng, ROWS)
    many = Clusters(SFACE_CLUSTERS, range(ROWS), [1] * ROWS, sums)
    seen = 0
    for step, who in enumerate(rng.integers(ROWS, size=60).tolist()):
        # From very like them to about as far away as a face may be.
        face = sums[who] + rng.normal(size=128) * (0.05 + 0.002 * step)
        ids, ratios = many.ratios(face[None])
        best = int(ratios[0].argmax())
        expected = int(ids[best]) if ratios[0, best] >= SFACE_CLUSTERS.threshold else None
        found = many.nearest(face)
        assert (found and found[0]) == expected
        if found is None:
            many.found(ROWS + step, face)
            continue
        seen += 1
        # A second cluster of the same person is found, from either side.
        many.found(ROWS + step, face)
        pairs = [many.mergeable(one) for one in (found[0], ROWS + step)]
        assert (ROWS + step in dict(pairs[0])) == (found[0] in dict(pairs[1])) == (found[1] >= 12)
        many.merge(found[0], ROWS + step)
        many.drop(int(rng.choice(many.ids())))
    assert 20 < seen < 60
