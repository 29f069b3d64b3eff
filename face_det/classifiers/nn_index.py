"""Finds exact nearest neighbours among many encodings: a rough pass over all, an exact one over the rest.

Each stored encoding x has a rough copy x' of 7-bit integers, and for each block of encodings it is known how
far the copies lie from their originals: e at most. For a rough copy q' of the query, f away from it, the
triangle inequality says

    |d(q, x) - d(q', x')| <= e + f

so the k nearest are among those whose copy is no farther than the k-th nearest copy + 2 (e + f). These, a few
dozen of a million, are measured in float64, so the result is what measuring all of them would give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from face_det.nets import MAX_MATRIX_VALUE, MAX_VECTOR_VALUE, Int8MatMul
from face_det.types import Encodings

BLOCK_ENCODINGS = 65_536
"""Encodings that are quantised together. An incomplete block is searched directly, which takes 1 ms."""

QUERIES_PER_PASS = 8
"""How many faces one pass over the encodings searches for."""

GROUP_SIZE = 64
"""To bound the k-th nearest, the smallest rough distance of this many neighbours stands for all of them."""

FLOAT32_EPSILON = 2.0**-23

Float32s = npt.NDArray[np.float32]
Float64s = npt.NDArray[np.float64]
RowNumbers = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class _RoughDistances:
    """Squared rough distances from m queries to n encodings, less `own`: shape (m, n)."""

    squares: Float32s
    own: Float64s
    """What to add to all squares of a row, shape (m,): one addition instead of n."""
    within: Float64s
    """How wrong a distance may be apart from rounding, shape (m,)."""
    rounding: Float64s
    """How wrong rounding may have made a square, shape (m,)."""

    def upper_bounds(self, query: int, k: int) -> Float64s:
        """Return upper bounds on the distances of k different encodings, or of all if there are fewer."""
        squares = self.squares[query]
        if k == 1:
            least = squares.min(keepdims=True)
        elif len(squares) < GROUP_SIZE * k:
            least = np.partition(squares, k - 1)[:k] if k < len(squares) else squares
        else:
            groups = squares[: len(squares) // GROUP_SIZE * GROUP_SIZE].reshape(-1, GROUP_SIZE)
            least = np.partition(groups.min(axis=1), k - 1)[:k]
        whole_squares = least + self.own[query] + self.rounding[query]
        bounds: Float64s = np.sqrt(np.maximum(whole_squares, 0)) + self.within[query]
        return bounds

    def may_be_within(self, query: int, distance: float) -> RowNumbers:
        """Return all encodings that may lie within `distance` of a query."""
        limit = (distance + self.within[query]) ** 2 + self.rounding[query] - self.own[query]
        return np.flatnonzero(self.squares[query] <= limit)


class _PlainBlock:
    """Encodings searched directly, in float32."""

    def __init__(self, rows: Float32s) -> None:
        self.rows = rows
        self._squares = np.einsum("ij,ij->i", rows, rows)
        self._largest = float(self._squares.max(initial=0))

    def rough_distances(self, queries: Float64s) -> _RoughDistances:
        rounded = queries.astype(np.float32)
        squares: Float32s = rounded @ self.rows.T
        squares *= -2
        squares += self._squares
        own = (rounded.astype(np.float64) ** 2).sum(axis=1)
        within = np.linalg.norm(queries - rounded, axis=1)
        return _RoughDistances(squares, own, within, _rounding_error(own, self._largest, queries.shape[1]))


class _QuantisedBlock:
    """Encodings with rough copies x' = centre + step * integers."""

    def __init__(self, rows: Float32s) -> None:
        self.rows = rows
        self._centre: Float32s = rows.mean(axis=0)
        moved = rows - self._centre
        self._step = float(np.abs(moved).max()) / MAX_MATRIX_VALUE or 1.0
        whole = np.rint(moved / self._step)
        self._product = Int8MatMul(whole.astype(np.int8))
        self._squares = np.einsum("ij,ij->i", whole, whole) * np.float32(self._step**2)
        self._largest = float(self._squares.max())
        moved -= whole * np.float32(self._step)
        away = np.sqrt(np.einsum("ij,ij->i", moved, moved).max())
        # Subtracting the centre rounds as well, by less than this.
        self._away = float(away) + 4 * FLOAT32_EPSILON * float(np.linalg.norm(rows, axis=1).max())

    def rough_distances(self, queries: Float64s) -> _RoughDistances:
        moved = queries - self._centre
        step = np.abs(moved).max(axis=1, keepdims=True) / MAX_VECTOR_VALUE
        step[step == 0] = 1.0
        whole = np.rint(moved / step)
        products = self._product(whole.astype(np.int16))
        squares: Float32s = np.multiply(products, -2 * self._step * step, dtype=np.float32, casting="unsafe")
        squares += self._squares
        own = ((whole * step) ** 2).sum(axis=1)
        within = self._away + np.linalg.norm(moved - whole * step, axis=1)
        return _RoughDistances(squares, own, within, _rounding_error(own, self._largest, queries.shape[1]))


