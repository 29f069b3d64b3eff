"""Findings about photos, on encodings drawn as dlib's lie, and on what is seen of photos."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from synthetic import photos as drawn

from face_det.embedders.specs import (
    EMBEDDERS,
    DistanceSpread,
    ExpectedDistances,
    configurable_embedders,
    distance_thresholds,
    expected_distances,
    on_demand_embedders,
)
from face_det.gallery.check import copies, facts
from face_det.gallery.check.facts import PhotoFacts
from face_det.gallery.check.findings import CheckedPhoto, Finding, FindingKind, find_problems
from face_det.gallery.check.likelihood import LikelihoodModel, fit_likelihood
from face_det.gallery.encoding_cache import OmissionReason
from face_det.media import transform
from face_det.types import UNKNOWN, Encodings


def expected_by_embedder() -> dict[str, ExpectedDistances]:
    """What is expected of each embedder's distances, as far as it is known."""
    return {
        name: spec.expected_distances
        for name, spec in EMBEDDERS.items()
        if spec.expected_distances is not None
    }


FAMILY = ("Alice", "Bob", "Carol", "Dan")


class Dataset:
    """Photos with their encodings, one after the other."""

    def __init__(self, counts: Mapping[str, int] | None = None) -> None:
        self.photos: list[CheckedPhoto] = []
        self.rows: list[Encodings] = []
        for name, count in (counts or dict.fromkeys(FAMILY, 5)).items():
            for row in drawn(name, count):
                self.add(name, row)

    def add(self, name: str, row: Encodings | None, **other: object) -> Path:
        """One photo more; its path."""
        path = Path(f"dataset/{name}/{len(self.photos):03d}.jpg")
        given = {"sha256": hashlib.sha256(str(path).encode()).hexdigest(), "omission": None, "facts": None}
        self.photos.append(CheckedPhoto(name, path, **{**given, **other}))  # type: ignore[arg-type]
        if row is not None:
            self.rows.append(row)
        return path

    def check(self) -> list[Finding]:
        rows = np.array(self.rows).reshape(-1, 128)
        even = distance_thresholds("dlib_resnet").even_distance
        return find_problems(self.photos, rows, embedder="dlib_resnet", even_distance=even)

    def of(self, *kinds: FindingKind) -> list[Finding]:
        return [finding for finding in self.check() if finding.kind in kinds]


WHO = (
    FindingKind.MISPLACED,
    FindingKind.NOT_A_STRANGER,
    FindingKind.MIXED,
    FindingKind.ONE_PERSON,
    FindingKind.LOOK_ALIKE,
)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 20])
def test_nobody_is_accused_in_a_clean_dataset(count: int) -> None:
    """However few photos there are."""
    assert Dataset({**dict.fromkeys(FAMILY, count), UNKNOWN: 50}).of(*WHO) == []


@pytest.mark.parametrize("count", [3, 5, 12])
def test_a_photo_of_another_is_found_and_named(count: int) -> None:
    """Who it is more likely is said."""
    dataset = Dataset(dict.fromkeys(FAMILY, count))
    path = dataset.add("Alice", drawn("Bob", 1, seed=7)[0])
    (finding,) = dataset.of(*WHO)
    assert (finding.kind, finding.path, finding.other) == (FindingKind.MISPLACED, path, "Bob")
    assert finding.sure > 0.95


def test_a_photo_of_nobody_known_is_found_without_a_name() -> None:
    """An outlier that nobody matches."""
    dataset = Dataset()
    path = dataset.add("Alice", drawn("Somebody else", 1)[0])
    (finding,) = dataset.of(*WHO)
    assert (finding.kind, finding.path, finding.other) == (FindingKind.MISPLACED, path, None)


def test_two_of_five_are_found() -> None:
    """The three that agree are not put in a bad light by them."""
    dataset = Dataset({**dict.fromkeys(FAMILY, 5), "Eve": 3})
    wrong = {dataset.add("Eve", drawn("Nobody", 1)[0]), dataset.add("Eve", drawn("Bob", 1, seed=3)[0])}
    assert {finding.path for finding in dataset.of(*WHO)} == wrong


def test_the_clearest_case_no_longer_speaks() -> None:
    """Four strangers among nine: each that is found clears the view on the rest."""
    dataset = Dataset({**dict.fromkeys(FAMILY, 5), "Eve": 5})
    wrong = {dataset.add("Eve", drawn(f"Nobody {number}", 1)[0]) for number in range(4)}
    found = dataset.of(*WHO)
    assert {finding.path for finding in found} == wrong
    assert min(finding.sure for finding in found) > 0.8


