"""dataset/NAME/: names that are safe, photos kept as they came, nothing touched outside."""

from __future__ import annotations

import hashlib
import io
import os
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from face_det.errors import BadImage, BadName, DataError, FaceDetError
from face_det.gallery import dataset
from face_det.gallery.dataset import check_person_name, list_photos, remove_person, store_photo


def picture(kind: str, colour: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (colour, 0, 0)).save(buffer, kind)
    return buffer.getvalue()


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize(
    "name",
    [
        "anna",
        "Anna Maria",
        "O'Hara",
        "J. R.",
        "x_1-2",
        "Tom & Ann",
        "Ann (work)",
        "Zoë",
        "名前",
        "अनिता",
        "a" * 100,
        "7",
        "..a"[2:],
    ],
)
def test_good_names(name: str) -> None:
    """Letters and digits of any script, blanks, and a few signs."""
    assert check_person_name(name) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", "1 to 100 characters, got 0"),
        ("a" * 101, "1 to 100 characters, got 101"),
        ("名" * 90, "255 bytes"),
        (".", "must not start"),
        ("..", "must not start"),
        (".hidden", "must not start"),
        (" anna", "must not start"),
        ("anna ", "must not start"),
        ("a/b", "got '/'"),
        ("../etc", "got '/'"),
        ("a\\b", "letters, digits"),
        ("a\0b", "letters, digits"),
        ("a\nb", "letters, digits"),
        ("a\u202eb", "letters, digits"),
        ("a:b", "letters, digits"),
        ("a\u00a0b", "letters, digits"),
        ("\ud800", "letters, digits"),
        ("a😀", "letters, digits"),
        ("unknown", "strangers belong to Unknown"),
        ("UNKNOWN", "strangers belong to Unknown"),
    ],
)
def test_bad_names(name: str, expected: str) -> None:
    """What could leave the dataset, forge a line or hide is refused, in one line that can be printed."""
    with pytest.raises(BadName, match=expected) as caught:
        check_person_name(name)
    assert str(caught.value).encode().isascii() or str(caught.value).isprintable()


def test_names_are_composed() -> None:
    """One spelling of a name, whoever types it."""
    assert check_person_name(unicodedata.normalize("NFD", "Zoë")) == "Zoë"


def test_photos_of_everybody(tmp_path: Path) -> None:
    """Pictures by suffix in any case, sorted; hidden, nested and other files are nobody's."""
    for name in (
        "bob/2.JPG",
        "bob/1.jpeg",
        "bob/.3.jpg",
        "bob/notes.txt",
        "bob/deep/4.jpg",
        "anna/x.PNG",
        "empty/x",
        ".git/5.jpg",
        "6.jpg",
        "Unknown/a.webp",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "anna" / "folder.jpg").mkdir()
    found = {name: [path.name for path in paths] for name, paths in list_photos(tmp_path).items()}
    assert found == {"Unknown": ["a.webp"], "anna": ["x.PNG"], "bob": ["1.jpeg", "2.JPG"]}
    assert list(found) == sorted(found)


def test_no_dataset(tmp_path: Path) -> None:
    """No dataset is nobody; a file in its place is an error."""
    assert list_photos(tmp_path / "no") == {}
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="file: must be a readable folder"):
        list_photos(tmp_path / "file")


def test_links_are_not_followed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A folder that is a link, also one in a circle, is passed over and mentioned; a linked photo is read."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "1.jpg").touch()
    dataset = tmp_path / "dataset"
    (dataset / "anna").mkdir(parents=True)
    (dataset / "anna" / "linked.jpg").symlink_to(outside / "1.jpg")
    (dataset / "bob").symlink_to(outside)
    (dataset / "circle").symlink_to(dataset)
    found = list_photos(dataset)
    assert found == {"anna": [dataset / "anna" / "linked.jpg"]}
    assert caplog.text.count("links are not followed") == 2


