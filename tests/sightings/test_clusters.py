"""Clusters of unknown faces: they follow their model, and what is undone leaves no trace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from unknown_faces import come_in, people

from face_det.engine import EngineOptions, build_engine
from face_det.media import load_image
from face_det.sightings import Clusters
from face_det.training import CLUSTER_PARAMETERS, SFACE_CLUSTERS, ClusterParameters

PLAIN = ClusterParameters(64, 0.5, 10)


def grown(*clusters: np.ndarray, parameters: ClusterParameters = PLAIN) -> Clusters:
    """Clusters 1, 2, ... of these encodings, each (n, 128)."""
    made = Clusters(parameters)
    for number, (first, *others) in enumerate(clusters, 1):
        made.found(number, first)
        for other in others:
            made.join(number, other)
    return made


def density(p: ClusterParameters, members: np.ndarray) -> float:
    """The log density of the members of one cluster, by their covariance."""
    n, b, w = len(members), p.correlation / p.dimensions, (1 - p.correlation) / p.dimensions
    covariance = w * np.eye(n) + b * np.ones((n, n))
    log_determinant = np.linalg.slogdet(covariance)[1]
    inverse = np.linalg.inv(covariance)
    return float(-(p.dimensions * log_determinant + np.sum(inverse * (members @ members.T))) / 2)


def test_the_ratio_is_that_of_the_model() -> None:
    """The formula of n and S is the ratio of multivariate normal densities, written out."""
    ours, theirs = people(2, 3)
    one = theirs[:1]
    expected = density(PLAIN, np.vstack([ours, one])) - density(PLAIN, ours) - density(PLAIN, one)
    ids, ratios = grown(ours).ratios(one)
    assert ids.tolist() == [1]
    assert ratios[0, 0] == pytest.approx(expected, abs=0.01)
    whole = density(PLAIN, np.vstack([ours, one])) - density(PLAIN, ours) - density(PLAIN, one)
    joined = grown(np.vstack([ours, one]))
    assert joined.ratios_without([1], one)[0] == pytest.approx(whole, abs=0.01)


@pytest.mark.parametrize("parameters", [PLAIN, replace(PLAIN, redundancy=0.5)], ids=["plain", "redundancy"])
def test_merging_asks_the_same_question_as_joining(parameters: ClusterParameters) -> None:
    """A cluster of one face has the ratio to another cluster that the face itself has."""
    own = people(1, 6)[0]
    clusters = grown(own[:5], own[5:], parameters=parameters)
    ((other, ratio),) = clusters.mergeable(2)
    assert other == 1
    clusters.drop(2)
    nearest = clusters.nearest(own[5])
    assert nearest is not None
    assert nearest[1] == pytest.approx(ratio, abs=0.01)


@pytest.fixture(params=[0, 10**6], ids=["by bounds", "each pair"])
def pairs_compared(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs are found in two ways, which must agree: by bounds, and by comparing each."""
    monkeypatch.setattr("face_det.sightings.clusters.FEW_PAIRS", request.param)


@pytest.mark.usefixtures("pairs_compared")
def test_pairs_are_found_whatever_their_sizes() -> None:
    """The quick bound overlooks no pair that the ratio itself finds."""
    faces = people(12, 9, spread=0.9)
    parts = [part for person in faces for part in (person[:1], person[1:3], person[3:])]
    clusters = grown(*parts, parameters=replace(PLAIN, redundancy=0.3))
    p, expected = clusters.parameters, []
    for one in range(len(parts)):
        for two in range(one + 1, len(parts)):
            sizes, sums = zip(*(clusters.sum_of(each + 1) for each in (one, two)), strict=True)
            worth = [float(p.effective(size)) for size in sizes]
            scaled = [total * each / size for total, each, size in zip(sums, worth, sizes, strict=True)]
            ratio = p.evidence(sum(worth), np.sum((scaled[0] + scaled[1]) ** 2))
            ratio = ratio - sum(p.evidence(n, np.sum(s**2)) for n, s in zip(worth, scaled, strict=True))
            if ratio >= p.threshold:
                expected.append((one + 1, two + 1))
    found = clusters.mergeable_pairs(clusters.ids())
    assert sorted(pair[:2] for pair in found) == expected
    assert len(expected) > 20
    assert [pair[2] for pair in found] == sorted((pair[2] for pair in found), reverse=True)


@pytest.mark.usefixtures("pairs_compared")
def test_strangers_change_no_pair() -> None:
    """Whether clusters are fewer or more than the faces in the largest of them."""
    faces = people(2, 30, spread=0.9)
    parts = [part for person in faces for part in (person[:1], person[1:4], person[4:])]
    strangers = people(60, 1, seed=9)
    few, many = (
        grown(*clusters, parameters=replace(PLAIN, redundancy=0.3))
        for clusters in (parts, [*parts, *strangers])
    )
    pairs = few.mergeable_pairs(few.ids())
    assert len(pairs) == 6
    assert many.mergeable_pairs(few.ids()) == pairs


@pytest.mark.usefixtures("pairs_compared")
def test_large_clusters_of_one_person_merge() -> None:
    """Two seasons of a person differ by more than chance allows; redundancy allows for it."""
    rng, seasons = np.random.default_rng(5), []
    centre = rng.normal(size=128)
    for _ in range(2):
        season = centre + 0.55 * rng.normal(size=128)
        seasons.append(season + 0.5 * rng.normal(size=(40, 128)))
    seasons = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in seasons]
    assert not grown(*seasons).mergeable(1)
    assert grown(*seasons, parameters=replace(PLAIN, redundancy=0.5)).mergeable(1)


