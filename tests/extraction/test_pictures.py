"""Where pictures come from: folders, lists and videos."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import pytest
from toy_faces import toy_frame
from toy_pictures import toy_picture

from face_det.errors import BadImage, DataError, VideoError
from face_det.extraction import picture_stem, pictures_in_folder, pictures_in_list, pictures_in_video


def names(source) -> list[str]:
    return [Path(picture.source).name for picture in source.pictures]


def test_a_folder_is_searched_by_content(tmp_path: Path) -> None:
    """Pictures below the folder count whatever they are called; other files and hidden ones do not."""
    toy_picture(tmp_path / "in" / "b" / "2.png", 1)
    toy_picture(tmp_path / "in" / "1.png", 1).rename(tmp_path / "in" / "1")
    toy_picture(tmp_path / "in" / ".hidden" / "3.png", 1)
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    found = pictures_in_folder(tmp_path / "in", tmp_path / "out")
    assert names(found) == ["1", "2.png"]
    assert found.total == 2
    assert [path.name for path in found.others] == ["notes.txt"]


def test_what_we_wrote_is_no_input(tmp_path: Path) -> None:
    """An output folder below the pictures is passed over, also by way of a link; it is no source itself."""
    toy_picture(tmp_path / "in" / "1.png", 1)
    toy_picture(tmp_path / "in" / "out" / "2.png", 1)
    (tmp_path / "link").symlink_to(tmp_path / "in" / "out")
    assert names(pictures_in_folder(tmp_path / "in", tmp_path / "in" / "out")) == ["1.png"]
    assert names(pictures_in_folder(tmp_path / "in", tmp_path / "link")) == ["1.png"]
    with pytest.raises(DataError, match="cannot be taken from the output folder"):
        pictures_in_folder(tmp_path / "in" / "out", tmp_path / "link")


def test_a_link_to_the_folder_is_the_folder(tmp_path: Path) -> None:
    """The pictures have the same names by either way, so that a second run knows them again."""
    toy_picture(tmp_path / "in" / "1.png", 1)
    (tmp_path / "link").symlink_to(tmp_path / "in")
    by_folder, by_link = (
        [picture.source for picture in pictures_in_folder(tmp_path / name, tmp_path / "out").pictures]
        for name in ("in", "link")
    )
    assert by_folder == by_link


def test_a_list_may_hold_any_name(tmp_path: Path) -> None:
    """Names in other scripts, with spaces, and not in UTF-8 are all taken, once each, in order."""
    odd = os.fsdecode(b"caf\xe9.png")
    for name in ("зима 1.png", "写真.png", odd):
        toy_picture(tmp_path / "a.png", 1).rename(tmp_path / name)
    lines = ["写真.png", str(tmp_path / "зима 1.png"), "", odd, "写真.png\r", "missing.png"]
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbf" + os.fsencode("\n".join(lines)))
    found = list(pictures_in_list(tmp_path / "list.txt").pictures)
    assert [Path(one.source).name for one in found] == ["写真.png", "зима 1.png", odd, "missing.png"]
    assert found[2].read().shape == (360, 640, 3)
    with pytest.raises(BadImage, match="file not found"):
        found[3].read()


def test_paths_of_a_list_start_from_a_folder_of_choice(tmp_path: Path) -> None:
    """Without one, they start from the list's own folder."""
    toy_picture(tmp_path / "in" / "1.png", 1)
    (tmp_path / "list.txt").write_text("1.png\n")
    (there,) = pictures_in_list(tmp_path / "list.txt", tmp_path / "in").pictures
    assert there.read().shape == (360, 640, 3)
    (nowhere,) = pictures_in_list(tmp_path / "list.txt").pictures
    with pytest.raises(BadImage):
        nowhere.read()


@pytest.mark.parametrize(
    ("content", "message"), [(None, "no such file"), (b"\x89PNG\0", "got a binary file")]
)
def test_no_list(tmp_path: Path, content: bytes | None, message: str) -> None:
    """A missing list, or a picture in its place, is an error that says so."""
    if content is not None:
        (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        pictures_in_list(tmp_path / "list.txt")


def test_frames_of_a_video(tmp_path: Path) -> None:
    """Every n-th frame has the number that it has in the video, so that a second run knows it again."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), 10, (640, 360))
    for _ in range(7):
        writer.write(toy_frame((1, 100, 100)))
    writer.release()
    found = pictures_in_video(path, 3)
    stems = [picture_stem(picture.source, 1) for picture in found.pictures]
    assert [stem.rpartition("-")[0].rpartition("-")[0] for stem in stems] == [
        "clip.avi_0",
        "clip.avi_3",
        "clip.avi_6",
    ]
    assert found.problem() is None
    with pytest.raises(VideoError):
        pictures_in_video(tmp_path / "no.avi")
