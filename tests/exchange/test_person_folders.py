"""Folders that are called what the person is: Frigate's, Double Take's, pyzm's and the knn example's."""

from __future__ import annotations

import itertools
from pathlib import Path

import kill_points
import pytest
from drawn_pictures import draw, drawn

from face_det.errors import DataError
from face_det.exchange import FORMATS, FaceFinder, FoundPhotos, Source, plan_export, write_exported


def find(form: str, path: Path) -> FoundPhotos:
    return FORMATS.create(form).find(Source(str(path)))


def names_of(found: FoundPhotos) -> list[str]:
    return [photo.name for photo in found.photos]


def no_finder() -> FaceFinder:
    """A finder for formats that do not need one."""

    def build():
        raise AssertionError("no face is looked for")

    return FaceFinder(build)


def export(form: str, dataset: Path, folder: Path) -> list[tuple[str, bool, str | None]]:
    people = {one.name: sorted(one.iterdir()) for one in sorted(dataset.iterdir())}
    files = plan_export(form, people, no_finder())
    return [
        (str(one.path.relative_to(folder)), one.written, one.reason) for one in write_exported(files, folder)
    ]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file in the folder and below it, hidden ones too."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_whose_photos_are_found(tmp_path: Path) -> None:
    """Each folder is a person; whatever lies elsewhere is named, and other files and hidden ones are not."""
    draw(tmp_path / "Ann/2.jpg", 2)
    draw(tmp_path / "Ann/1.webp", 1, "WEBP")
    draw(tmp_path / "Bob/1.png", 3)
    draw(tmp_path / "Bob/old/4.png", 4)
    draw(tmp_path / "loose.png", 5)
    draw(tmp_path / ".trash/6.png", 6)
    draw(tmp_path / "elsewhere/Cid/7.png", 7)
    (tmp_path / "Linked").symlink_to(tmp_path / "Bob")
    (tmp_path / "Ann/notes.txt").write_text("no picture")
    (tmp_path / "database.db").write_text("no picture")
    found = find("double-take", tmp_path)
    assert [(one.name, Path(one.place).name) for one in found.photos] == [
        ("Ann", "1.webp"),
        ("Ann", "2.jpg"),
        ("Bob", "1.png"),
    ]
    assert found.photos[0].read().data == drawn(1, "WEBP")
    assert sorted(Path(one.place).name for one in found.left_out) == ["Cid", "Linked", "loose.png", "old"]


@pytest.mark.parametrize(
    ("form", "inside"),
    [
        ("frigate", "clips/faces"),
        ("double-take", ".storage/train"),
        ("pyzm", "known_faces"),
        ("face-recognition", "train"),
    ],
)
def test_the_programs_own_folder_will_do(tmp_path: Path, form: str, inside: str) -> None:
    """Whoever names the folder above finds the same people."""
    draw(tmp_path / inside / "Ann/1.png", 1)
    draw(tmp_path / "test/both.png", 2)
    assert names_of(find(form, tmp_path)) == names_of(find(form, tmp_path / inside)) == ["Ann"]


def test_somebody_may_be_called_train(tmp_path: Path) -> None:
    """A folder of pictures is a person's, even if it has the name of the folder of people."""
    draw(tmp_path / "train/1.png", 1)
    draw(tmp_path / "Ann/1.png", 2)
    assert names_of(find("face-recognition", tmp_path)) == ["Ann", "train"]
    assert names_of(find("frigate", tmp_path)) == ["Ann"], "but not in Frigate, where it holds attempts"


def test_pyzms_single_files(tmp_path: Path) -> None:
    """A picture beside the folders is a photo of whom it is called after."""
    draw(tmp_path / "Ann.jpg", 1)
    draw(tmp_path / "Bob/1.jpg", 2)
    (tmp_path / "faces.dat").write_bytes(b"\x80a pickle")
    found = find("pyzm", tmp_path)
    assert (names_of(found), found.left_out) == (["Ann", "Bob"], ())


def test_nothing_there(tmp_path: Path) -> None:
    """A path without photos, or one that is none, is an error that says what must be there."""
    with pytest.raises(DataError, match="must hold a folder of pictures for each person, got none"):
        find("double-take", tmp_path)
    with pytest.raises(DataError, match="gone: not found"):
        find("double-take", tmp_path / "gone")
    with pytest.raises(DataError, match=r"must be a folder .*, got a file"):
        find("double-take", draw(tmp_path / "1.png", 1))
    with pytest.raises(DataError, match="this format has no API"):
        FORMATS.create("frigate").find(Source("http://127.0.0.1:5000"))


