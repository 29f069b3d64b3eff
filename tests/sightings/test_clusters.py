"""Clusters of unknown faces, on synthetic encodings around random centres."""

from __future__ import annotations

import numpy as np
import pytest

from face_det.sightings import SFACE_CLUSTERS, ClusterParameters, Clusters


def people(count: int, faces: int, seed: int = 1, spread: float = 0.6) -> np.ndarray:
    """Unit encodings around random centres, shape (count, faces, 128); cosine about 1 / (1 + spread^2)."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(count, 1, 128))
    found = centres + spread * rng.normal(size=(count, faces, 128))
    return found / np.linalg.norm(found, axis=2, keepdims=True)


def put(clusters: Clusters, encodings: np.ndarray) -> list[int]:
    """Let each face join the nearest cluster, or found one; return the clusters."""
    given = []
    for encoding in encodings:
        best = clusters.nearest(encoding)
        if best is None:
            given.append(1 + max(given, default=0))
            clusters.found(given[-1], encoding)
        else:
            given.append(best[0])
            clusters.join(best[0], encoding)
    return given


def plainly(p: ClusterParameters, members: list[np.ndarray]) -> float:
    """The log likelihood of the members under the two-covariance model, by the covariance of all of them."""
    d, b, w = round(p.dimensions), p.correlation / p.dimensions, (1 - p.correlation) / p.dimensions
    n = len(members)
    covariance = w * np.eye(n) + b * np.ones((n, n))
    gram = np.array(members) @ np.array(members).T
    _, log_determinant = np.linalg.slogdet(covariance)
    return float(-(d * log_determinant + np.trace(np.linalg.solve(covariance, gram))) / 2)


def test_the_ratio_is_that_of_the_model() -> None:
    """The formula from n and S is the density of a multivariate normal distribution, written out."""
    a, b = people(2, 3)
    clusters = Clusters(SFACE_CLUSTERS)
    for encoding in a:
        clusters.found(1, encoding) if 1 not in clusters else clusters.join(1, encoding)
    _, ratios = clusters.ratios(b[:1])
    expected = plainly(SFACE_CLUSTERS, [*a, b[0]]) - plainly(SFACE_CLUSTERS, list(a))
    expected -= plainly(SFACE_CLUSTERS, [b[0]])
    assert ratios[0, 0] == pytest.approx(expected, abs=0.01)


def test_people_are_told_apart() -> None:
    """Each person has one cluster, and no cluster has two people."""
    given = np.reshape(put(Clusters(SFACE_CLUSTERS), people(20, 6).reshape(-1, 128)), (20, 6))
    assert (given == given[:, :1]).all()
    assert len(set(given[:, 0])) == 20
