"""How datasets are split: three layouts, and no photo is used twice."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from nobody import nobody

from face_det.errors import DataError
from face_det.evaluation.protocol import DatasetSplit, split_dataset


def made(folder: Path, **people: int) -> Path:
    """A folder with that many empty photos of each person."""
    for name, count in people.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            (folder / name / f"{number:03}.jpg").touch()
    return folder


def counts(found: DatasetSplit) -> tuple[int, int, int, int]:
    """Photos enrolled, strangers trained on, known people tested, strangers tested."""
    known = sum(photo.name is not None for photo in found.tested)
    return len(found.enrolled), len(found.strangers), known, len(found.tested) - known


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    """known/ and strangers/ in one folder of `tmp_path`."""
    made(tmp_path / "faces" / "known", Alice=7, Bob=3, Carol=1)
    made(tmp_path / "faces", strangers=10)
    return tmp_path


def test_first_photos_by_name_are_enrolled(benchmark: Path) -> None:
    """Five photos are enrolled, or all but one, or the only one; strangers are taken in order."""
    found = split_dataset(benchmark / "faces", strangers=4)
    assert counts(found) == (5 + 2 + 1, 4, 2 + 1, 6)
    alice = [photo.path.stem for photo in found.enrolled if photo.name == "Alice"]
    assert alice == ["000", "001", "002", "003", "004"]
    assert [photo.path.stem for photo in found.strangers] == ["000", "001", "002", "003"]
    assert found.people == ("Alice", "Bob", "Carol")


def test_the_folder_around_it_will_do(benchmark: Path) -> None:
    """The only subfolder with known/ and strangers/ is used; two of them are an error."""
    assert split_dataset(benchmark, strangers=4) == split_dataset(benchmark / "faces", strangers=4)
    made(benchmark / "other" / "known", Dave=2)
    made(benchmark / "other", strangers=2)
    with pytest.raises(DataError, match="must hold a folder of photos for each person"):
        split_dataset(benchmark)


def test_no_photo_is_both_learnt_and_tested(benchmark: Path) -> None:
    """All photos are used, each once."""
    found = split_dataset(benchmark, strangers=4)
    paths = [photo.path for photo in found.photos]
    assert len(paths) == len(set(paths)) == 7 + 3 + 1 + 10


def test_half_of_unknown_is_tested(tmp_path: Path) -> None:
    """Half of Unknown is trained on and half tested; at most `strangers` are trained on."""
    dataset = made(tmp_path, Alice=6, Unknown=9)
    assert counts(split_dataset(dataset)) == (5, 4, 1, 5)
    assert counts(split_dataset(dataset, strangers=2)) == (5, 2, 1, 7)
    assert counts(split_dataset(dataset, enrol_photos=2)) == (2, 4, 4, 5)


def test_photos_held_out(tmp_path: Path) -> None:
    """The whole dataset is enrolled; people outside it are strangers, and so is Unknown."""
    dataset = made(tmp_path / "dataset", Alice=6, Bob=2, Unknown=3)
    held_out = made(tmp_path / "held", Alice=2, Zoe=3, Unknown=1)
    found = split_dataset(dataset, held_out)
    assert counts(found) == (8, 3, 2, 4)
    assert counts(split_dataset(dataset, held_out, enrol_photos=1)) == (2, 3, 2, 4)


def test_fewer_photos_leave_the_tests_as_they_are(benchmark: Path) -> None:
    """The tests stay the same, so that results with 1, 3 and 5 photos can be compared."""
    found = split_dataset(benchmark, strangers=4)
    one = found.with_photos(1)
    assert [photo.path.stem for photo in one.enrolled] == ["000"] * 3
    assert (one.tested, one.strangers) == (found.tested, found.strangers)


def test_some_of_the_people(benchmark: Path) -> None:
    """People are the first by name or drawn with a seed; the others are left out, not made strangers."""
    found = split_dataset(benchmark, strangers=4, only=1)
    assert found.people == ("Alice",)
    assert counts(found) == (5, 4, 2, 6)
    drawn = {split_dataset(benchmark, strangers=4, only=1, seed=seed).people for seed in range(20)}
    assert len(drawn) == 3
    assert split_dataset(benchmark, only=2, seed=7) == split_dataset(benchmark, only=2, seed=7)
    with pytest.raises(DataError, match="people: must be at most the 3 available, got 4"):
        split_dataset(benchmark, only=4)


@pytest.mark.parametrize("layout", ["known and strangers", "dataset"])
def test_some_strangers_are_always_tested(tmp_path: Path, layout: str) -> None:
    """At most half of the strangers are trained on, however few there are."""
    if layout == "dataset":
        made(tmp_path, Alice=6, Unknown=20)
    else:
        made(tmp_path / "known", Alice=6)
        made(tmp_path, strangers=20)
    assert counts(split_dataset(tmp_path)) == (5, 10, 1, 10)


def test_any_layout_may_be_held_out_and_held_against(benchmark: Path, tmp_path: Path) -> None:
    """strangers/ is never a person's name, in either folder."""
    other = made(tmp_path / "other" / "known", Alice=2, Zoe=1)
    made(tmp_path / "other", strangers=3)
    dataset = made(tmp_path / "dataset", Alice=6, Unknown=2)
    for folder, enrolled, trained in ((benchmark / "faces", 11, 10), (dataset, 6, 2)):
        assert counts(split_dataset(folder, other.parent)) == (enrolled, trained, 2, 1 + 3)
    found = split_dataset(benchmark / "faces", dataset)
    assert found.people == ("Alice", "Bob", "Carol")
    assert counts(found) == (11, 10, 6, 2)