def test_every_twentieth_photo_moved(tmp_path: Path) -> None:
    """Of photos moved to other people's folders nearly all are found, and nothing else."""
    names = [f"Person {number}" for number in range(20)]
    rng = np.random.default_rng(0)
    dataset = Dataset(dict.fromkeys(names, 5))
    moved = rng.choice(100, 5, replace=False)
    for index in moved:
        old = dataset.photos[index]
        name = names[(names.index(old.name) + 1 + int(rng.integers(18))) % 20]
        dataset.photos[index] = CheckedPhoto(name, old.path, old.sha256, None, None)
    found = {finding.path for finding in dataset.of(FindingKind.MISPLACED)}
    assert found == {dataset.photos[index].path for index in moved}


@pytest.mark.parametrize("other", ["Nobody", "Bob"])
def test_two_photos_that_disagree_accuse_neither(other: str) -> None:
    """With two photos nobody can say which is wrong, even if one is like somebody else's."""
    dataset = Dataset({**dict.fromkeys(FAMILY, 5), "Eve": 1})
    dataset.add("Eve", drawn(other, 1, seed=3)[0])
    found = dataset.of(*WHO)
    assert (found[0].kind, found[0].person) == (FindingKind.MIXED, "Eve")
    assert all(finding.path is None for finding in found)


def test_two_against_two_accuse_none() -> None:
    """No majority, nobody known: the person is reported, no photo is."""
    dataset = Dataset({**dict.fromkeys(FAMILY, 5), "Eve": 2})
    for row in drawn("Nobody", 2):
        dataset.add("Eve", row)
    assert [(one.kind, one.person, one.path) for one in dataset.of(*WHO)] == [
        (FindingKind.MIXED, "Eve", None)
    ]


def test_a_file_does_not_vouch_for_itself() -> None:
    """A misplaced photo that lies there three times is still alone."""
    dataset = Dataset()
    row = drawn("Nobody", 1)[0]
    for _ in range(4):
        dataset.add("Alice", row, sha256="same")
    assert [finding.path for finding in dataset.of(FindingKind.MISPLACED)] == [dataset.photos[20].path]
    assert len(dataset.of(FindingKind.DUPLICATE)) == 3


def test_family_among_the_strangers() -> None:
    """A photo in Unknown that somebody enrolled is on."""
    dataset = Dataset({**dict.fromkeys(FAMILY, 8), UNKNOWN: 30})
    path = dataset.add(UNKNOWN, drawn("Carol", 8).mean(axis=0))
    (finding,) = dataset.of(*WHO)
    assert (finding.kind, finding.path, finding.other) == (FindingKind.NOT_A_STRANGER, path, "Carol")


def test_one_person_under_two_names() -> None:
    """Bob and Robert: no photo of either is misplaced."""
    dataset = Dataset()
    for row in drawn("Bob", 5, seed=5):
        dataset.add("Robert", row)
    found = dataset.of(*WHO)
    assert {(finding.kind, finding.person, finding.other) for finding in found} == {
        (FindingKind.ONE_PERSON, "Bob", "Robert")
    }


def test_people_who_look_alike() -> None:
    """A sister half-way: how many comparisons cannot be told apart."""
    dataset = Dataset()
    between = 0.55 * drawn("Dan", 200).mean(axis=0) + 0.45 * drawn("Eric", 200).mean(axis=0)
    for row in drawn("Frank", 5) - drawn("Frank", 200).mean(axis=0) + between:
        dataset.add("Dora", row)
    (finding,) = dataset.of(*WHO)
    assert (finding.kind, finding.person, finding.other) == (FindingKind.LOOK_ALIKE, "Dan", "Dora")
    assert 0.1 <= finding.sure <= 1.0


def test_a_burst_does_not_make_strangers_of_other_days() -> None:
    """Many frames of one moment, and one photo of another day: it is the person all the same."""
    dataset = Dataset(dict.fromkeys(FAMILY, 1))
    rng = np.random.default_rng(0)
    day = drawn("Alice", 2)
    for _ in range(40):
        dataset.add("Alice", day[0] + rng.normal(scale=0.003, size=128))
    dataset.add("Alice", day[1])
    assert dataset.of(*WHO) == []
    assert len(dataset.of(FindingKind.NEAR_DUPLICATE)) == 40


def test_expectations_only_widen() -> None:
    """What is fitted never takes a person's own photos for nearer than expected, nor swaps the two."""
    expected = expected_distances("dlib_resnet")
    tight = fit_likelihood(np.full(500, 0.1), np.full(500, 0.2), expected)
    assert tight.same == expected.same
    assert tight.other.middle > tight.same.middle
    wide = fit_likelihood(np.random.default_rng(0).normal(0.6, 0.1, 500), np.full(9, np.nan), expected)
    assert wide.same.middle > 0.55
    assert wide.other == expected.other


