"""tf-face-recognition's strips of faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from face_det.errors import DataError
from face_det.exchange import FORMATS, FoundPhotos, Source
from face_det.media import encode_jpeg, load_image


def find(path: Path) -> FoundPhotos:
    return FORMATS.create("tf-face-recognition").find(Source(str(path)))


def strip(path: Path, count: int, size: int, more: int = 0) -> Path:
    """Write squares that get brighter, with `more` pixels after them."""
    path.parent.mkdir(exist_ok=True)
    pixels = np.repeat(np.arange(count, dtype=np.uint8) * 60, size)
    row = np.concatenate([pixels, np.zeros(more, np.uint8)])
    Image.fromarray(np.broadcast_to(row[:, None], (size, len(row), 3)).copy()).save(path)
    return path


def test_a_folder_of_strips(tmp_path: Path) -> None:
    """The name of a file says who it is, and how many faces of which size; each gets a margin."""
    strip(tmp_path / "train_Ann_Lee_20_3.png", 3, 20, more=40)
    strip(tmp_path / "Bob.png", 2, 16)
    found = find(tmp_path)
    assert [photo.name for photo in found.photos] == ["Ann_Lee"] * 3 + ["Bob"] * 2
    assert found.photos[1].place.endswith("train_Ann_Lee_20_3.png: face 2")
    for place, photo in enumerate(found.photos[:3]):
        rgb = load_image(photo.read().data)
        assert rgb.shape == (40, 40, 3)
        assert np.abs(rgb.astype(int) - place * 60).max() <= 2


def test_what_is_no_strip(tmp_path: Path) -> None:
    """A picture that is too small for what its name says, or that is no row of squares, is named."""
    strip(tmp_path / "few/train_Ann_20_3.png", 2, 20)
    strip(tmp_path / "few/Bob.png", 2, 16, more=3)
    drawn_high = np.zeros((30, 20, 3), np.uint8)
    (tmp_path / "few/high.jpg").write_bytes(encode_jpeg(drawn_high))
    (tmp_path / "few/broken.png").write_bytes(b"nothing")
    said = {Path(one.place).name: one.reason for one in find(tmp_path / "few").left_out}
    assert said["train_Ann_20_3.png"] == "must hold 3 faces of 20 pixels, got 40 x 20 pixels"
    assert said["Bob.png"] == "must be as wide as some squares of 16 pixels, got 35 pixels"
    assert said["high.jpg"] == "must be as wide as some squares of 30 pixels, got 20 pixels"
    assert (said["broken.png"] or "").startswith("must be a"), "the place is told once"
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="a folder of strips, got no picture"):
        find(tmp_path / "empty")
