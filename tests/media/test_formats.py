"""Pictures are recognised by their content; HEIC and AVIF are read."""

from __future__ import annotations

import base64
import io
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from face_det.errors import BadImage
from face_det.media import folders
from face_det.media.decode import lacks_decoder
from face_det.media.folders import find_pictures
from face_det.media.formats import is_picture_file, picture_suffix
from face_det.media.image import load_image

_PACKED = Path(__file__).parents[1] / "support" / "data" / "astronaut.heic.base64"
HEIC = base64.b64decode(_PACKED.read_text())
"""Part of NASA's portrait of Eileen Collins (public domain), stored on its side with a note to turn it."""


def packed(path: Path, kind: str) -> bytes:
    file = io.BytesIO()
    Image.open(path).convert("RGB").save(file, kind)
    return file.getvalue()


def test_heic_is_read_upright(photos: Mapping[str, Path]) -> None:
    """As phones take it: turned by the file's own note, once."""
    pytest.importorskip("pi_heif")
    rgb = load_image(HEIC)
    original = load_image(photos["astronaut"])[0:240, 130:330]
    assert rgb.shape == original.shape == (240, 200, 3)
    assert rgb.flags.writeable
    assert np.abs(rgb.astype(int) - original.astype(int)).mean() < 8
    with pytest.raises(BadImage, match="at most 100 pixels, got 200 x 240"):
        load_image(HEIC, max_pixels=100)
    for length in (30, 300, len(HEIC) // 2, len(HEIC) - 1):
        with pytest.raises(BadImage, match="whole picture"):
            load_image(HEIC[:length])


def test_heic_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install."""
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    assert lacks_decoder(HEIC)
    with pytest.raises(BadImage, match=r"pip install 'face_det\[heic\]', or save it as JPEG"):
        load_image(HEIC)


def test_avif_is_read(photos: Mapping[str, Path]) -> None:
    """Whole or not at all, and refused by its header if it is too large."""
    data = packed(photos["astronaut"], "AVIF")
    assert np.abs(load_image(data).astype(int) - load_image(photos["astronaut"])).mean() < 8
    with pytest.raises(BadImage, match="at most 100 pixels, got 512 x 512"):
        load_image(data, max_pixels=100)
    for length in (30, 300, len(data) // 2, len(data) - 1):
        with pytest.raises(BadImage, match="whole picture"):
            load_image(data[:length])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "AVIF"])
def test_a_name_decides_nothing(kind: str, tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """Every format is found without a suffix."""
    path = tmp_path / "photo"
    path.write_bytes(packed(photos["hanks"], kind))
    assert is_picture_file(path)
    path.rename(tmp_path / "photo.bak")
    assert is_picture_file(tmp_path / "photo.bak")


def test_what_is_not_a_picture(tmp_path: Path) -> None:
    """Notes and videos are not; a file with a picture's suffix is one until it is read."""
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty").touch()
    (tmp_path / "folder.jpg").mkdir()
    assert not any(is_picture_file(path) for path in tmp_path.iterdir())
    (tmp_path / "damaged.HEIC").touch()
    assert is_picture_file(tmp_path / "damaged.HEIC")
    assert picture_suffix(b"\0\0\0\x14ftypqt  \0\0\0\0qt  ") is None
    assert picture_suffix(b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf") == ".avif"


def test_a_folder_that_cannot_be_read_spoils_nothing(tmp_path: Path) -> None:
    """Nor does one that links to itself, or to the kernel's files."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "photo").write_bytes(b"GIF89a")
    (tmp_path / "a" / "round").symlink_to(tmp_path)
    (tmp_path / "proc").symlink_to("/proc")
    (tmp_path / ".hidden.jpg").touch()
    content = find_pictures(tmp_path)
    assert [path.name for path in content.pictures] == ["photo"]
    assert (content.others, content.unreadable) == ((), ())
    assert find_pictures(tmp_path / "gone").unreadable


def test_a_folder_that_vanishes_is_mentioned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two folders, the second goes while the first is searched, and so does the file in hand."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "photo").write_bytes(b"GIF89a")

    def look(path: Path) -> bool:
        for folder in {"a", "b"} - {path.parent.name}:
            shutil.rmtree(tmp_path / folder)
        path.unlink()
        return is_picture_file(path)

    monkeypatch.setattr(folders, "is_picture_file", look)
    content = find_pictures(tmp_path)
    ((missing, why),) = content.unreadable
    assert (missing.parent, why) == (tmp_path, "No such file or directory")
    assert (content.pictures, len(content.others)) == ((), 1)