def test_nearer_is_always_likelier() -> None:
    """The odds fall with the distance, from end to end; no distance says nothing."""
    for expected in expected_by_embedder().values():
        ratios = LikelihoodModel(expected.same, expected.other).log_ratio(np.linspace(0, 2, 100), 5)
        assert (np.diff(ratios) <= 0).all()
        assert ratios[0] > 2
        assert ratios[-1] < -2
    assert LikelihoodModel(DistanceSpread(1, 1), DistanceSpread(2, 1)).log_ratio(np.array([np.nan]), 1) == 0


def test_few_distances_say_less() -> None:
    """A median of one or two is taken for less certain."""
    likeness = LikelihoodModel(expected_distances("both").same, expected_distances("both").other)
    assert likeness.log_ratio(np.array([1.2]), 1)[0] > likeness.log_ratio(np.array([1.2]), 5)[0]


def test_expected_distances_lie_around_the_even_one() -> None:
    """The figures belong to the embedders that are asked for: of dlib's, one view is looked at.

    Photos are never checked by their pixels.
    """
    assert expected_by_embedder().keys() == {*configurable_embedders()} - {*on_demand_embedders()}
    for name, expected in expected_by_embedder().items():
        assert isinstance(expected, ExpectedDistances)
        assert expected.same.middle < distance_thresholds(name).even_distance < expected.other.middle


def test_what_has_no_encoding_says_why() -> None:
    """Each reason for leaving a photo out is a finding, and the person has too few."""
    dataset = Dataset({"Alice": 4})
    paths = {omission: dataset.add("Alice", None, omission=omission) for omission in OmissionReason}
    kinds = {
        OmissionReason.BAD_IMAGE: FindingKind.UNREADABLE,
        OmissionReason.NO_FACE: FindingKind.NO_FACE,
        OmissionReason.SEVERAL_FACES: FindingKind.SEVERAL_FACES,
        OmissionReason.TOO_SMALL: FindingKind.SMALL_FACE,
        OmissionReason.NO_DECODER: FindingKind.UNREADABLE,
        OmissionReason.TOO_LARGE: FindingKind.UNREADABLE,
    }
    found = {(finding.path, finding.kind) for finding in dataset.check()}
    assert found == {(paths[omission], kinds[omission]) for omission in OmissionReason} | {
        (None, FindingKind.TOO_FEW)
    }


def test_small_and_blurry_faces() -> None:
    """By pixels and by sharpness at one size."""
    dataset = Dataset({"Alice": 5})
    good, small, blurry = (
        PhotoFacts(90, 80, "00" * 32),
        PhotoFacts(29, 80, "0f" * 32),
        PhotoFacts(90, 9, "f0" * 32),
    )
    rows = drawn("Alice", 3, seed=4)
    dataset.add("Alice", rows[0], facts=good)
    wanted = {
        (dataset.add("Alice", rows[1], facts=small), FindingKind.SMALL_FACE),
        (dataset.add("Alice", rows[2], facts=blurry), FindingKind.BLURRY),
    }
    assert {(finding.path, finding.kind) for finding in dataset.check()} == wanted


def test_too_few_photos_and_strangers() -> None:
    """Counted are photos that can be used."""
    dataset = Dataset({"Alice": 5, "Bob": 4, UNKNOWN: 19})
    found = dataset.of(FindingKind.TOO_FEW)
    assert [finding.person for finding in found] == ["Bob", UNKNOWN]
    assert "fetch-lfw" in found[1].todo


def test_the_same_file_under_two_names() -> None:
    """Each place is reported, with the other."""
    dataset = Dataset()
    row = drawn("Alice", 1, seed=9)[0]
    paths = [dataset.add(name, row, sha256="same") for name in ("Alice", "Bob")]
    found = dataset.of(FindingKind.SHARED)
    assert [(one.path, one.related) for one in found] == [tuple(paths), tuple(reversed(paths))]
    assert [finding.path for finding in dataset.of(FindingKind.MISPLACED)] == [paths[1]]


