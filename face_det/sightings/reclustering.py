"""The nightly pass over clusters: each sighting is taken out and assigned again, then clusters merge.

What a cluster became by day depends on the order in which faces came. The pass starts from there and climbs
the same likelihood until nothing moves, so it forgets that order almost entirely.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import numpy.typing as npt

from face_det.sightings.clusters import BLOCK, Clusters, Ids
from face_det.training import ClusterParameters

NOBODY = -1
"""The id of a sighting that belongs to no cluster: it may not found one, and resembles none."""
SWEEPS = 10
"""Sweeps after which sightings that still move back and forth stay where they are; two or three suffice."""


def recluster(
    encodings: npt.ArrayLike,
    cluster_ids: npt.ArrayLike,
    shaping: npt.ArrayLike,
    fixed: Collection[int],
    cannot_link: Iterable[tuple[int, int]],
    parameters: ClusterParameters,
    next_id: int | None = None,
) -> Ids:
    """Return the cluster of each sighting after the pass: ids, int64, shape (n,).

    `encodings` has the shape (n, dimensions); `cluster_ids` (n,) are the clusters so far, NOBODY for none;
    `shaping` (n,) says which sightings may found and shape clusters, see `Clusters.may_shape`. The clusters
    in `fixed` keep exactly the sightings that they have. `cannot_link` holds pairs of places in `encodings`
    that are not one person. New clusters are numbered from `next_id`, by default the largest id plus one. Of
    clusters that merge, the smallest id survives. The same input gives the same output.

    Raises ValueError if the lengths differ, or `next_id` is not above all ids.

    >>> from face_det.training import SFACE_CLUSTERS
    >>> recluster(np.eye(128)[[0, 0, 1]], [4, 9, 7], [True] * 3, (), (), SFACE_CLUSTERS).tolist()
    [4, 4, 7]
    """
    ids, shapes = np.array(cluster_ids, np.int64), np.array(shaping, bool)
    faces = np.asarray(encodings)
    if not len(ids) == len(faces) == len(shapes):
        raise ValueError(f"{len(faces)} encodings, {len(ids)} ids, {len(shapes)} of shaping")
    if not len(ids):
        return ids
    first_new = int(ids.max()) + 1 if next_id is None else next_id
    if first_new <= ids.max():
        raise ValueError(f"next_id is {first_new}, but there is a cluster {ids.max()} already")
    partition = _Partition(faces, ids, shapes, frozenset(fixed), cannot_link, parameters, first_new)
    for _ in range(SWEEPS):
        moved = partition.ask_again()
        if not partition.merge_same() and not moved:
            break
    partition.place_others()
    return _renumber(partition.ids, first_new)


def _renumber(ids: Ids, first_new: int) -> Ids:
    """Number new clusters in the order of their first sightings, without gaps."""
    new, first = np.unique(ids[ids >= first_new], return_index=True)
    renamed: Ids = ids.copy()
    for number, cluster in enumerate(new[np.argsort(first)]):
        renamed[ids == cluster] = first_new + number
    return renamed


class _Partition:
    """Which cluster each sighting is in, and the clusters."""

    def __init__(
        self,
        encodings: npt.NDArray[np.floating],
        ids: Ids,
        shapes: npt.NDArray[np.bool_],
        fixed: frozenset[int],
        cannot_link: Iterable[tuple[int, int]],
        parameters: ClusterParameters,
        next_id: int,
    ) -> None:
        self.ids = ids
        self._encodings, self._fixed, self._next_id = encodings, fixed, next_id
        vectors = parameters.prepare(encodings)
        self._links = [(one, two) for one, two in cannot_link if one != two]
        self._enemies: dict[int, set[int]] = {}
        for one, two in self._links:
            self._enemies.setdefault(one, set()).add(two)
            self._enemies.setdefault(two, set()).add(one)
        for each in np.flatnonzero(shapes & (ids == NOBODY)):
            ids[each] = self._new_id()
        held = np.isin(ids, np.array(sorted(fixed), np.int64))
        # In an order that the encodings themselves give, not the order in which they came.
        order = np.lexsort(vectors.T)
        self._asked, self._others = order[(shapes & ~held)[order]], order[(~shapes & ~held)[order]]
        named, places = np.unique(ids[shapes], return_inverse=True)
        sums = np.zeros((len(named), vectors.shape[1]), np.float32)
        np.add.at(sums, places, vectors[shapes])
        self._clusters = Clusters(
            parameters, named.tolist(), np.bincount(places).tolist(), sums, len(ids) + 1
        )

    def ask_again(self) -> bool:
        """Take each sighting out and assign it again; return whether any moved."""
        moved = False
        for start in range(0, len(self._asked), BLOCK):
            block = self._asked[start : start + BLOCK]
            for sighting in block[self._restless(block)]:
                moved = self._move(int(sighting)) or moved
        return moved

    def _restless(self, block: Ids) -> npt.NDArray[np.bool_]:
        """Tell which sightings might be better off elsewhere: a quick look at many at once."""
        clusters, ratios = self._clusters.ratios(self._encodings[block])
        places = np.searchsorted(clusters, self.ids[block], sorter=(sorter := np.argsort(clusters)))
        ratios[np.arange(len(block)), sorter[places]] = -np.inf
        here = self._clusters.ratios_without(self.ids[block].tolist(), self._encodings[block])
        least = self._clusters.parameters.threshold
        best = ratios.max(axis=1)
        here[[self._has_enemy_here(each) for each in block.tolist()]] = -1e9
        return np.asarray((here > -np.inf) & ((best >= np.maximum(here, least)) | (here < least)))

    def _move(self, sighting: int) -> bool:
        """Assign one sighting again; return whether it moved. It stays if it is nearest to a fixed cluster.

        One that is alone stays as well: merging decides by the same rule whether its cluster is another.
        """
        face, cluster, clusters = self._encodings[sighting], int(self.ids[sighting]), self._clusters
        here = float(clusters.ratios_without([cluster], face[None])[0])
        if here == -np.inf:
            return False
        clusters.leave(cluster, face)
        barred = self._enemies_clusters(sighting)
        best = clusters.nearest(face, barred)
        here = -np.inf if cluster in barred else here
        target = cluster
        if best is not None and best[0] != cluster and best[1] > here:
            target = cluster if best[0] in self._fixed else best[0]
        elif best is None:
            target = self._new_id()
        if target in clusters:
            clusters.join(target, face)
        else:
            clusters.found(target, face)
        self.ids[sighting] = target
        return target != cluster

    def merge_same(self) -> bool:
        """Merge the clusters that are the same, the surest first; tell whether there were any."""
        changed: set[int] = set(self._clusters.ids())
        merged = False
        while changed:
            barred = {frozenset((int(self.ids[one]), int(self.ids[two]))) for one, two in self._links}
            pairs, changed = self._clusters.mergeable_pairs(sorted(changed - self._fixed)), set()
            for kept, absorbed, _ in pairs:
                if {kept, absorbed} & (self._fixed | changed) or frozenset((kept, absorbed)) in barred:
                    continue
                if absorbed not in self._clusters or kept not in self._clusters:
                    continue
                self._clusters.merge(kept, absorbed)
                self.ids[self.ids == absorbed] = kept
                changed.add(kept)
            merged = merged or bool(changed)
        return merged

    def place_others(self) -> None:
        """Assign the sightings that shape no cluster, now that all clusters are settled."""
        for sighting in self._others.tolist():
            barred = self._enemies_clusters(sighting)
            best = self._clusters.nearest(self._encodings[sighting], barred)
            if best is None:
                self.ids[sighting] = NOBODY
            elif best[0] not in self._fixed:
                self.ids[sighting] = best[0]

    def _enemies_clusters(self, sighting: int) -> set[int]:
        return {int(self.ids[enemy]) for enemy in self._enemies.get(sighting, ())} - {NOBODY}

    def _has_enemy_here(self, sighting: int) -> bool:
        return int(self.ids[sighting]) in self._enemies_clusters(sighting)

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1
