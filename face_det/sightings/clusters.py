"""Unknown faces become people, one face at a time, by a likelihood ratio.

The model is the isotropic two-covariance one (Brümmer and de Villiers, "The speaker partitioning problem",
2010): a person's encodings lie around a centre with variance w = (1 - rho) / d in each direction, and centres
lie around the origin with variance b = rho / d. A cluster then needs only the number n and the sum S of its
encodings. With the log marginal likelihood, less what does not depend on the partition,

    f(n, S) = |S|^2 / (2 w^2 (n / w + 1 / b)) - (d / 2) ln(1 + n b / w)

the log likelihood ratio of "A and B are one person" is f(A and B) - f(A) - f(B). The same rule assigns a
face, which is a cluster of one, and merges clusters; it asks more of small clusters than of large ones.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from face_det.sightings.centres import load_centre

Floats = npt.NDArray[np.float64]
Sums = npt.NDArray[np.float32]
"""Encodings or sums of them, float32, shape (n, dimensions)."""

Ids = npt.NDArray[np.int64]

GRID = 2.0**-18
"""Encodings are rounded to multiples of this, so that float32 adds some hundred of them without an error:
then a sum depends neither on the order of joining nor on who has left again."""

FIRST_CAPACITY = 256
BLOCK = 256
"""Clusters compared with all others at once: a bound on memory."""


@dataclass(frozen=True, slots=True)
class ClusterParameters:
    """What an embedder's clusters are made with.

    `dimensions` (d) and `correlation` (rho) are effective values of the model above, `threshold` (tau) is the
    natural logarithm of the likelihood ratio from which on two clusters are one person. `redundancy` is the
    correlation, 0..1, of what the model takes for independent: photos of one season, one hairdo, one camera.
    n faces count as n / (1 + (n - 1) redundancy), Kish's effective sample size; without this, two large
    clusters of one person never merge.

    A face with a quality below `min_quality` may join a cluster, but neither found nor shape one, because
    blurred faces resemble each other; where the quality is not known, `min_norm` decides. `centre`
    is the embedder whose mean encoding is subtracted; then encodings are scaled to length 1. Of joined
    encodings, only the columns from the first to before the second of `columns` are used.
    """

    dimensions: float
    correlation: float
    threshold: float
    redundancy: float = 0.0
    min_norm: float = 0.0
    min_quality: float = 0.0
    centre: str | None = None
    columns: tuple[int, int] | None = None

    def prepare(self, encodings: npt.ArrayLike) -> Sums:
        """Return encodings as clusters add them up: float32, of length 1 and on a grid; the shape is kept.

        >>> ClusterParameters(64, 0.5, 10).prepare([3.0, 4.0]).round(3).tolist()
        [0.6000000238418579, 0.800000011920929]
        """
        found = np.asarray(encodings, np.float64)
        if self.columns is not None:
            found = found[..., slice(*self.columns)]
        if self.centre is not None:
            found = found - load_centre(self.centre)
        lengths = np.linalg.norm(found, axis=-1, keepdims=True)
        scaled = found / np.maximum(lengths, 1e-12)
        return np.asarray(np.rint(scaled / GRID) * GRID, np.float32)

    def evidence(self, counts: npt.ArrayLike, squares: npt.ArrayLike) -> Floats:
        """Return f(n, S), elementwise, from the numbers n of encodings and the squared lengths of S.

        >>> p = ClusterParameters(64, 0.5, 10)
        >>> ratio = p.evidence(2, 4.0) - 2 * p.evidence(1, 1.0)  # of a face and its copy
        >>> round(float(ratio), 2)
        30.54
        """
        n = np.asarray(counts, np.float64)
        odds = self.correlation / (1 - self.correlation)
        scale = self.dimensions / (2 * (1 - self.correlation))
        fit = scale * np.asarray(squares, np.float64) / (n + 1 / odds)
        return np.asarray(fit - self.dimensions / 2 * np.log1p(n * odds))

    def effective(self, counts: npt.ArrayLike) -> Floats:
        """Return how many independent faces so many faces of a person are worth, elementwise.

        >>> ClusterParameters(64, 0.5, 10, redundancy=0.1).effective([1, 11, 1000]).round(1).tolist()
        [1.0, 5.5, 9.9]
        """
        n = np.asarray(counts, np.float64)
        return np.asarray(n / (1 + (n - 1) * self.redundancy))

    def may_shape(self, norm: float | None, quality: float | None) -> bool:
        """Tell whether a face may found or shape a cluster: by its quality, or by its norm if that is None.

        >>> parameters = ClusterParameters(100, 0.5, 13, min_norm=10, min_quality=0.9)
        >>> parameters.may_shape(9.5, None), parameters.may_shape(9.5, 0.95), parameters.may_shape(None, None)
        (False, True, True)
        """
        if quality is not None:
            return quality >= self.min_quality
        return norm is None or norm >= self.min_norm


SFACE_CLUSTERS = ClusterParameters(
    dimensions=100,
    correlation=0.5,
    threshold=12,
    redundancy=0.5,
    min_norm=10.5,
    min_quality=0.83,
    centre="sface",
)
"""Chosen on 40 people with 9 to 14 photos each and 1,000 with one, of one half of LFW, with and without
degraded faces among them: the middle of the region where nobody is found falsely and the pair F is highest.
Two faces are one person from a cosine of .46 between centred encodings on; the best of 500,000 pairs of
strangers reached .43."""

DLIB_CLUSTERS = ClusterParameters(
    dimensions=36, correlation=0.6, threshold=14, redundancy=0.3, min_quality=0.83, centre="dlib_resnet"
)
"""Chosen in the same way. dlib's encodings tell people apart less well: clusters are pure, but a person often
has several."""

CLUSTER_PARAMETERS = {
    "sface": SFACE_CLUSTERS,
    "dlib_resnet": DLIB_CLUSTERS,
    "both": replace(SFACE_CLUSTERS, columns=(128, 256)),
}
"""Parameters by the name of the embedder; of `both`, only SFace's part is used."""