def test_a_shared_file_goes_from_where_it_does_not_belong() -> None:
    """Only from there, and as surely as that is known; where nothing tells, from nowhere."""
    dataset = Dataset({**dict.fromkeys(FAMILY, 5), UNKNOWN: 30})
    row, other = drawn("Alice", 1, seed=9)[0], drawn("Carol", 8).mean(axis=0)
    right, wrong = (dataset.add(name, row, sha256="same") for name in ("Alice", "Bob"))
    stranger, own = (dataset.add(name, other, sha256="other") for name in (UNKNOWN, "Carol"))
    unseen = [
        dataset.add(name, None, omission=OmissionReason.NO_FACE, sha256="empty") for name in ("Alice", "Dan")
    ]
    sure = {one.path: one.sure for one in dataset.of(FindingKind.MISPLACED, FindingKind.NOT_A_STRANGER)}
    assert sure.keys() == {wrong, stranger}
    shared = {one.path: one.wrong for one in dataset.of(FindingKind.SHARED)}
    assert shared == {**dict.fromkeys([right, own, *unseen], 0.0), **sure}


def test_of_a_file_and_a_link_to_it_the_link_goes() -> None:
    """Wherever it stands in the alphabet; and if they are misplaced, both do."""
    dataset = Dataset()
    row = drawn("Alice", 1, seed=9)[0]
    link, real = (dataset.add("Alice", row, sha256="same", link=link) for link in (True, False))
    assert [(one.path, one.related) for one in dataset.of(FindingKind.DUPLICATE)] == [(link, real)]
    wrong = drawn("Nobody", 1)[0]
    link, real = (dataset.add("Bob", wrong, sha256="wrong", link=link) for link in (True, False))
    assert [one.path for one in dataset.of(FindingKind.MISPLACED)] == [real]
    assert link in [one.path for one in dataset.of(FindingKind.DUPLICATE)]


def test_a_file_that_cannot_be_opened_may_be_a_good_photo() -> None:
    """What the system said is told; nobody is to delete it, or save it anew."""
    dataset = Dataset({"Alice": 5})
    given = {"omission": OmissionReason.BAD_IMAGE, "sha256": ""}
    closed = dataset.add("Alice", None, closed="Permission denied", **given)
    broken = dataset.add("Alice", None, **given)
    found = {one.path: one for one in dataset.of(FindingKind.UNREADABLE)}
    assert (found[closed].what, found[closed].wrong) == ("cannot be opened: Permission denied", 0.0)
    assert "delete" not in found[closed].todo
    assert "save" not in found[closed].todo
    assert (found[broken].what, found[broken].wrong) == ("cannot be read as a picture", None)


def test_the_better_copy_is_kept() -> None:
    """Quality decides which is reported; a chain of small steps is not one moment."""
    signs = ["00" * 32] * 2 + ["ff" * 32] * 2
    rows = np.zeros((4, 2))
    rows[:, 0] = (0.0, 0.1, 0.35, 0.45)  # next ones nearer than half of the usual distance, the ends not
    found = copies.find_copies(list("abcd"), signs, rows, np.array([1.0, 2, 3, 0]), usual=0.4)
    assert [(copy.index, copy.kept, copy.picture) for copy in found] == [(0, 1, True), (3, 2, True)]
    steps = copies.find_copies(list("abcd"), [None] * 4, rows, np.array([4.0, 3, 2, 1]), usual=0.4)
    assert [(copy.index, copy.kept) for copy in steps] == [(1, 0), (3, 2)]


def test_signs_outlast_saving_and_scaling(photos: dict[str, Path]) -> None:
    """A picture's signs stay when it is scaled or lit otherwise; another's are others."""
    from face_det.media import image

    def differing(one: str, two: str) -> float:
        bits = [np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8)) for text in (one, two)]
        return float((bits[0] != bits[1]).mean())

    picture, other = image.load_image(photos["obama"]), image.load_image(photos["biden"])
    signs = facts.difference_hash(picture)
    height, width = picture.shape[:2]
    assert (
        differing(signs, facts.difference_hash(transform.resize_image(picture, width // 3, height // 3)))
        < 0.05
    )
    assert differing(signs, facts.difference_hash((picture * 0.7).astype(np.uint8))) < 0.05
    assert differing(signs, facts.difference_hash(other)) > 0.2


def test_nothing_at_all() -> None:
    """No photo with a face, and only strangers."""
    nobody = Dataset({UNKNOWN: 25})
    assert nobody.check() == []
    empty = Dataset({"Alice": 1})
    empty.photos.clear()
    empty.rows.clear()
    empty.add("Alice", None, omission=OmissionReason.NO_FACE)
    assert {finding.kind for finding in empty.check()} == {FindingKind.NO_FACE, FindingKind.TOO_FEW}


def test_encodings_must_fit_the_photos() -> None:
    """A row for each photo with a face."""
    dataset = Dataset()
    dataset.rows.pop()
    with pytest.raises(ValueError, match="must hold one for each photo with a face, got 19 for 20"):
        dataset.check()
