"""Unknown faces become people, one face at a time, by a likelihood ratio.

The model is that of `ClusterParameters`: a cluster needs only the number n and the sum S of its encodings.
The same rule assigns a face, which is a cluster of one, and merges clusters; it asks more of small clusters
than of large ones.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from face_det.sightings.rough_products import RoughProducts, multiply
from face_det.training import ClusterParameters, Floats, Sums

Ids = npt.NDArray[np.int64]

FIRST_CAPACITY = 256
BLOCK = 256
"""Clusters compared with all others at once: a bound on memory."""
FEW = 4
"""So many clusters are compared with all others by rough products; of more, true ones take less time each."""
FEW_PAIRS = 512
"""So many pairs of clusters are compared exactly at once: bounds for them would take longer."""
SLACK = 1e-3
"""How wrong float32 may make a log likelihood ratio, and more."""


_COLUMNS = ("_ids", "_counts", "_sizes", "_squares", "_joined", "_slopes", "_offsets", "_sums")


class Clusters:
    """The clusters of unknown faces, each by its id, which the caller gives: (n, S) and nothing else.

    A face is asked for with `nearest`, then counted with `join` or `found`, if `may_shape` says so. Beyond
    `max_clusters`, the clusters of one face that nobody has joined for longest are dropped. Not thread-safe.

    >>> from face_det.training import SFACE_CLUSTERS
    >>> clusters = Clusters(SFACE_CLUSTERS)
    >>> clusters.found(7, np.eye(128)[0])
    []
    >>> clusters.nearest(np.eye(128)[0])[0], clusters.nearest(np.eye(128)[1])
    (7, None)
    """

    def __init__(
        self,
        parameters: ClusterParameters,
        ids: Sequence[int] = (),
        counts: Sequence[int] = (),
        sums: npt.ArrayLike = (),
        max_clusters: int = 100_000,
    ) -> None:
        """Start with clusters as `sum_of` returned them, the one that was joined last at the end.

        `sums` has the shape (len(ids), dimensions). Raises ValueError if the lengths differ, or an id is
        there twice.
        """
        self.parameters = parameters
        self.max_clusters = max_clusters
        given = np.asarray(sums, np.float32)
        if not len(ids) == len(counts) == len(given):
            raise ValueError(f"{len(ids)} ids, {len(counts)} counts and {len(given)} sums: expected as many")
        self._rows = {one: row for row, one in enumerate(ids)}
        if len(self._rows) < len(ids):
            raise ValueError("a cluster's id is given twice")
        self._clock = len(ids)
        capacity = max(FIRST_CAPACITY, len(ids))
        self._ids = np.zeros(capacity, np.int64)
        self._counts = np.zeros(capacity, np.int64)
        self._sizes = np.zeros(capacity, np.float64)
        self._squares = np.zeros(capacity, np.float64)
        self._joined = np.zeros(capacity, np.int64)
        # What a face's likelihood ratio is made of: slope * (S . encoding) + offset.
        self._slopes = np.zeros(capacity, np.float32)
        self._offsets = np.zeros(capacity, np.float32)
        self._rough = RoughProducts()
        self._sums = np.zeros((capacity, given.shape[1] if len(ids) else 0), np.float32)
        if len(ids):
            rows = slice(0, len(ids))
            self._ids[rows], self._counts[rows], self._sums[rows] = ids, counts, given
            self._joined[rows] = np.arange(len(ids))
            self._refresh(rows)

    def __len__(self) -> int:
        """Return the number of clusters."""
        return len(self._rows)

    def __contains__(self, cluster: int) -> bool:
        """Tell whether there is a cluster of that id."""
        return cluster in self._rows

    def ids(self) -> list[int]:
        """Return the ids of all clusters."""
        return list(self._rows)

    def may_shape(self, norm: float | None, quality: float | None) -> bool:
        """Tell whether a face may found or shape a cluster; see ClusterParameters."""
        return self.parameters.may_shape(norm, quality)

    def sum_of(self, cluster: int) -> tuple[int, Sums]:
        """Return how many faces a cluster has, and the sum of their encodings, shape (dimensions,)."""
        row = self._rows[cluster]
        return int(self._counts[row]), self._sums[row].copy()

    def nearest(self, encoding: npt.ArrayLike, barred: Collection[int] = ()) -> tuple[int, float] | None:
        """Return the cluster that a face most likely belongs to, and the log likelihood ratio.

        None if no ratio reaches the threshold. The face cannot belong to the clusters in `barred`: those of
        other faces in the same frame.
        """
        size = len(self)
        if not size:
            return None
        vector = self.parameters.prepare(encoding)
        at_most = self._rough.at_most(vector, self._sums[:size])
        # Slopes are positive, so these are what the ratios are at most.
        at_most *= self._slopes[:size]
        at_most += self._offsets[:size]
        at_most[self._rows_of(barred)] = -np.inf
        least = self.parameters.threshold - SLACK
        first = int(at_most.argmax())
        if at_most[first] >= least:
            least = max(least, float(self._exact_ratios(vector, np.array([first]))[0]) - SLACK)
        rows = np.flatnonzero(at_most >= least)
        if not len(rows):
            return None
        ratios = self._exact_ratios(vector, rows)
        best = int(ratios.argmax())
        ratio = float(ratios[best])
        return (int(self._ids[rows[best]]), ratio) if ratio >= self.parameters.threshold else None

    def _exact_ratios(self, vector: Sums, rows: Ids) -> Sums:
        ratios = multiply(self._sums[rows], vector)
        ratios *= self._slopes[rows]
        ratios += self._offsets[rows]
        return ratios

    def ratios(self, encodings: npt.ArrayLike) -> tuple[Ids, Sums]:
        """Return the ids of all clusters (m,), and each face's log likelihood ratio to each, shape (n, m)."""
        rows = slice(0, len(self))
        ratios = self.parameters.prepare(encodings) @ self._sums[rows].T
        ratios *= self._slopes[rows]
        ratios += self._offsets[rows]
        return self._ids[rows].copy(), ratios

    def ratios_without(self, clusters: Sequence[int], encodings: npt.ArrayLike) -> Floats:
        """Return the log likelihood ratio of each face to the cluster that it is in, as if it were not, (n,).

        Minus infinity for one that is there alone.
        """
        rows, vectors = self._rows_of(clusters), self.parameters.prepare(encodings)
        counts = self._counts[rows]
        rest = self._sums[rows].astype(np.float64) - vectors
        sizes = self.parameters.effective(np.maximum(counts - 1, 1))
        rest *= (sizes / np.maximum(counts - 1, 1))[:, None]
        evidence = self.parameters.evidence
        squares = np.einsum("ij,ij->i", rest, rest)
        whole = evidence(sizes + 1, np.einsum("ij,ij->i", rest + vectors, rest + vectors))
        ratios = whole - evidence(sizes, squares) - evidence(1, 1.0)
        return np.where(counts == 1, -np.inf, ratios)

    def mergeable(self, cluster: int) -> list[tuple[int, float]]:
        """Return the clusters that are the same person as this one, and log likelihood ratios, best first."""
        pairs = self.mergeable_pairs([cluster])
        return [(other if other != cluster else one, ratio) for one, other, ratio in pairs]

    def mergeable_pairs(self, clusters: Iterable[int]) -> list[tuple[int, int, float]]:
        """Return the pairs that are the same person and have one of `clusters`, with log ratios, best first.

        A pair is there once, the smaller id first.
        """
        found = {}
        chosen = np.array(self._rows_of(clusters), np.int64)
        for rows, others in self._perhaps_same(chosen):
            for row, other, ratio in self._confirm(rows, others):
                one, two = sorted((int(self._ids[row]), int(self._ids[other])))
                found[one, two] = ratio
        return sorted(
            ((*pair, ratio) for pair, ratio in found.items()), key=lambda each: (-each[2], *each[:2])
        )

    def _perhaps_same(self, chosen: Ids) -> Iterator[tuple[Ids, Ids]]:
        """Yield pairs of rows, one of them of `chosen`, that hold all those who may be the same person."""
        size = len(self)
        if len(chosen) * size <= FEW_PAIRS:
            yield np.repeat(chosen, size), np.tile(np.arange(size), len(chosen))
            return
        # Clusters of as many faces have one bound in common.
        for count in np.unique(self._counts[chosen]):
            alike = chosen[self._counts[chosen] == count]
            for start in range(0, len(alike), BLOCK):
                rows = alike[start : start + BLOCK]
                products = self._products_at_most(rows)
                at, others = np.divmod(
                    np.flatnonzero(products >= self._bound(rows, int(count))), products.shape[1]
                )
                yield rows[at], others

    def found(self, cluster: int, encoding: npt.ArrayLike) -> list[int]:
        """Found a cluster with a face; return the ids of the clusters that were dropped to make room.

        Raises ValueError if the id is taken.
        """
        if cluster in self._rows:
            raise ValueError(f"there is a cluster {cluster} already")
        vector = self.parameters.prepare(encoding)
        dropped = []
        while self._rows and len(self) >= self.max_clusters:
            dropped.append(self._least_missed())
            self.drop(dropped[-1])
        row = len(self)
        self._reserve(row + 1, len(vector))
        self._rows[cluster] = row
        self._ids[row], self._counts[row], self._sums[row] = cluster, 1, vector
        self._touch(row)
        return dropped

    def join(self, cluster: int, encoding: npt.ArrayLike) -> None:
        """Count a face to a cluster."""
        row = self._rows[cluster]
        self._sums[row] += self.parameters.prepare(encoding)
        self._counts[row] += 1
        self._touch(row)

    def leave(self, cluster: int, encoding: npt.ArrayLike) -> None:
        """Undo `join` or `found`; a cluster that its last face leaves is dropped."""
        row = self._rows[cluster]
        if self._counts[row] == 1:
            self.drop(cluster)
            return
        self._sums[row] -= self.parameters.prepare(encoding)
        self._counts[row] -= 1
        self._rough.note_change(row)
        self._refresh(slice(row, row + 1))

    def drop(self, cluster: int) -> None:
        """Forget a cluster."""
        row, last = self._rows.pop(cluster), len(self)
        # The last row fills the gap.
        if row != last:
            self._rows[int(self._ids[last])] = row
            for name in _COLUMNS:
                column = getattr(self, name)
                column[row] = column[last]
            self._rough.note_change(row)

    def merge(self, kept: int, absorbed: int) -> None:
        """Count the faces of the cluster `absorbed` to `kept`, and forget `absorbed`."""
        if kept == absorbed:
            raise ValueError(f"cluster {kept} cannot be merged with itself")
        row, other = self._rows[kept], self._rows[absorbed]
        self._sums[row] += self._sums[other]
        self._counts[row] += self._counts[other]
        self._touch(row)
        self.drop(absorbed)

    def _rows_of(self, clusters: Iterable[int]) -> list[int]:
        return [self._rows[cluster] for cluster in clusters if cluster in self._rows]

    def _products_at_most(self, rows: Ids) -> Sums:
        """Return what the products of some sums with all are at most, shape (rows, n)."""
        sums = self._sums[: len(self)]
        if len(rows) > FEW:
            products: Sums = self._sums[rows] @ sums.T
            return products
        return np.array([self._rough.at_most(self._sums[row], sums) for row in rows])

    def _bound(self, rows: Ids, count: int) -> Sums:
        """Return what S . S' reaches at least, for every other cluster, if one of these rows is the same."""
        p, counts, squares = self.parameters, self._counts[: len(self)], self._squares[: len(self)]
        own = p.effective(count)
        evidence = p.evidence(own, self._squares[rows]).min()
        # The logarithms depend on nothing but the counts, of which there are few.
        most = int(counts.max())
        kinds, which = (np.arange(1, most + 1), counts - 1) if most < len(counts) else (counts, slice(None))
        sizes = p.effective(kinds)
        at_zero, alone = p.evidence(own + sizes, 0.0), p.evidence(sizes, 0.0)
        # f is linear in the squared length of a sum: this inverts f(union) >= f(one) + f(other) + threshold.
        slope, own_slope = p.evidence(own + sizes, 1.0) - at_zero, p.evidence(sizes, 1.0) - alone
        scale = count / own * kinds / sizes / 2
        constant = scale * ((p.threshold + evidence + alone - at_zero) / slope - self._squares[rows].max())
        rise = scale * (own_slope / slope - 1)
        # A little lower, for what rounding does.
        constant -= 1e-3 + 1e-5 * np.abs(constant)
        rise -= 1e-5 * np.abs(rise)
        bound: Sums = rise.astype(np.float32)[which]
        bound *= squares
        bound += constant.astype(np.float32)[which]
        return bound

    def _confirm(self, rows: Ids, others: Ids) -> Iterator[tuple[int, int, float]]:
        """Yield (row, other row, log likelihood ratio) of the pairs that are the same person."""
        evidence, sizes, squares = self.parameters.evidence, self._sizes, self._squares
        for start in range(0, len(rows), BLOCK):
            one, two = rows[start : start + BLOCK], others[start : start + BLOCK]
            products = np.einsum("ij,ij->i", self._sums[one], self._sums[two])
            products = products * (sizes[one] / self._counts[one]) * (sizes[two] / self._counts[two])
            ratios = evidence(sizes[one] + sizes[two], squares[one] + squares[two] + 2 * products)
            ratios -= evidence(sizes[one], squares[one]) + evidence(sizes[two], squares[two])
            for at in np.flatnonzero((ratios >= self.parameters.threshold) & (one != two)):
                yield int(one[at]), int(two[at]), float(ratios[at])

    def _least_missed(self) -> int:
        """Return the id of the cluster of fewest faces, of these the one that was joined first."""
        counts = self._counts[: len(self)]
        fewest = np.flatnonzero(counts == counts.min())
        return int(self._ids[fewest[self._joined[fewest].argmin()]])

    def _touch(self, row: int) -> None:
        self._clock += 1
        self._joined[row] = self._clock
        self._rough.note_change(row)
        self._refresh(slice(row, row + 1))

    def _refresh(self, rows: slice) -> None:
        """Compute what follows from the counts and sums of some rows."""
        counts, p = self._counts[rows], self.parameters
        sizes = p.effective(counts)
        scales = sizes / counts
        sums = self._sums[rows].astype(np.float64) * scales[:, None]
        squares = np.einsum("ij,ij->i", sums, sums)
        constant = p.evidence(sizes + 1, squares + 1) - p.evidence(sizes, squares) - p.evidence(1, 1.0)
        self._sizes[rows], self._squares[rows], self._offsets[rows] = sizes, squares, constant
        self._slopes[rows] = scales * p.dimensions / (1 - p.correlation) / (sizes + 1 / p.correlation)

    def _reserve(self, rows: int, dimensions: int) -> None:
        """Make room for that many rows; doubles, so that growing costs little."""
        if not self._sums.shape[1]:
            self._sums = np.zeros((len(self._ids), dimensions), np.float32)
        if rows <= len(self._ids):
            return
        for name in _COLUMNS:
            old = getattr(self, name)
            new = np.zeros((math.ceil(1.5 * rows), *old.shape[1:]), old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)