def _rounding_error(own: Float64s, largest: float, dimensions: int) -> Float64s:
    """Bound the error of |q|^2 + |x|^2 - 2 q x in float32, as usual for sums of d products."""
    bound: Float64s = dimensions * FLOAT32_EPSILON * (np.sqrt(own) + np.sqrt(largest)) ** 2
    return bound


class NearestNeighbourIndex:
    """Nearest neighbours (L2) among encodings that may number a million, and grow.

    Encodings are kept in float32, 4 bytes a number, plus two bytes a number for the rough copies: 810 MB for
    a million of 128 numbers. Encodings that are float32 already are not copied. Several threads may call
    `nearest` at once as long as nothing is added.

    >>> index = NearestNeighbourIndex().fit([[0.0, 0.0], [3.0, 4.0]])
    >>> distances, rows = index.nearest(np.array([[0.0, 1.0]]))
    >>> distances.tolist(), rows.tolist()
    ([[1.0]], [[0]])
    """

    def __init__(self) -> None:
        self._blocks: list[_QuantisedBlock] = []
        self._rest = _PlainBlock(np.empty((0, 0), dtype=np.float32))

    def __len__(self) -> int:
        """Return the number of encodings."""
        return len(self._blocks) * BLOCK_ENCODINGS + len(self._rest.rows)

    def fit(self, X: npt.ArrayLike) -> NearestNeighbourIndex:
        """Replace the contents with encodings X, shape (n, d)."""
        self._blocks = []
        self._store(np.ascontiguousarray(X, dtype=np.float32))
        return self

    def add(self, X: npt.ArrayLike) -> NearestNeighbourIndex:
        """Append encodings X, shape (n, d)."""
        more = np.asarray(X, dtype=np.float32)
        self._store(np.concatenate([self._rest.rows, more]) if len(self._rest.rows) else more)
        return self

    def _store(self, rows: Float32s) -> None:
        whole = len(rows) - len(rows) % BLOCK_ENCODINGS
        self._blocks += [
            _QuantisedBlock(rows[start : start + BLOCK_ENCODINGS])
            for start in range(0, whole, BLOCK_ENCODINGS)
        ]
        self._rest = _PlainBlock(rows[whole:])

    def nearest(self, queries: Encodings, k: int = 1) -> tuple[Float64s, RowNumbers]:
        """Find the k nearest encodings to each query, shape (m, d).

        Returns distances and row numbers, both of shape (m, k), the nearest first; ties go to the encoding
        that was stored first. With fewer than k encodings, all are returned.
        """
        queries = np.asarray(queries, dtype=np.float64)
        k = min(k, len(self))
        distances, rows = np.empty((len(queries), k)), np.empty((len(queries), k), dtype=np.intp)
        for start in range(0, len(queries), QUERIES_PER_PASS) if k else ():
            part = queries[start : start + QUERIES_PER_PASS]
            rough = [(block, block.rough_distances(part)) for block in self._all_blocks()]
            for index, one in enumerate(part):
                distances[start + index], rows[start + index] = _measure_nearest(one, index, rough, k)
        return distances, rows

    def _all_blocks(self) -> list[_QuantisedBlock | _PlainBlock]:
        return [*self._blocks, self._rest] if len(self._rest.rows) else [*self._blocks]


def _measure_nearest(
    query: Float64s,
    index: int,
    rough: Sequence[tuple[_QuantisedBlock | _PlainBlock, _RoughDistances]],
    k: int,
) -> tuple[Float64s, RowNumbers]:
    """Return distances and rows of the k nearest to `query`, number `index` in the rough distances."""
    bounds = np.concatenate([distances.upper_bounds(index, k) for _, distances in rough])
    farthest = float(np.partition(bounds, k - 1)[k - 1])
    maybe = [distances.may_be_within(index, farthest) for _, distances in rough]
    measured = np.concatenate(
        [
            np.linalg.norm(block.rows[there] - query, axis=1)
            for (block, _), there in zip(rough, maybe, strict=True)
        ]
    )
    rows = np.concatenate([there + number * BLOCK_ENCODINGS for number, there in enumerate(maybe)])
    order = np.argsort(measured, kind="stable")[:k]
    return measured[order], rows[order]
