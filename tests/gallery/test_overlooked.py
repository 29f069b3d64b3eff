"""Nothing in a dataset vanishes without a word, and what is no photo is not made much of."""

from __future__ import annotations

from pathlib import Path

from face_det.gallery.dataset import list_photos
from face_det.gallery.overlooked import list_overlooked


def test_everything_is_a_photo_or_overlooked(tmp_path: Path) -> None:
    """Each file is listed once: as a photo, or with a reason; only silent ones are in neither list."""
    silent = ["README.md", "anna/Thumbs.db", "anna/.DS_Store", "anna/.x/1.jpg", "encodings.cache.sqlite"]
    expected = {
        "loose.jpg": "no_person",
        "list.txt": "not_a_picture",
        "anna/2023/deep.jpg": "in_subfolder",
        "anna/2023/05/deeper": "in_subfolder",
        "anna/notes.txt": "not_a_picture",
        "M:M": "bad_name",
        "unknown": "bad_name",
        "linked": "linked_folder",
    }
    used = ["anna/1.jpg", "anna/photo", "bob/only.heic", "Unknown/1.jpg"]
    files = [*silent, *used, "loose.jpg", "list.txt", "M:M/1.jpg", "unknown/1.jpg", "anna/notes.txt"]
    for name in [*files, "anna/2023/deep.jpg", "anna/2023/05/deeper"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"text" if name.endswith(".txt") or name in silent else b"GIF89a")
    (tmp_path / "linked").symlink_to(tmp_path / "anna")
    found = {str(item.path.relative_to(tmp_path)): item.reason.value for item in list_overlooked(tmp_path)}
    assert found == expected
    photos = [str(path.relative_to(tmp_path)) for paths in list_photos(tmp_path).values() for path in paths]
    assert sorted(photos) == sorted(used)


def test_what_to_do_is_said(tmp_path: Path) -> None:
    """A name that add_face would refuse is refused in its words."""
    (tmp_path / "M:M").mkdir()
    (tmp_path / "unknown").mkdir()
    first, second = list_overlooked(tmp_path)
    assert (
        first.todo
        == "rename the folder; name: must be letters, digits, spaces and _ - ' . , & + ( ) only, got ':'"
    )
    assert second.todo.endswith("name: must not be 'unknown'; photos of strangers belong to Unknown")