def test_folders_in_two_forms_of_unicode_are_one_person(tmp_path: Path) -> None:
    """Some file systems hand out the decomposed form."""
    for form in ("NFC", "NFD"):
        folder = tmp_path / unicodedata.normalize(form, "Zoë")
        folder.mkdir()
        (folder / f"{form}.jpg").touch()
    assert {name: len(paths) for name, paths in list_photos(tmp_path).items()} == {"Zoë": 2}
    stored = store_photo(tmp_path, "Zoë", picture("PNG"))
    assert stored.parent.name in {path.name for path in tmp_path.iterdir()}
    assert remove_person(tmp_path, "Zoë") == 3
    assert tree(tmp_path) == []


def test_folder_name_that_is_no_text(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A name that no reply could carry is passed over and mentioned."""
    folder = tmp_path / os.fsdecode(b"\xff")
    folder.mkdir()
    (folder / "1.jpg").touch()
    assert list_photos(tmp_path) == {}
    assert "not UTF-8" in caplog.text


def test_a_folder_whose_name_nobody_can_have(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is mentioned once, as its owner wrote it, and why; no control character gets through."""
    for name in ("Zoë \U0001f600", "a\x1b[2J"):
        (tmp_path / name).mkdir()
    for _ in range(2):
        assert list_photos(tmp_path) == {}
    fault = "its photos are not used; rename the folder (name: must be letters, digits, spaces and"
    assert caplog.messages == [
        f"'{tmp_path}/Zoë \U0001f600': {fault} _ - ' . , & + ( ) only, got '\U0001f600')",
        f"'{tmp_path}/a\\x1b[2J': {fault} _ - ' . , & + ( ) only, got '\\x1b')",
    ]


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        ("JPEG", ".jpg"),
        ("PNG", ".png"),
        ("BMP", ".bmp"),
        ("GIF", ".gif"),
        ("WEBP", ".webp"),
        ("TIFF", ".tif"),
        ("PPM", ".ppm"),
    ],
)
def test_photo_is_kept_as_it_came(tmp_path: Path, kind: str, suffix: str) -> None:
    """The original bytes, named after their content and real format; twice is once."""
    data = picture(kind)
    stored = store_photo(tmp_path / "dataset", "anna", data)
    assert stored == tmp_path / "dataset" / "anna" / (hashlib.sha256(data).hexdigest()[:16] + suffix)
    assert stored.read_bytes() == data
    before = stored.stat()
    assert store_photo(tmp_path / "dataset", "anna", data) == stored
    assert (stored.stat().st_ino, stored.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert list_photos(tmp_path / "dataset") == {"anna": [stored]}
    assert tree(tmp_path / "dataset" / "anna") == [stored.name]


def test_half_a_photo_is_replaced(tmp_path: Path) -> None:
    """A file of that name with other content is not taken for the photo."""
    data = picture("PNG")
    stored = store_photo(tmp_path, "anna", data)
    stored.write_bytes(data[:10])
    store_photo(tmp_path, "anna", data)
    assert stored.read_bytes() == data


@pytest.mark.parametrize("data", [b"", b"hello", b"#!/bin/sh\n", b"\x80\x04N."])
def test_no_picture_is_not_stored(tmp_path: Path, data: bytes) -> None:
    """Bytes of no known format are refused, and leave no folder behind."""
    with pytest.raises(BadImage, match="must be a picture"):
        store_photo(tmp_path, "anna", data)
    assert tree(tmp_path) == []


def test_storing_does_not_leave_the_dataset(tmp_path: Path) -> None:
    """Not by a name, nor through a folder or a file that is a link."""
    dataset, outside = tmp_path / "dataset", tmp_path / "outside"
    dataset.mkdir()
    outside.mkdir()
    data = picture("PNG")
    with pytest.raises(BadName):
        store_photo(dataset, "../outside", data)
    (dataset / "bob").symlink_to(outside)
    with pytest.raises(BadName, match="links are not followed"):
        store_photo(dataset, "bob", data)
    stored = store_photo(dataset, "anna", data)
    stored.unlink()
    (outside / "precious").write_bytes(b"1")
    stored.symlink_to(outside / "precious")
    assert not store_photo(dataset, "anna", data).is_symlink()
    assert (outside / "precious").read_bytes() == b"1"
    assert tree(outside) == ["precious"]


def test_a_file_in_the_way(tmp_path: Path) -> None:
    """A file where the person's folder should be is an error of the data."""
    (tmp_path / "anna").touch()
    with pytest.raises((DataError, FaceDetError), match="anna"):
        store_photo(tmp_path, "anna", picture("PNG"))


def test_remove_person(tmp_path: Path) -> None:
    """The folder goes with all in it, the others stay; the count is of pictures."""
    for name in ("anna", "anna maria"):
        store_photo(tmp_path, name, picture("PNG"))
        store_photo(tmp_path, name, picture("JPEG"))
    (tmp_path / "anna" / "notes.txt").touch()
    (tmp_path / "anna" / "deep").mkdir()
    assert remove_person(tmp_path, "anna") == 2
    assert list(list_photos(tmp_path)) == ["anna maria"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["anna maria"]
    assert remove_person(tmp_path, "anna") == 0
    assert remove_person(tmp_path / "no", "anna") == 0


@pytest.mark.parametrize("name", ["..", ".", "", "../outside", "anna/..", "/"])
def test_removing_does_not_leave_the_dataset(tmp_path: Path, name: str) -> None:
    """A name is compared with what is there, never joined to a path."""
    dataset, outside = tmp_path / "dataset", tmp_path / "outside"
    store_photo(dataset, "anna", picture("PNG"))
    store_photo(outside, "bob", picture("PNG"))
    before = tree(tmp_path)
    assert remove_person(dataset, name) == 0
    assert tree(tmp_path) == before


def test_removing_a_link_removes_the_link(tmp_path: Path) -> None:
    """What a link points to stays, whether the link is the person or lies in the folder."""
    dataset, outside = tmp_path / "dataset", tmp_path / "outside"
    store_photo(outside, "bob", picture("PNG"))
    store_photo(dataset, "anna", picture("PNG"))
    (dataset / "bob").symlink_to(outside / "bob")
    (dataset / "anna" / "linked").symlink_to(outside)
    before = tree(outside)
    assert remove_person(dataset, "bob") == 0
    assert remove_person(dataset, "anna") == 1
    assert tree(outside) == before
    assert tree(dataset) == []


def test_removal_that_was_cut_off_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The person is gone at once; what a kill left of the photos goes with the next look."""
    store_photo(tmp_path, "anna", picture("PNG"))

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(dataset.shutil, "rmtree", stop)
        with pytest.raises(KeyboardInterrupt):
            remove_person(tmp_path, "anna")
        assert not (tmp_path / "anna").exists()
        assert len(tree(tmp_path)) == 2
    assert list_photos(tmp_path) == {}
    assert tree(tmp_path) == []


def test_half_written_photo_is_swept(tmp_path: Path) -> None:
    """A temporary file that a kill left in a person's folder goes with the next look."""
    stored = store_photo(tmp_path, "anna", picture("PNG"))
    (stored.parent / ".face_det-0123456789abcdef.tmp").write_bytes(b"half")
    list_photos(tmp_path)
    assert tree(stored.parent) == [stored.name]


def test_a_photo_with_another_name_is_not_stored_twice(tmp_path: Path) -> None:
    """The same bytes are there already, whatever their file is called; a link to them is another matter."""
    theirs = tmp_path / "anna/IMG_1.bmp"
    theirs.parent.mkdir()
    theirs.write_bytes(b"BM, as a bitmap begins")
    assert store_photo(tmp_path, "anna", b"BM, as a bitmap begins") == theirs
    assert [path.name for path in theirs.parent.iterdir()] == ["IMG_1.bmp"]
    theirs.rename(tmp_path / "elsewhere.bmp")
    theirs.symlink_to(tmp_path / "elsewhere.bmp")
    assert store_photo(tmp_path, "anna", b"BM, as a bitmap begins").name == "b2d291741c11c2dd.bmp"
