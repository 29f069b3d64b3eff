"""Where the faces are, and what counts as found."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from face_det.comparison.annotations.faces import AnnotatedFace, AnnotatedPicture, Annotations
from face_det.comparison.detecting import DetectorRun, Finding
from face_det.comparison.pictures import FolderPictures, Picture
from face_det.comparison.scoring import match_boxes, score_run
from face_det.comparison.truth import truth_from_agreement, truth_from_annotations
from face_det.errors import DataError
from face_det.types import Box

FOLDER = Path("/pictures")
FACE, OTHER, WALL = Box(10, 10, 50, 50), Box(60, 10, 90, 40), Box(0, 60, 30, 90)


def picture(name: str) -> Picture:
    return Picture(FOLDER / name, name, 100, 100)


HALL, DOOR, ELSEWHERE = picture("hall.jpg"), picture("sub/door.jpg"), picture("other/door.jpg")
PICTURES = FolderPictures(FOLDER, (HALL, DOOR, ELSEWHERE), ())


def annotated(name: str, *boxes: Box, size: tuple[int, int] | None = None) -> AnnotatedPicture:
    return AnnotatedPicture(name, tuple(map(AnnotatedFace, boxes)), size)


def run(detector: str, *boxes: Box, scale: Fraction = Fraction(1)) -> DetectorRun:
    return DetectorRun(detector, scale, {HALL.sha256: Finding(boxes, 10.0)})


def test_annotations_that_do_not_fit_are_told() -> None:
    """Gone pictures, ambiguous names, another size, boxes outside: none counts, and each is named."""
    given = Annotations(
        "COCO",
        (
            annotated("hall.jpg", Box(-10, -10, 20, 20), Box(100, 0, 140, 40), FACE, size=(100, 100)),
            annotated("0--Door/door.jpg", FACE),
            annotated("sub/door.jpg", FACE, size=(200, 100)),
            annotated("gone.jpg", FACE),
        ),
    )
    truth = truth_from_annotations(given, Path("faces.json"), PICTURES)
    assert truth.annotated
    assert [*truth.faces] == [HALL.path]
    assert [face.box for face in truth.faces[HALL.path]] == [Box(0, 0, 20, 20), FACE]
    told = "\n".join(truth.problems)
    assert "hall.jpg: a box lies outside the picture, or is empty: 100, 0, 140, 40" in told
    assert "0--Door/door.jpg: there are several of that name" in told
    assert "sub/door.jpg: annotated at 200 x 100 pixels, but it is 100 x 100; not counted" in told
    assert "gone.jpg: not in the folder" in told
    assert "2 of 3 pictures are not annotated; not counted" in told
    with pytest.raises(DataError, match=r"must name pictures in /pictures, got none; the first: gone\.jpg"):
        truth_from_annotations(Annotations("COCO", given.pictures[3:]), Path("faces.json"), PICTURES)


def test_relatives_have_one_vote() -> None:
    """Two kinds of three must agree; auto is YuNet again, and at whatever scale has no second vote."""
    runs = [
        run("yunet", FACE, WALL),
        run("yunet", FACE, WALL, scale=Fraction(2)),
        run("auto", FACE, WALL),
        run("hog", Box(12, 12, 50, 50)),
        run("ssd", OTHER),
    ]
    truth = truth_from_agreement(runs, [HALL], 0.4)
    assert truth is not None
    assert not truth.annotated
    assert (truth.at_least, truth.of) == (2, 3)
    (face,) = truth.faces[HALL.path]
    assert face.box == Box(11, 11, 50, 50)
    assert truth_from_agreement(runs[:3], [HALL], 0.4) is None


def test_a_face_is_found_once_and_what_does_not_count_does_no_harm() -> None:
    """The better of two boxes is right, the other a false alarm; small and ignored faces are as nothing."""
    faces = [AnnotatedFace(FACE), AnnotatedFace(OTHER, ignored=True), AnnotatedFace(Box(0, 80, 9, 89))]
    near, one_of_a_crowd, tiny = Box(14, 14, 52, 52), Box(62, 12, 79, 29), Box(80, 80, 85, 85)
    found = match_boxes(faces, [near, FACE, OTHER, one_of_a_crowd, Box(0, 80, 9, 88), tiny, WALL], 0.4, 16)
    assert found.right == (FACE,)
    assert found.alarms == (near, WALL)
    assert (found.found, found.missed) == ((FACE,), ())


def test_one_box_is_not_two_faces() -> None:
    """Of two heads together, of which a detector sees one, the other is missed."""
    together = [AnnotatedFace(Box(0, 0, 40, 40)), AnnotatedFace(Box(12, 0, 52, 40))]
    found = match_boxes(together, [Box(6, 0, 46, 40)], 0.4, 16)
    assert (len(found.found), len(found.missed), len(found.alarms)) == (1, 1, 0)


def test_a_failure_counts_as_nothing_found() -> None:
    """A detector that crashes on a picture has missed its faces, and the picture still counts."""
    truth = truth_from_annotations(Annotations("COCO", (annotated("hall.jpg", FACE),)), Path("a"), PICTURES)
    broken = DetectorRun("hog", Fraction(1), {}, {HALL.sha256: "crashed with SIGSEGV"})
    score = score_run(broken, PICTURES.pictures, truth, 0.4, 16)
    assert score.recall is not None
    assert (score.recall.count, score.recall.total, score.alarms, score.pictures) == (0, 1, 0, 1)
    assert score.ms is None
    assert [share.total for share in score.by_size] == [0, 1, 0, 0]
