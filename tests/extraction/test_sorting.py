"""Sorting by who is shown, and choosing the best."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from kill_points import run_killed
from toy_faces import ToyEngine, toy_recognizer
from toy_pictures import run_extraction, shown, toy_picture

from face_det.errors import DataError
from face_det.extraction import OUTPUT_JOURNAL, CropKind, ExtractOptions, SortOptions
from face_det.recognition import Recognizer

CALLS = [(os, "fsync"), (os, "link"), (Path, "replace"), (Path, "unlink"), (Path, "mkdir")]
SORTED = ExtractOptions(sort=SortOptions(by_person=True))


def knowing(*people: int) -> Recognizer:
    """A model that knows people by number."""
    return toy_recognizer(ToyEngine(), *people)


def folders(output: Path) -> Counter[str]:
    """How many files each folder has."""
    return Counter(name.rpartition("/")[0] for name in shown(output))


def several_visits(folder: Path) -> Path:
    """Person 1 in three photos, 2 and 3 together in three, and 4 in one."""
    for photo in range(3):
        toy_picture(folder / "monday" / f"{photo}.png", 1, photo=photo)
        toy_picture(folder / "tuesday" / f"{photo}.png", 2, 3, photo=photo)
    toy_picture(folder / "tuesday" / "9.png", 4)
    return folder


def test_people_by_name_and_strangers_by_likeness(tmp_path: Path) -> None:
    """Whoever is enrolled has a folder, strangers who were seen again have one each, others share one."""
    report = run_extraction(several_visits(tmp_path / "in"), tmp_path / "out", SORTED, knowing(1))
    expected = {"Person 1": 3, "unknown-1": 3, "unknown-2": 3, "@single": 1}
    assert folders(tmp_path / "out") == expected
    assert report.folders == expected


def test_without_a_model_everybody_is_a_stranger(tmp_path: Path) -> None:
    """The groups are the same."""
    run_extraction(several_visits(tmp_path / "in"), tmp_path / "out", SORTED)
    assert folders(tmp_path / "out") == {"unknown-1": 3, "unknown-2": 3, "unknown-3": 3, "@single": 1}


def test_several_crops_of_one_face(tmp_path: Path) -> None:
    """They lie together, and do not make somebody of one photo a group; without a face, there is no name."""
    toy_picture(tmp_path / "in" / "a.png", 1, empty_person=True)
    options = ExtractOptions(kinds=frozenset(CropKind), sort=SortOptions(by_person=True))
    run_extraction(tmp_path / "in", tmp_path / "out", options)
    assert folders(tmp_path / "out") == {"@single": 2, "@no-face": 1}


def test_the_best_of_each_person(tmp_path: Path) -> None:
    """So many are kept of each, and as many of each visit if that is wanted."""
    for day in ("monday", "tuesday"):
        for photo in range(4):
            toy_picture(tmp_path / "in" / day / f"{photo}.png", 1, photo=photo + 10 * (day == "tuesday"))
    run_extraction(tmp_path / "in", tmp_path / "a", ExtractOptions(sort=SortOptions(best=3)))
    assert folders(tmp_path / "a") == {"": 3}
    by_visit = ExtractOptions(sort=SortOptions(by_person=True, best=3, per_visit=True))
    run_extraction(tmp_path / "in", tmp_path / "b", by_visit, knowing(1))
    assert folders(tmp_path / "b") == {"Person 1": 6}


def test_the_same_picture_twice_is_not_two_views(tmp_path: Path) -> None:
    """Copies teach nothing: of two, --best keeps one."""
    toy_picture(tmp_path / "in" / "a.png", 1)
    toy_picture(tmp_path / "in" / "b.png", 1)
    run_extraction(tmp_path / "in", tmp_path / "out", ExtractOptions(sort=SortOptions(best=5)))
    assert folders(tmp_path / "out") == {"": 1}


def test_new_pictures_join_their_groups(tmp_path: Path) -> None:
    """What was sorted before stays where it is, even if somebody has looked through it meanwhile."""
    several_visits(tmp_path / "in")
    run_extraction(tmp_path / "in", tmp_path / "out", SORTED)
    before = shown(tmp_path / "out")
    (deleted, *_) = [name for name in before if name.startswith("unknown-2/")]
    (tmp_path / "out" / deleted).unlink()
    toy_picture(tmp_path / "in" / "wednesday" / "0.png", 2, photo=50)
    toy_picture(tmp_path / "in" / "wednesday" / "1.png", 4, photo=51)
    report = run_extraction(tmp_path / "in", tmp_path / "out", SORTED)
    after = shown(tmp_path / "out")
    assert after.keys() > before.keys() - {deleted}
    assert deleted not in after
    # One more of person 2, but one of them was deleted; and 4 now has a folder, beside the first photo.
    expected = {"unknown-1": 3, "unknown-2": 3, "unknown-3": 3, "@single": 1, "unknown-4": 1}
    assert folders(tmp_path / "out") == expected
    assert report.folders == {**expected, "unknown-2": 4}
    assert report.before == 7


def test_other_options_need_another_folder(tmp_path: Path) -> None:
    """Otherwise the folder would hold some of both, and nobody could tell which."""
    several_visits(tmp_path / "in")
    run_extraction(tmp_path / "in", tmp_path / "out", SORTED)
    with pytest.raises(DataError, match="was sorted with other options"):
        run_extraction(tmp_path / "in", tmp_path / "out", ExtractOptions(sort=SortOptions(best=2)))


def test_from_the_beginning(tmp_path: Path) -> None:
    """Without the journal, all is sorted anew by the model of now, and no folder gets somebody else."""
    several_visits(tmp_path / "in")
    run_extraction(tmp_path / "in", tmp_path / "out", SORTED)
    (tmp_path / "out" / OUTPUT_JOURNAL).unlink()
    report = run_extraction(tmp_path / "in", tmp_path / "out", SORTED, knowing(1))
    assert report.folders == {"Person 1": 3, "unknown-4": 3, "unknown-5": 3, "@single": 1}
    before = {"unknown-1": 3, "unknown-2": 3, "unknown-3": 3}
    assert folders(tmp_path / "out") == {**before, **report.folders}


def test_nothing_is_left_waiting(tmp_path: Path) -> None:
    """When all is sorted, only the plan is kept."""
    run_extraction(several_visits(tmp_path / "in"), tmp_path / "out", SORTED)
    assert [path.name for path in (tmp_path / "out" / ".face_det-sorting").iterdir()] == ["plan.json"]


@pytest.mark.slow
@pytest.mark.parametrize("sort", [False, True])
def test_a_kill_at_any_step(tmp_path: Path, *, sort: bool) -> None:
    """Whenever the process dies, running it again gives what one clean run gives."""
    toy_picture(tmp_path / "in" / "a.png", 1, 2)
    toy_picture(tmp_path / "in" / "b.png", 2, photo=1)
    options = ExtractOptions(sort=SortOptions(by_person=sort))
    known = knowing(1)
    run_extraction(tmp_path / "in", tmp_path / "clean", options, known)
    expected = shown(tmp_path / "clean")
    assert len(expected) == 3
    point = 0
    while True:
        point += 1
        output = tmp_path / str(point)
        survived = run_killed(point, CALLS, run_extraction, tmp_path / "in", output, options, known)
        run_extraction(tmp_path / "in", output, options, known)
        assert shown(output) == expected, f"killed at {point}"
        if survived:
            break
    assert point > 20
