"""The nearest of very many encodings, exactly: a rough look at all, a close one at those that may be it.

Of each encoding x there is a rough copy x', of whole numbers of 7 bits, and it is known how far the
copies of a block lie from what they copy: e at most. With a rough copy q' of what is asked for, f
away from it, the triangle inequality says

    |d(q, x) - d(q', x')| <= e + f

so that the k nearest are among those whose copy is no farther than the k-th nearest copy + 2 (e + f).
These, some dozens of a million, are measured in float64: what is found is what measuring all finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from face_det.nets import MAX_MATRIX_VALUE, MAX_VECTOR_VALUE, Int8MatMul
from face_det.types import Encodings

BLOCK_ENCODINGS = 65_536
"""Encodings copied together. What does not fill a block is looked at as it is; that takes a millisecond."""

QUERIES_PER_PASS = 8
"""Faces that are asked for in one pass."""

GROUP_SIZE = 64
"""Of the rough distances of so many neighbours the smallest stands for all, where the k-th is wanted."""

FLOAT32_EPSILON = 2.0**-23
"""float32's."""

Float32s = npt.NDArray[np.float32]
Float64s = npt.NDArray[np.float64]
RowNumbers = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class _RoughDistances:
    """Rough distances to some encodings, squared, less `own`: shape (m, n)."""

    squares: Float32s
    own: Float64s
    """What all squares of a row lack, shape (m,): one addition instead of n."""
    within: Float64s
    """How wrong a distance may be besides rounding, shape (m,)."""
    rounding: Float64s
    """How wrong rounding may have made a square, shape (m,)."""

    def at_most(self, index: int, k: int) -> Float64s:
        """k distances or fewer of different encodings, none of which is farther from asked[index]."""
        squares = self.squares[index]
        if k == 1:
            least = squares.min(keepdims=True)
        elif len(squares) < GROUP_SIZE * k:
            least = np.partition(squares, k - 1)[:k] if k < len(squares) else squares
        else:
            whole = squares[: len(squares) // GROUP_SIZE * GROUP_SIZE].reshape(-1, GROUP_SIZE)
            least = np.partition(whole.min(axis=1), k - 1)[:k]
        whole_squares = least + self.own[index] + self.rounding[index]
        bound: Float64s = np.sqrt(np.maximum(whole_squares, 0)) + self.within[index]
        return bound

    def no_farther(self, index: int, distance: float) -> RowNumbers:
        """All encodings that may be as near to asked[index] as that."""
        limit = (distance + self.within[index]) ** 2 + self.rounding[index] - self.own[index]
        return np.flatnonzero(self.squares[index] <= limit)


class _PlainBlock:
    """Encodings looked at as they are, in float32."""

    def __init__(self, rows: Float32s) -> None:
        self.rows = rows
        self._squares = np.einsum("ij,ij->i", rows, rows)
        self._largest = float(self._squares.max(initial=0))

    def look(self, asked: Float64s) -> _RoughDistances:
        rounded = asked.astype(np.float32)
        squares: Float32s = rounded @ self.rows.T
        squares *= -2
        squares += self._squares
        own = (rounded.astype(np.float64) ** 2).sum(axis=1)
        within = np.linalg.norm(asked - rounded, axis=1)
        return _RoughDistances(squares, own, within, _rounding_error(own, self._largest, asked.shape[1]))


class _QuantisedBlock:
    """Encodings with rough copies, x' = centre + step * whole numbers."""

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
        # Subtracting the centre rounds, too: by less than this.
        self._away = float(away) + 4 * FLOAT32_EPSILON * float(np.linalg.norm(rows, axis=1).max())

    def look(self, asked: Float64s) -> _RoughDistances:
        moved = asked - self._centre
        step = np.abs(moved).max(axis=1, keepdims=True) / MAX_VECTOR_VALUE
        step[step == 0] = 1.0
        whole = np.rint(moved / step)
        products = self._product(whole.astype(np.int16))
        squares: Float32s = np.multiply(products, -2 * self._step * step, dtype=np.float32, casting="unsafe")
        squares += self._squares
        own = ((whole * step) ** 2).sum(axis=1)
        within = self._away + np.linalg.norm(moved - whole * step, axis=1)
        return _RoughDistances(squares, own, within, _rounding_error(own, self._largest, asked.shape[1]))


def _rounding_error(own: Float64s, largest: float, dimensions: int) -> Float64s:
    """How wrong |q|^2 + |x|^2 - 2 q x can be in float32, by the usual bound for sums of d products."""
    bound: Float64s = dimensions * FLOAT32_EPSILON * (np.sqrt(own) + np.sqrt(largest)) ** 2
    return bound


class NearestNeighbourIndex:
    """Nearest neighbours (L2) among encodings that may be a million, and grow.

    They are kept in float32, 4 bytes a number, with two bytes a number more for the rough copies: 810 MB
    for a million of 128 numbers. Encodings that come as float32 are not copied again.
    `nearest` may be called from several threads at once, while nothing is added.
    """

    def __init__(self) -> None:
        self._blocks: list[_QuantisedBlock] = []
        self._rest = _PlainBlock(np.empty((0, 0), dtype=np.float32))

    def __len__(self) -> int:
        """How many encodings there are."""
        return len(self._blocks) * BLOCK_ENCODINGS + len(self._rest.rows)

    def fit(self, X: npt.ArrayLike) -> NearestNeighbourIndex:
        """Keep encodings X, shape (n, d), instead of what there was."""
        self._blocks = []
        self._keep(np.ascontiguousarray(X, dtype=np.float32))
        return self

    def add(self, X: npt.ArrayLike) -> NearestNeighbourIndex:
        """Keep encodings X, shape (n, d), behind what there is."""
        more = np.asarray(X, dtype=np.float32)
        self._keep(np.concatenate([self._rest.rows, more]) if len(self._rest.rows) else more)
        return self

    def _keep(self, rows: Float32s) -> None:
        whole = len(rows) - len(rows) % BLOCK_ENCODINGS
        self._blocks += [
            _QuantisedBlock(rows[start : start + BLOCK_ENCODINGS])
            for start in range(0, whole, BLOCK_ENCODINGS)
        ]
        self._rest = _PlainBlock(rows[whole:])

    def nearest(self, asked: Encodings, k: int = 1) -> tuple[Float64s, RowNumbers]:
        """(distances, rows) of the k nearest of each of `asked`, shape (m, d); both of shape (m, k).

        The nearest first, and of equals the one that was kept first. With fewer than k encodings, all.
        """
        asked = np.asarray(asked, dtype=np.float64)
        k = min(k, len(self))
        distances, rows = np.empty((len(asked), k)), np.empty((len(asked), k), dtype=np.intp)
        for start in range(0, len(asked), QUERIES_PER_PASS) if k else ():
            part = asked[start : start + QUERIES_PER_PASS]
            looks = [(kept, kept.look(part)) for kept in self._kept()]
            for index, one in enumerate(part):
                distances[start + index], rows[start + index] = _measure_nearest(one, index, looks, k)
        return distances, rows

    def _kept(self) -> list[_QuantisedBlock | _PlainBlock]:
        return [*self._blocks, self._rest] if len(self._rest.rows) else [*self._blocks]


def _measure_nearest(
    one: Float64s, index: int, looks: Sequence[tuple[_QuantisedBlock | _PlainBlock, _RoughDistances]], k: int
) -> tuple[Float64s, RowNumbers]:
    """Distances and rows of the k nearest to `one`, which is number `index` of what was looked at."""
    bounds = np.concatenate([look.at_most(index, k) for _, look in looks])
    farthest = float(np.partition(bounds, k - 1)[k - 1])
    maybe = [look.no_farther(index, farthest) for _, look in looks]
    close = np.concatenate(
        [
            np.linalg.norm(kept.rows[there] - one, axis=1)
            for (kept, _), there in zip(looks, maybe, strict=True)
        ]
    )
    rows = np.concatenate([there + number * BLOCK_ENCODINGS for number, there in enumerate(maybe)])
    order = np.argsort(close, kind="stable")[:k]
    return close[order], rows[order]
