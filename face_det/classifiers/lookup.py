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

from face_det.faces import Encodings
from face_det.nets.byte_product import LARGEST, LARGEST_ASKED, ByteProduct

BLOCK = 65_536
"""Encodings copied together. What does not fill a block is looked at as it is; that takes a millisecond."""

AT_ONCE = 8
"""Faces that are asked for in one pass."""

GROUP = 64
"""Of the rough distances of so many neighbours the smallest stands for all, where the k-th is wanted."""

EPSILON = 2.0**-23
"""float32's."""

Floats32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class _Look:
    """Rough distances to some encodings, squared, less `own`: shape (m, n)."""

    squares: Floats32
    own: Floats
    """What all squares of a row lack, shape (m,): one addition instead of n."""
    within: Floats
    """How wrong a distance may be besides rounding, shape (m,)."""
    rounding: Floats
    """How wrong rounding may have made a square, shape (m,)."""

    def at_most(self, index: int, k: int) -> Floats:
        """k distances or fewer of different encodings, none of which is farther from asked[index]."""
        squares = self.squares[index]
        if k == 1:
            least = squares.min(keepdims=True)
        elif len(squares) < GROUP * k:
            least = np.partition(squares, k - 1)[:k] if k < len(squares) else squares
        else:
            whole = squares[: len(squares) // GROUP * GROUP].reshape(-1, GROUP)
            least = np.partition(whole.min(axis=1), k - 1)[:k]
        whole_squares = least + self.own[index] + self.rounding[index]
        bound: Floats = np.sqrt(np.maximum(whole_squares, 0)) + self.within[index]
        return bound

    def no_farther(self, index: int, distance: float) -> Rows:
        """All encodings that may be as near to asked[index] as that."""
        limit = (distance + self.within[index]) ** 2 + self.rounding[index] - self.own[index]
        return np.flatnonzero(self.squares[index] <= limit)


class _Plain:
    """Encodings looked at as they are, in float32."""

    def __init__(self, rows: Floats32) -> None:
        self.rows = rows
        self._squares = np.einsum("ij,ij->i", rows, rows)
        self._largest = float(self._squares.max(initial=0))

    def look(self, asked: Floats) -> _Look:
        rounded = asked.astype(np.float32)
        squares: Floats32 = rounded @ self.rows.T
        squares *= -2
        squares += self._squares
        own = (rounded.astype(np.float64) ** 2).sum(axis=1)
        within = np.linalg.norm(asked - rounded, axis=1)
        return _Look(squares, own, within, _rounding(own, self._largest, asked.shape[1]))


class _Block:
    """Encodings with rough copies, x' = centre + step * whole numbers."""

    def __init__(self, rows: Floats32) -> None:
        self.rows = rows
        self._centre: Floats32 = rows.mean(axis=0)
        moved = rows - self._centre
        self._step = float(np.abs(moved).max()) / LARGEST or 1.0
        whole = np.rint(moved / self._step)
        self._product = ByteProduct(whole.astype(np.int8))
        self._squares = np.einsum("ij,ij->i", whole, whole) * np.float32(self._step**2)
        self._largest = float(self._squares.max())
        moved -= whole * np.float32(self._step)
        away = np.sqrt(np.einsum("ij,ij->i", moved, moved).max())
        # Subtracting the centre rounds, too: by less than this.
        self._away = float(away) + 4 * EPSILON * float(np.linalg.norm(rows, axis=1).max())

    def look(self, asked: Floats) -> _Look:
        moved = asked - self._centre
        step = np.abs(moved).max(axis=1, keepdims=True) / LARGEST_ASKED
        step[step == 0] = 1.0
        whole = np.rint(moved / step)
        products = self._product(whole.astype(np.int16))
        squares: Floats32 = np.multiply(products, -2 * self._step * step, dtype=np.float32, casting="unsafe")
        squares += self._squares
        own = ((whole * step) ** 2).sum(axis=1)
        within = self._away + np.linalg.norm(moved - whole * step, axis=1)
        return _Look(squares, own, within, _rounding(own, self._largest, asked.shape[1]))


def _rounding(own: Floats, largest: float, dimensions: int) -> Floats:
    """How wrong |q|^2 + |x|^2 - 2 q x can be in float32, by the usual bound for sums of d products."""
    bound: Floats = dimensions * EPSILON * (np.sqrt(own) + np.sqrt(largest)) ** 2
    return bound


class Lookup:
    """Nearest neighbours (L2) among encodings that may be a million, and grow.

    They are kept in float32, 4 bytes a number, with two bytes a number more for the rough copies: 810 MB
    for a million of 128 numbers. Encodings that come as float32 are not copied again.
    `nearest` may be called from several threads at once, while nothing is added.
    """

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._rest = _Plain(np.empty((0, 0), dtype=np.float32))

    def __len__(self) -> int:
        """How many encodings there are."""
        return len(self._blocks) * BLOCK + len(self._rest.rows)

    def fit(self, X: npt.ArrayLike) -> Lookup:
        """Keep encodings X, shape (n, d), instead of what there was."""
        self._blocks = []
        self._keep(np.ascontiguousarray(X, dtype=np.float32))
        return self

    def add(self, X: npt.ArrayLike) -> Lookup:
        """Keep encodings X, shape (n, d), behind what there is."""
        more = np.asarray(X, dtype=np.float32)
        self._keep(np.concatenate([self._rest.rows, more]) if len(self._rest.rows) else more)
        return self

    def _keep(self, rows: Floats32) -> None:
        whole = len(rows) - len(rows) % BLOCK
        self._blocks += [_Block(rows[start : start + BLOCK]) for start in range(0, whole, BLOCK)]
        self._rest = _Plain(rows[whole:])

    def nearest(self, asked: Encodings, k: int = 1) -> tuple[Floats, Rows]:
        """(distances, rows) of the k nearest of each of `asked`, shape (m, d); both of shape (m, k).

        The nearest first, and of equals the one that was kept first. With fewer than k encodings, all.
        """
        asked = np.asarray(asked, dtype=np.float64)
        k = min(k, len(self))
        distances, rows = np.empty((len(asked), k)), np.empty((len(asked), k), dtype=np.intp)
        for start in range(0, len(asked), AT_ONCE) if k else ():
            part = asked[start : start + AT_ONCE]
            looks = [(kept, kept.look(part)) for kept in self._kept()]
            for index, one in enumerate(part):
                distances[start + index], rows[start + index] = _measured(one, index, looks, k)
        return distances, rows

    def _kept(self) -> list[_Block | _Plain]:
        return [*self._blocks, self._rest] if len(self._rest.rows) else [*self._blocks]


def _measured(
    one: Floats, index: int, looks: Sequence[tuple[_Block | _Plain, _Look]], k: int
) -> tuple[Floats, Rows]:
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
    rows = np.concatenate([there + number * BLOCK for number, there in enumerate(maybe)])
    order = np.argsort(close, kind="stable")[:k]
    return close[order], rows[order]