def test_copies_of_what_is_learnt_are_not_tested(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Copies are not tested, whatever their names; such a test would prove nothing."""
    dataset = made(tmp_path / "dataset", Alice=3, Bob=2, Unknown=4)
    for number, path in enumerate(sorted(dataset.rglob("*.jpg"))):
        path.write_bytes(b"picture %d" % number)
    held_out = tmp_path / "held"
    shutil.copytree(dataset, held_out)
    with pytest.raises(DataError, match="to test besides those enrolled, got none"):
        split_dataset(dataset, held_out)
    (held_out / "Alice" / "copy.jpg").write_bytes((dataset / "Bob" / "000.jpg").read_bytes())
    (held_out / "Alice" / "new.jpg").write_bytes(b"picture X")
    caplog.clear()
    assert [photo.path.name for photo in split_dataset(dataset, held_out).tested] == ["new.jpg"]
    assert "10 photos are copies" in caplog.text
    (dataset / "Alice" / "999.jpg").write_bytes((dataset / "Alice" / "000.jpg").read_bytes())
    assert [photo.path.name for photo in split_dataset(dataset).tested if photo.name == "Alice"] == []


@pytest.mark.parametrize("mode", [0o000, 0o444])
@pytest.mark.parametrize("which", ["dataset", "dataset/Alice", "held", "held/Alice"])
def test_folders_that_may_not_be_read(tmp_path: Path, which: str, mode: int) -> None:
    """The error names the folder, whichever permission is missing."""
    made(tmp_path / "dataset", Alice=3)
    made(tmp_path / "held", Alice=3)
    (tmp_path / which).chmod(mode)
    with (
        nobody(tmp_path),
        pytest.raises(DataError, match=f"{tmp_path / which}.*(Permission denied|got none)"),
    ):
        split_dataset(tmp_path / "dataset", tmp_path / "held")
    (tmp_path / which).chmod(0o755)


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    """A missing folder, nobody to enrol, and nobody to test are errors."""
    with pytest.raises(DataError, match="nowhere: must be a folder"):
        split_dataset(tmp_path / "nowhere")
    with pytest.raises(DataError, match="must hold a folder of photos for each person, got none"):
        split_dataset(tmp_path)
    made(tmp_path, Alice=1)
    with pytest.raises(
        DataError, match=r"to test besides those enrolled, got none \(1 photos of 1 people are enrolled\)"
    ):
        split_dataset(tmp_path)
    with pytest.raises(DataError, match="elsewhere: must be a folder"):
        split_dataset(tmp_path, tmp_path / "elsewhere")
