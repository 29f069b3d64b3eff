"""Ringface's JSON, with pictures and encodings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from drawn_pictures import draw, drawn

from face_det.errors import DataError
from face_det.exchange import FORMATS, FaceFinder, FoundPhotos, Source, plan_export, write_exported


def find(path: Path) -> FoundPhotos:
    return FORMATS.create("ringface").find(Source(str(path)))


def written(path: Path, *persons: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"persons": persons, "fittedClassifierFile": "fitting.dat"}))
    return path


def test_pictures_that_a_fit_names(tmp_path: Path) -> None:
    """Paths are relative to where Ringface ran, above its classifier; pictures count, not encodings."""
    draw(tmp_path / "sample-data/images/barack/1.png", 1)
    other = draw(tmp_path / "elsewhere/2.png", 2)
    images = ["./sample-data/images/barack/1.png", str(other), "gone.png"]
    fit = written(
        tmp_path / "sample-data/classifier/fitting.json",
        {"personName": "Barack Obama", "imagePaths": images, "encodings": [[0.1] * 128]},
        {"personName": "Donald Trump", "encodings": [[0.1] * 128, [0.2] * 128]},
    )
    found = find(fit)
    assert [photo.name for photo in found.photos] == ["Barack Obama", "Barack Obama"]
    assert {photo.read().data for photo in found.photos} == {drawn(1), drawn(2)}
    gone, encodings = found.left_out
    assert (gone.place, gone.reason, gone.name) == ("gone.png", "not found", "Barack Obama")
    assert encodings.place == "Donald Trump: 2 encodings"
    assert "fit only the embedder dlib_resnet" in encodings.reason


def test_there_and_back_again(tmp_path: Path) -> None:
    """An export names its pictures as /classifier/fit takes them, and is found again to the byte."""
    photos = [draw(tmp_path / "dataset/Zoë" / f"{number}.png", number) for number in range(2)]
    files = plan_export("ringface", {"Zoë": photos}, FaceFinder(lambda: pytest.fail("no face is needed")))
    out = tmp_path / "out"
    assert all(one.written for one in write_exported(files, out))
    assert json.loads((out / "fit.json").read_text("utf-8")) == {
        "persons": [{"personName": "Zoë", "imagePaths": ["images/Zoë/0.png", "images/Zoë/1.png"]}]
    }
    back = [(photo.name, photo.read().data) for photo in find(out).photos]
    assert back == [("Zoë", drawn(0)), ("Zoë", drawn(1))]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "fit.json: "),
        ("[]", r"must be Ringface's"),
        ('{"persons": [{"imagePaths": []}]}', r"persons\[0\]\.personName: must be a str, got None"),
        (
            '{"persons": [{"personName": "A", "imagePaths": "x"}]}',
            r"persons\[0\]\.imagePaths: must be a list",
        ),
    ],
)
def test_another_json(tmp_path: Path, text: str, said: str) -> None:
    """What is something else says where, and what must be there."""
    path = tmp_path / "fit.json"
    path.write_text(text)
    with pytest.raises(DataError, match=said):
        find(path)