_COLUMNS = ("_ids", "_counts", "_sizes", "_squares", "_joined", "_slopes", "_offsets", "_ratios", "_sums")


class Clusters:
    """The clusters of unknown faces, each by its id, which the caller gives: (n, S) and nothing else.

    A face is asked for with `nearest`, then counted with `join` or `found`, if `may_shape` says so. Beyond
    `max_clusters`, the clusters of one face that nobody has joined for longest are dropped. Not thread-safe.

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
        """Take over clusters as `sum_of` returned them, the one that was joined last at the end.

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
        self._ratios = np.zeros(capacity, np.float32)
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
        ratios = self._ratios[:size]
        np.dot(self._sums[:size], self.parameters.prepare(encoding), out=ratios)
        ratios *= self._slopes[:size]
        ratios += self._offsets[:size]
        for row in self._rows_of(barred):
            ratios[row] = -np.inf
        best = int(ratios.argmax())
        ratio = float(ratios[best])
        return (int(self._ids[best]), ratio) if ratio >= self.parameters.threshold else None

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
        size, found = len(self), {}
        chosen = np.array(self._rows_of(clusters), np.int64)
        # Clusters of as many faces have one bound in common.
        for count in np.unique(self._counts[chosen]):
            alike = chosen[self._counts[chosen] == count]
            for start in range(0, len(alike), BLOCK):
                rows = alike[start : start + BLOCK]
                products = self._sums[rows] @ self._sums[:size].T
                at, others = np.nonzero(products >= self._bound(rows, int(count)))
                for row, other, ratio in self._confirm(rows[at], others):
                    one, two = sorted((int(self._ids[row]), int(self._ids[other])))
                    found[one, two] = ratio
        return sorted(
            ((*pair, ratio) for pair, ratio in found.items()), key=lambda each: (-each[2], *each[:2])
        )

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

    def _bound(self, rows: Ids, count: int) -> Sums:
        """Return what S . S' reaches at least, for every other cluster, if one of these rows is the same."""
        p, size = self.parameters, len(self)
        counts, squares = self._sizes[:size], self._squares[:size]
        own = p.effective(count)
        evidence = p.evidence(own, self._squares[rows]).min()
        # f(union) is linear in the squared length of the union's sum, so this inverts it.
        at_zero = p.evidence(own + counts, 0.0)
        slope = p.evidence(own + counts, 1.0) - at_zero
        needed = (p.threshold + evidence + p.evidence(counts, squares) - at_zero) / slope
        bound = (needed - squares - self._squares[rows].max()) / 2
        bound *= count / own * self._counts[:size] / counts
        return np.asarray(bound - 1e-3 - 1e-5 * np.abs(bound), np.float32)

    def _confirm(self, rows: Ids, others: Ids) -> Iterator[tuple[int, int, float]]:
        """Yield (row, other row, log likelihood ratio) of the pairs that are the same person."""
        evidence, sizes, squares = self.parameters.evidence, self._sizes, self._squares
        scales = sizes / np.maximum(self._counts, 1)
        for start in range(0, len(rows), BLOCK):
            one, two = rows[start : start + BLOCK], others[start : start + BLOCK]
            products = np.einsum("ij,ij->i", self._sums[one], self._sums[two]) * scales[one] * scales[two]
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