@pytest.mark.parametrize("form", ["double-take", "compreface", "pyzm", "face-recognition"])
def test_there_and_back_again(tmp_path: Path, form: str) -> None:
    """What is exported is found again, to the byte; a second export changes nothing."""
    for number, file in enumerate(("Ann/1.jpg", "Ann/2.JPG", "Zoë O'Hara/1.jpg")):
        draw(tmp_path / "dataset" / file, number, "JPEG")
    draw(tmp_path / "dataset/Ann/1.png", 9)
    out = tmp_path / "out"
    written = export(form, tmp_path / "dataset", out)
    assert [(path, new) for path, new, _ in written] == [
        ("Ann/1.jpg", True),
        ("Ann/1.png", True),
        ("Ann/2.jpg", True),
        ("Zoë O'Hara/1.jpg", True),
    ]
    back = [(one.name, one.read().data) for one in find(form, out).photos]
    assert sorted(back) == sorted(
        (path.parent.name, path.read_bytes()) for path in (tmp_path / "dataset").glob("*/*")
    )
    assert {new for _, new, _ in export(form, tmp_path / "dataset", out)} == {False}


def test_what_a_program_overlooks_becomes_a_jpeg(tmp_path: Path) -> None:
    """Double Take looks at .jpg and .png, so a WebP is converted, under a name that is free."""
    draw(tmp_path / "dataset/Ann/1.webp", 1, "WEBP")
    draw(tmp_path / "dataset/Ann/1.jpg", 2, "JPEG")
    export("double-take", tmp_path / "dataset", tmp_path / "out")
    assert (tmp_path / "out/Ann/1.jpg").read_bytes() == drawn(2, "JPEG")
    assert (tmp_path / "out/Ann/1-2.jpg").read_bytes()[:2] == b"\xff\xd8"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """Another file, or a link, in the place of a photo stays, and the report says so; the rest is written."""
    draw(tmp_path / "dataset/Ann/1.png", 1)
    draw(tmp_path / "dataset/Ann/2.png", 2)
    draw(tmp_path / "dataset/Ann/3.png", 3)
    theirs = draw(tmp_path / "out/Ann/1.png", 9)
    (tmp_path / "out/Ann/3.png").symlink_to(tmp_path / "nowhere.png")
    done = {
        path: (new, reason) for path, new, reason in export("pyzm", tmp_path / "dataset", tmp_path / "out")
    }
    taken = (False, "another file is there, and stays")
    assert done == {"Ann/1.png": taken, "Ann/2.png": (True, None), "Ann/3.png": taken}
    assert theirs.read_bytes() == drawn(9)
    assert not (tmp_path / "nowhere.png").exists()


@pytest.mark.slow
def test_a_kill_at_any_moment(tmp_path: Path) -> None:
    """Killed before or after any call that changes a file, and run again: the same as one clean run."""
    for number, name in enumerate(("Ann/1.png", "Ann/2.png", "Bob/1.png")):
        draw(tmp_path / "dataset" / name, number)
    export("pyzm", tmp_path / "dataset", tmp_path / "clean")
    clean = contents(tmp_path / "clean")
    assert len(clean) == 3
    for point in itertools.count(1):
        place = tmp_path / str(point)
        if kill_points.run_killed(point, kill_points.CALLS, export, "pyzm", tmp_path / "dataset", place):
            break
        whole = {name for name in contents(place) if not name.endswith(".tmp")}
        assert {name: contents(place)[name] for name in whole}.items() <= clean.items(), point
        export("pyzm", tmp_path / "dataset", place)
        assert contents(place) == clean, point
    assert point > 20


def test_strangers_are_nobody_elsewhere(tmp_path: Path) -> None:
    """The photos of Unknown are not exported; without anybody else there is nothing to export."""
    draw(tmp_path / "dataset/Unknown/1.png", 1)
    with pytest.raises(DataError, match="got nobody"):
        export("pyzm", tmp_path / "dataset", tmp_path / "out")
    draw(tmp_path / "dataset/Ann/1.png", 2)
    assert [path for path, *_ in export("pyzm", tmp_path / "dataset", tmp_path / "out")] == ["Ann/1.png"]


def test_immich_takes_no_photos(tmp_path: Path) -> None:
    """Immich learns from its library only, and says so."""
    draw(tmp_path / "dataset/Ann/1.png", 1)
    with pytest.raises(DataError, match="imported from Immich, not exported"):
        export("immich", tmp_path / "dataset", tmp_path / "out")


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """It may lead into the dataset, which would then learn what is exported."""
    draw(tmp_path / "dataset/Ann/1.jpg", 1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/Ann").symlink_to("../dataset/Ann")
    ((_, written, reason),) = export("double-take", tmp_path / "dataset", tmp_path / "out")
    assert not written
    assert reason == "its folder is a link, which is not followed; replace it with a folder"
    assert [path.name for path in (tmp_path / "dataset/Ann").iterdir()] == ["1.jpg"]
