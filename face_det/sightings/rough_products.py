"""Bounds on the products of one vector with very many sums of encodings: a look at bytes instead of floats.

A product with 100,000 sums of 128 numbers takes so long because it reads 51 MB. Rough copies in bytes are a
quarter of that. Each sum S is its length m times a vector t of length 1, whose copy t' of 7-bit integers lies
e away at most. For a rough copy v' of the vector v, f away from it,

    v S <= m (v' t' + e |v| + f (1 + e))

so few sums may reach a given product, and only these are multiplied as they are. Sums that have changed since
they were copied are, too, until they are so many that their block is copied again.
"""

from __future__ import annotations

import numpy as np

from face_det.nets import MAX_MATRIX_VALUE, MAX_VECTOR_VALUE, Int8MatMul
from face_det.training import Sums

BLOCK_ROWS = 8192
"""Sums that are copied together. An incomplete block is multiplied as it is, which takes a third of a
millisecond."""
MOST_CHANGED = 512
"""Changed sums of a block, beyond which it is copied again. That takes 20 ms."""
ROUNDING = 1e-5
"""How wrong float32 may make a product with a vector of length 1, and more."""


class _Block:
    """Rough copies of BLOCK_ROWS sums, as they were."""

    def __init__(self, sums: Sums) -> None:
        self.lengths = np.maximum(np.linalg.norm(sums, axis=1), np.float32(1e-12))
        units = sums / self.lengths[:, None]
        self.step = float(np.abs(units).max()) / MAX_MATRIX_VALUE or 1.0
        whole = np.rint(units / np.float32(self.step))
        units -= whole * np.float32(self.step)
        self.away = float(np.linalg.norm(units, axis=1).max())
        self.product = Int8MatMul(whole.astype(np.int8))
        self.changed: set[int] = set()


class RoughProducts:
    """Bounds on products with the rows of a growing array of sums. Not thread-safe.

    The caller tells of each row that changed, with `note_change`.
    """

    def __init__(self) -> None:
        self._blocks: list[_Block] = []

    def note_change(self, row: int) -> None:
        """Note that a row holds another sum now."""
        block, place = divmod(row, BLOCK_ROWS)
        if block < len(self._blocks):
            self._blocks[block].changed.add(place)

    def at_most(self, vector: Sums, sums: Sums) -> Sums:
        """Return what the product with each of `sums`, shape (n, d), is at most; shape (n,).

        `sums` is the beginning of the array of all rows. Where a row was not copied, it is the product.
        """
        self._copy(sums)
        if not self._blocks:
            return multiply(sums, vector)
        found = np.empty(len(sums), np.float32)
        step = float(np.abs(vector).max()) / MAX_VECTOR_VALUE or 1.0
        whole = np.rint(vector / np.float32(step))
        length = float(np.linalg.norm(vector))
        away = float(np.linalg.norm(vector - whole * np.float32(step)))
        asked = whole.astype(np.int16)[None]
        for number, block in enumerate(self._blocks):
            rows = slice(number * BLOCK_ROWS, (number + 1) * BLOCK_ROWS)
            part = found[rows]
            np.multiply(block.product(asked)[0], step * block.step, out=part, casting="unsafe")
            part += length * (block.away + ROUNDING) + away * (1 + block.away)
            part *= block.lengths
            if block.changed:
                changed = np.fromiter(block.changed, np.int64, len(block.changed))
                part[changed] = multiply(sums[rows][changed], vector)
        rest = len(self._blocks) * BLOCK_ROWS
        found[rest:] = multiply(sums[rest:], vector)
        return found

    def _copy(self, sums: Sums) -> None:
        """Copy blocks that are whole now, and those that have changed much; drop those that are not whole."""
        del self._blocks[len(sums) // BLOCK_ROWS :]
        for number in range(len(sums) // BLOCK_ROWS):
            fresh = number < len(self._blocks)
            if fresh and len(self._blocks[number].changed) <= MOST_CHANGED:
                continue
            block = _Block(sums[number * BLOCK_ROWS : (number + 1) * BLOCK_ROWS])
            self._blocks[number : number + 1] = [block]


def multiply(sums: Sums, vector: Sums) -> Sums:
    """Return the product of each sum with the vector, on this thread alone.

    BLAS would share so little among threads, and on a busy machine wait 25 ms for one that does not run.
    """
    products: Sums = np.einsum("ij,j->i", sums, vector)
    return products
