"""The nightly pass: it forgets the order of coming, and keeps to what a user has said."""

from __future__ import annotations

import numpy as np
import pytest
from unknown_faces import come_in, people, same_partition

from face_det.sightings import NOBODY, Clusters, recluster
from face_det.training import SFACE_CLUSTERS, ClusterParameters

PLAIN = ClusterParameters(64, 0.5, 10)


@pytest.fixture(scope="module")
def crowd() -> np.ndarray:
    """30 people with 8 faces each and 60 with one, hard to tell apart, in no order."""
    several = people(30, 8, seed=3, spread=0.95).reshape(-1, 128)
    everybody = np.vstack([several, people(60, 1, seed=4)[:, 0]])
    return np.random.default_rng(5).permutation(everybody)


def all_of(encodings: np.ndarray) -> np.ndarray:
    """Every sighting may shape a cluster."""
    return np.ones(len(encodings), bool)


def test_the_order_of_coming_is_forgotten(crowd: np.ndarray) -> None:
    """By day the partitions of two orders differ, at night they are the same."""
    nights, days = [], []
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(len(crowd))
        day = come_in(Clusters(SFACE_CLUSTERS), crowd[order])
        night = recluster(crowd[order], day, all_of(crowd), (), (), SFACE_CLUSTERS)
        back = np.argsort(order)
        days.append(day[back])
        nights.append(night[back])
    assert not all(same_partition(days[0], day) for day in days)
    assert all(same_partition(nights[0], night) for night in nights)


def test_a_second_pass_changes_nothing(crowd: np.ndarray) -> None:
    """What has settled stays, with the same ids, and the same input has the same output."""
    day = come_in(Clusters(SFACE_CLUSTERS), crowd)
    night = recluster(crowd, day, all_of(crowd), (), (), SFACE_CLUSTERS)
    assert (recluster(crowd, day, all_of(crowd), (), (), SFACE_CLUSTERS) == night).all()
    assert (recluster(crowd, night, all_of(crowd), (), (), SFACE_CLUSTERS) == night).all()


def test_the_older_id_survives() -> None:
    """Of clusters that merge, and of a sighting alone that belongs to another cluster."""
    one, two = people(2, 6)
    faces = np.vstack([one, two])
    before = np.array([9, 4, 4, 9, 9, 7, 2, 2, 2, 2, 2, 2])
    after = recluster(faces, before, all_of(faces), (), (), PLAIN)
    assert after.tolist() == [4] * 6 + [2] * 6


def test_a_stranger_leaves_with_a_new_id() -> None:
    """New ids follow the largest, or what the caller says, in the order of the sightings, without gaps."""
    faces = np.vstack([people(1, 5)[0], people(2, 1, seed=8)[:, 0]])
    before = [3, 3, 3, 3, 3, 3, 3]
    assert recluster(faces, before, all_of(faces), (), (), PLAIN).tolist() == [3, 3, 3, 3, 3, 4, 5]
    after = recluster(faces, before, all_of(faces), (), (), PLAIN, next_id=70)
    assert after.tolist() == [3, 3, 3, 3, 3, 70, 71]
    with pytest.raises(ValueError, match="next_id is 3"):
        recluster(faces, before, all_of(faces), (), (), PLAIN, next_id=3)


def test_what_a_user_said_is_left_alone() -> None:
    """A fixed cluster keeps its sightings, wrong ones as well; it gets none, and merges with none."""
    one, two = people(2, 6)
    faces = np.vstack([one, two])
    before = np.array([5, 5, 6, 6, 6, 8, 5, 2, 2, 2, 9, 9])
    after = recluster(faces, before, all_of(faces), {5}, (), PLAIN)
    assert ((after == 5) == (before == 5)).all()
    assert after.tolist() == [5, 5, 6, 6, 6, 6, 5, 2, 2, 2, 2, 2]


def test_nobody_is_added_to_what_a_user_said() -> None:
    """Who is nearest to a fixed cluster stays, with whoever is there, or with nobody."""
    one, two = people(2, 6)
    faces = np.vstack([one, two])
    before = np.array([5, 5, 5, 2, NOBODY, NOBODY, 2, 2, 2, 2, 2, 2])
    shaping = np.arange(12) != 5
    after = recluster(faces, before, shaping, {5}, (), PLAIN)
    assert after.tolist() == [5, 5, 5, 2, 6, NOBODY, 2, 2, 2, 2, 2, 2]


def test_two_faces_of_a_frame_stay_two_people() -> None:
    """However alike: their clusters do not merge, and neither moves to the other's."""
    faces = people(1, 6)[0]
    before = [1, 1, 1, 2, 2, 2]
    apart = recluster(faces, before, all_of(faces), (), [(0, 3)], PLAIN)
    assert apart[0] != apart[3]
    assert recluster(faces, before, all_of(faces), (), (), PLAIN).tolist() == [1] * 6
    together = recluster(faces, [1] * 6, all_of(faces), (), [(0, 3)], PLAIN)
    assert together[0] != together[3]
    assert sorted(np.unique(together, return_counts=True)[1])[-1] == 5


def test_poor_faces_change_no_cluster(crowd: np.ndarray) -> None:
    """They join the clusters that the others make, or none, and the others do not notice."""
    poor = people(40, 2, seed=9, spread=0.2).reshape(-1, 128)
    own = crowd[:5] + 0.02
    faces = np.vstack([crowd, poor, own])
    shaping = np.arange(len(faces)) < len(crowd)
    day = come_in(Clusters(SFACE_CLUSTERS), crowd)
    alone = recluster(crowd, day, all_of(crowd), (), (), SFACE_CLUSTERS)
    before = np.concatenate([day, np.full(len(poor) + 5, NOBODY)])
    before[len(crowd) : len(crowd) + 20] = day[0]
    after = recluster(faces, before, shaping, (), (), SFACE_CLUSTERS)
    assert (after[: len(crowd)] == alone).all()
    assert (after[len(crowd) : -5] == NOBODY).all()
    assert (after[-5:] == alone[:5]).all()


def test_sightings_without_a_cluster_get_one() -> None:
    """The pass makes clusters from nothing as well."""
    faces = people(10, 5, spread=0.5)
    after = recluster(faces.reshape(-1, 128), [NOBODY] * 50, [True] * 50, (), (), PLAIN).reshape(10, 5)
    assert (after == after[:, :1]).all()
    assert sorted(after[:, 0]) == list(range(10))


def test_nothing_is_nothing() -> None:
    """No sightings are no error; too few ids are one."""
    assert recluster(np.zeros((0, 128)), [], [], (), (), PLAIN).shape == (0,)
    with pytest.raises(ValueError, match="1 encodings, 2 ids"):
        recluster(np.ones((1, 128)), [1, 2], [True], (), (), PLAIN)