def test_people_are_told_apart() -> None:
    """Each person has one cluster, and no cluster has two people."""
    given = come_in(Clusters(SFACE_CLUSTERS), people(20, 6).reshape(-1, 128)).reshape(20, 6)
    assert (given == given[:, :1]).all()
    assert len(set(given[:, 0])) == 20


def test_who_is_in_the_same_frame_is_somebody_else() -> None:
    """A barred cluster is passed over for the next best, or for none."""
    own, other = people(2, 4)
    clusters = grown(own[:2], own[2:3], other)
    best = clusters.nearest(own[3])
    assert best is not None
    assert best[0] == 1
    second = clusters.nearest(own[3], barred={1})
    assert second is not None
    assert second[0] == 2
    assert second[1] < best[1]
    assert clusters.nearest(own[3], barred=[1, 2, 99]) is None


def test_leaving_undoes_joining() -> None:
    """To the last bit, and in any order; the last face takes its cluster along."""
    faces = people(1, 30)[0]
    clusters = grown(faces[:10])
    before = clusters.sum_of(1)
    for face in faces[10:]:
        clusters.join(1, face)
    for face in faces[10:]:
        clusters.leave(1, face)
    count, total = clusters.sum_of(1)
    assert count == before[0]
    assert (total == before[1]).all()
    for face in faces[:10]:
        clusters.leave(1, face)
    assert len(clusters) == 0
    assert clusters.nearest(faces[0]) is None


def test_kept_sums_are_the_clusters() -> None:
    """Clusters made from what `sum_of` returned answer as those that they were."""
    faces = people(30, 4, spread=0.8)
    clusters = grown(*faces[:, :3])
    clusters.drop(7)
    clusters.merge(2, 9)
    ids = clusters.ids()
    counts, sums = zip(*(clusters.sum_of(each) for each in ids), strict=True)
    again = Clusters(PLAIN, ids, counts, sums)
    for person in faces:
        assert again.nearest(person[3]) == clusters.nearest(person[3])
    assert (7 in again, 9 in again, len(again)) == (False, False, 28)
    assert again.sum_of(2)[0] == 6


def test_the_least_missed_make_room() -> None:
    """Beyond `max_clusters`, those seen once go first, the one that came first before all."""
    faces = people(6, 2)
    clusters = Clusters(PLAIN, max_clusters=3)
    assert [clusters.found(one, faces[one, 0]) for one in (0, 1, 2)] == [[], [], []]
    clusters.join(0, faces[0, 1])
    assert clusters.found(3, faces[3, 0]) == [1]
    assert clusters.found(4, faces[4, 0]) == [2]
    clusters.join(3, faces[3, 1])
    clusters.join(4, faces[4, 1])
    assert clusters.found(5, faces[5, 0]) == [0]
    assert sorted(clusters.ids()) == [3, 4, 5]


def test_many_come_and_go() -> None:
    """The arrays grow, and gaps are filled: everybody is still found."""
    faces = people(700, 2, spread=0.3)
    clusters = Clusters(PLAIN)
    for one in range(700):
        clusters.found(one, faces[one, 0])
    for one in range(0, 700, 3):
        clusters.drop(one)
    for one in range(700):
        best = clusters.nearest(faces[one, 1])
        assert (best and best[0]) == (None if one % 3 == 0 else one)


def test_wrong_calls_are_refused() -> None:
    """An id is given once, and every cluster has its number and its sum."""
    face = people(1, 1)[0, 0]
    clusters = grown([face])
    with pytest.raises(ValueError, match="cluster 1 already"):
        clusters.found(1, face)
    with pytest.raises(ValueError, match="with itself"):
        clusters.merge(1, 1)
    with pytest.raises(ValueError, match="2 ids, 1 counts and 1 sums"):
        Clusters(PLAIN, [1, 2], [1], [face])
    with pytest.raises(ValueError, match="given twice"):
        Clusters(PLAIN, [1, 1], [1, 1], [face, face])


@pytest.mark.usefixtures("shared_networks")
def test_real_photos_become_the_people_in_them(photos: Mapping[str, Path]) -> None:
    """Three photos of one president are one person, and those of others are not."""
    engine = build_engine(EngineOptions(embedder="sface"))
    given, clusters = {}, Clusters(SFACE_CLUSTERS)
    for number, name in enumerate(("obama", "biden", "obama2", "astronaut", "obama3")):
        face = max(engine.faces([(load_image(photos[name]), None)])[0], key=lambda face: face.box.width)
        assert clusters.may_shape(face.norm, face.quality)
        assert face.encoding is not None
        best = clusters.nearest(face.encoding)
        given[name] = number if best is None else best[0]
        clusters.found(number, face.encoding) if best is None else clusters.join(best[0], face.encoding)
    assert given == {"obama": 0, "biden": 1, "obama2": 0, "astronaut": 3, "obama3": 0}


def test_of_joined_encodings_only_sface_counts() -> None:
    """What stands before it, dlib's encoding, makes no difference."""
    face, other = people(1, 2)[0]
    joined = Clusters(CLUSTER_PARAMETERS["both"])
    joined.found(1, np.concatenate([people(1, 1, seed=2)[0, 0], face]))
    plain = grown([face], parameters=SFACE_CLUSTERS)
    assert joined.nearest(np.concatenate([people(1, 1, seed=3)[0, 0], other])) == plain.nearest(other)
