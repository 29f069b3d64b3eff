"""Which visit a picture is from, and what the file of encodings holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from face_det.bodies import (
    BodyEncodings,
    ClothesEmbedder,
    encode_crops,
    forget_body,
    list_crops,
    load_bodies,
    save_bodies,
)
from face_det.errors import BadEncodings, BadImage, DataError, ModelMismatch, ModelMissing


def save(path: Path, colour: str = "red") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("RGB", (60, 160), colour).save(path)


def test_a_visit_is_a_folder_or_a_day(tmp_path: Path) -> None:
    """Files of one day are one visit, whatever the hour; folders that are nobody's are passed over."""
    for path in (
        "Ann/2026-07-04_08.15.jpg",
        "Ann/front-20260704T190000.jpg",
        "Ann/1783238400.5-x.jpg",
        "Unknown/postman/1.jpg",
        "@unclear/1.jpg",
        "unknown-1/1.jpg",
    ):
        save(tmp_path / path)
    found = list_crops(tmp_path)
    assert [(crop.name, crop.visit) for crop in found.crops] == [
        ("Ann", "2026-07-05"),
        ("Ann", "2026-07-04"),
        ("Ann", "2026-07-04"),
        ("Unknown", "postman"),
    ]
    assert [name for name, _ in found.left_out] == ["@unclear", "unknown-1"]


def test_a_picture_of_no_visit_is_refused(tmp_path: Path) -> None:
    """Nothing is guessed: frames of one visit, taken for several, would make everybody look recognisable."""
    save(tmp_path / "Ann" / "frame-12-6eb1f20260704-1.jpg")
    with pytest.raises(DataError, match="from which visit"):
        list_crops(tmp_path)
    (tmp_path / "Ann" / "nobody").mkdir()
    with pytest.raises(DataError, match="got none"):
        list_crops(tmp_path / "Ann")


def test_the_file_forgets(tmp_path: Path) -> None:
    """What was encoded comes back, without a picture that cannot be read; a person can be taken out."""
    for name, colour in (("Ann", "red"), ("Bob", "blue")):
        save(tmp_path / "crops" / name / "1" / "1.jpg", colour)
    (tmp_path / "crops/Ann/1/2.jpg").write_bytes(b"\xff\xd8\xff no picture")
    encoded, unreadable = encode_crops(list_crops(tmp_path / "crops").crops, ClothesEmbedder())
    assert [path.name for path, _ in unreadable] == ["2.jpg"]
    place = tmp_path / "bodies.npz"
    save_bodies(place, encoded)
    assert place.stat().st_mode & 0o777 == 0o600
    assert load_bodies(place, "clothes:1").names == ("Ann", "Bob")
    assert forget_body(place, "Ann") == 1
    assert load_bodies(place).names == ("Bob",)
    assert forget_body(place, "Ann") == forget_body(tmp_path / "none", "Ann") == 0
    with pytest.raises(ModelMismatch, match="clothes:1"):
        load_bodies(place, "network:other")


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    """So is one that would have to run something, and one whose parts do not fit together."""
    place = tmp_path / "bodies.npz"
    with pytest.raises(ModelMissing, match="face-det body"):
        load_bodies(place)
    np.savez(place, version=1, X=np.array([{}]), names=["Ann"], visits=["1"], fingerprint="clothes:1")
    with pytest.raises(BadEncodings):
        load_bodies(place)
    save_bodies(place, BodyEncodings(np.eye(2), ("Ann",), ("1", "2"), "clothes:1"))
    with pytest.raises(BadEncodings, match="for each"):
        load_bodies(place)
    place.write_bytes(place.read_bytes()[:-200])
    with pytest.raises(BadEncodings):
        load_bodies(place)
    assert forget_body(place, "Ann") == 0
    assert not place.exists(), "it may have shown Ann"


def test_nothing_to_encode(tmp_path: Path) -> None:
    """If no picture can be read, the first one's fault is told."""
    (tmp_path / "Ann/1").mkdir(parents=True)
    (tmp_path / "Ann/1/1.jpg").write_bytes(b"\xff\xd8\xff no picture")
    with pytest.raises(BadImage, match="none of the 1"):
        encode_crops(list_crops(tmp_path).crops, ClothesEmbedder())
