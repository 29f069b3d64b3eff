"""The look-up among many encodings finds what measuring all of them finds."""

from __future__ import annotations

import numpy as np
import pytest

from face_det.classifiers import nn_index
from face_det.classifiers.nearest import NearestClassifier
from face_det.classifiers.nn_index import NearestNeighbourIndex
from face_det.nets.int8_matmul import MAX_MATRIX_VALUE, MAX_VECTOR_VALUE, Int8MatMul

DIMENSIONS = 128


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 1,000, so that a few thousand encodings are many."""
    monkeypatch.setattr(nn_index, "BLOCK_ENCODINGS", 1000)


def drawn(kind: str, count: int, seed: int = 0) -> np.ndarray:
    """Encodings in float32: of length 1; or far from the origin and few in directions, as dlib's."""
    rng = np.random.default_rng(seed)
    some = rng.normal(size=(count, DIMENSIONS))
    if kind == "sphere":
        some /= np.linalg.norm(some, axis=1, keepdims=True)
    elif kind == "heap":
        some = 1.3 / np.sqrt(DIMENSIONS) + 0.08 * some * 0.5 ** (np.arange(DIMENSIONS) / 12)
    elif kind == "copies":
        some = np.repeat(some[: -(-count // 40)], 40, axis=0)[:count]
    elif kind == "outlier":
        some[count // 2] *= 1e4
    return some.astype(np.float32)


def measured(X: np.ndarray, asked: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """By looking at all of them, in float64."""
    found = []
    for one in asked:
        close = np.linalg.norm(X.astype(np.float64) - one, axis=1)
        order = np.argsort(close, kind="stable")[:k]
        found.append((close[order], order))
    distances, rows = zip(*found, strict=True)
    return np.array(distances), np.array(rows)


@pytest.mark.parametrize("kind", ["sphere", "heap", "copies", "outlier"])
@pytest.mark.parametrize("k", [1, 3, 50])
@pytest.mark.parametrize("count", [40, 999, 1000, 4321])
def test_finds_what_measuring_all_finds(kind: str, k: int, count: int) -> None:
    """The same rows in the same order at the same distances, for faces enrolled and for strangers."""
    X = drawn(kind, count)
    near = X[:: max(1, count // 5)] + np.float32(0.01) * drawn("ball", len(X[:: max(1, count // 5)]), seed=1)
    asked = np.vstack([near, X[3:4], drawn(kind, 5, seed=2)]).astype(np.float64)
    distances, rows = NearestNeighbourIndex().fit(X).nearest(asked, k)
    expected_distances, expected_rows = measured(X, asked, k)
    assert np.array_equal(rows, expected_rows)
    assert np.array_equal(distances, expected_distances)


def test_all_the_same_encoding() -> None:
    """Blocks without any extent: the first one is the nearest of equals."""
    X = np.full((2500, DIMENSIONS), 0.1, dtype=np.float32)
    distances, rows = NearestNeighbourIndex().fit(X).nearest(X[:1] + 0.5, 3)
    assert rows.tolist() == [[0, 1, 2]]
    assert distances == pytest.approx(np.full((1, 3), 0.5 * np.sqrt(DIMENSIONS)))


def test_grows() -> None:
    """What is added bit by bit is found as what was there at once, under the numbers it was added in."""
    X = drawn("sphere", 3456)
    grown = NearestNeighbourIndex()
    for part in np.split(X, [1, 7, 1500, 1600, 3456]):
        grown.add(part)
    asked = drawn("sphere", 4, seed=3).astype(np.float64)
    assert len(grown) == len(X)
    for mine, theirs in zip(
        grown.nearest(asked, 4), NearestNeighbourIndex().fit(X).nearest(asked, 4), strict=True
    ):
        assert np.array_equal(mine, theirs)


def test_of_none_and_of_few() -> None:
    """Nobody enrolled: no neighbours. Fewer than asked for: all there are."""
    assert [part.shape for part in NearestNeighbourIndex().nearest(np.zeros((2, DIMENSIONS)), 3)] == [
        (2, 0),
        (2, 0),
    ]
    assert NearestNeighbourIndex().fit(drawn("sphere", 2)).nearest(np.zeros((1, DIMENSIONS)), 3)[1].shape == (
        1,
        2,
    )
    assert NearestNeighbourIndex().fit(drawn("sphere", 2)).nearest(np.zeros((0, DIMENSIONS)), 3)[1].shape == (
        0,
        2,
    )


def test_byte_products_are_exact_at_the_ends() -> None:
    """The largest numbers of either side, which a processor without VNNI could cut off, are not."""
    rng = np.random.default_rng(0)
    matrix = rng.choice([-MAX_MATRIX_VALUE, MAX_MATRIX_VALUE], size=(50, DIMENSIONS)).astype(np.int8)
    matrix[0], matrix[1] = MAX_MATRIX_VALUE, -MAX_MATRIX_VALUE
    asked = np.array([[MAX_VECTOR_VALUE] * DIMENSIONS, [-MAX_VECTOR_VALUE] * DIMENSIONS], dtype=np.int16)
    expected = asked.astype(np.int64) @ matrix.astype(np.int64).T
    assert np.array_equal(Int8MatMul(matrix)(asked), expected)


def test_nearest_searches_the_index_of_many() -> None:
    """With several blocks of photos the person found is that of the closest photo."""
    X, y = drawn("heap", 3210), np.random.default_rng(5).integers(0, 300, 3210)
    classifier = NearestClassifier().fit(X, y)
    asked = drawn("heap", 6, seed=4).astype(np.float64)
    distances, rows = measured(X, asked, 1)
    person, found = classifier.find_closest(asked)
    assert np.array_equal(classifier.classes_[person], y[rows[:, 0]])
    assert np.array_equal(found, distances[:, 0])
