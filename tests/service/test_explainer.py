"""Why an answer is as it is: the nearest photos, what a name requires, and the photo that is to blame."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest

from face_det.config.load import load_config
from face_det.errors import BadImage, BadRequest, NoFace, SightingsOff, UnknownSighting
from face_det.gallery import Gallery
from face_det.service import assembly
from face_det.service.service import Service

pytestmark = pytest.mark.usefixtures("shared_networks")

SETTINGS = {"faceDetModel": "hog", "numFaceImgUpsample": 0, "embedder": "dlib_resnet"}


@pytest.fixture(scope="module")
def photos(small_photos: dict[str, Path]) -> dict[str, Path]:
    """Nothing here depends on how large a photo is."""
    return small_photos


def start(folder: Path, **settings: Any) -> Service:
    """A service whose files all lie in a folder."""
    (folder / "config.json").write_text(json.dumps({"faceDetServer": {**SETTINGS, **settings}}))
    return assembly.build_service(load_config(folder / "config.json", {}), remember="sightings" in settings)


def mirrored(photo: Path) -> bytes:
    """Another picture of the same face."""
    buffer = io.BytesIO()
    PIL.ImageOps.mirror(PIL.Image.open(photo)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def test_says_which_photos_are_nearest_and_what_a_name_requires(
    tmp_path: Path, photos: Mapping[str, Path]
) -> None:
    """Photos that were enrolled one by one are found again without a cache; everything can be sent."""
    service = start(tmp_path)
    for name, photo in (
        ("Obama", "obama"),
        ("Obama", "obama2"),
        ("Biden", "biden"),
        ("Collins", "astronaut"),
    ):
        service.add_face(name, str(photos[photo]))
    found = service.explainer.explain(str(photos["obama3"]))
    (answered,) = service.recognize(str(photos["obama3"]))
    assert (found["outcome"], found["face"]) == ("known", "Obama")
    assert (found["faceProba"], found["quality"]) == pytest.approx(
        (answered["faceProba"], answered["quality"]), abs=1e-3
    )
    assert [one["name"] for one in found["nearest"]][:2] == ["Obama", "Obama"]
    assert {one["name"] for one in found["nearest"]} == {"Obama", "Biden", "Collins"}
    assert [one["rank"] for one in found["nearest"]] == [1, 2, 3, 4]
    similarities = [one["similarity"] for one in found["nearest"]]
    assert similarities == sorted(similarities, reverse=True)
    for one in found["nearest"]:
        assert (tmp_path / "dataset" / one["name"] / one["photo"]).is_file()
    stored = {one["photo"]: one["name"] for one in found["nearest"]}
    assert len(stored) == 4, "each row has a photo of its own"
    assert found["threshold"]["met"] is True
    kinds = {one["kind"]: one for one in found["threshold"]["requirements"]}
    assert kinds["score"]["reached"] >= kinds["score"]["needed"]
    assert kinds["ratio"]["needed"] == 2
    bounds = {kind: one["bound"] for kind, one in kinds.items()}
    assert bounds == {"score": "at_least", "ratio": "at_least", "distance": "at_most"}
    assert "strangers reach only at the false accept rate" in found["threshold"]["text"]
    assert found["blame"] is None
    assert msgpack.unpackb(msgpack.packb(found)) == found


def test_says_what_is_missing_for_a_name(tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """A stranger's face: which requirement was not met, by how much."""
    service = start(tmp_path)
    service.add_face("Obama", str(photos["obama"]))
    found = service.explainer.explain(str(photos["astronaut"]))
    assert found["face"] in (None, "Unknown")
    assert found["threshold"]["met"] is False
    assert found["threshold"]["name"] == "Obama"
    missed = [one for one in found["threshold"]["requirements"] if not one["met"]]
    assert missed
    assert found["threshold"]["text"].count(";") == len(missed) - 1


def test_blames_the_photo_that_is_filed_under_the_wrong_name(
    tmp_path: Path, photos: Mapping[str, Path]
) -> None:
    """Biden's photo among Obama's: the answer for Biden names Obama's folder and Biden's file."""
    obama = tmp_path / "dataset" / "Obama"
    obama.mkdir(parents=True)
    for name in ("obama", "obama2", "obama3", "biden"):
        shutil.copy(photos[name], obama / f"{name}.jpg")
    service = start(tmp_path)
    service.train({"quick": True})
    found = service.explainer.explain(mirrored(photos["biden"]))
    assert found["nearest"][0]["photo"] == "biden.jpg"
    assert found["blame"]["name"] == "Obama"
    assert found["blame"]["photo"] == "biden.jpg"
    assert "does not resemble the other photos of Obama" in found["blame"]["why"]
    # The right photos of the same person are not to blame.
    assert service.explainer.explain(mirrored(photos["obama2"]))["nearest"][0]["photo"] == "obama2.jpg"


def test_the_box_says_which_face_is_meant(tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """In a group, each face can be asked about; a box around nothing is refused."""
    service = start(tmp_path)
    service.add_face("Obama", str(photos["obama"]))
    faces = service.recognize(str(photos["t1"]))
    assert len(faces) > 1
    last = faces[-1]["faceBox"]
    assert service.explainer.explain(str(photos["t1"]), {"faceBox": last})["faceBox"] == last
    assert service.explainer.explain(str(photos["t1"]))["faceBox"] == faces[0]["faceBox"]
    nowhere = {"xmin": 0, "ymin": 0, "xmax": 2, "ymax": 2}
    with pytest.raises(NoFace, match=r"options.faceBox: must be around a face"):
        service.explainer.explain(str(photos["t1"]), {"faceBox": nowhere})
    with pytest.raises(BadRequest, match=r"options.faceBox"):
        service.explainer.explain(str(photos["t1"]), {"faceBox": [1, 2, 3, 4]})


def test_a_sighting_is_explained_by_its_number(tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """By what is kept of it; an unknown number, and a memory that is off, are errors of their own."""
    service = start(tmp_path, sightings={})
    assert service.memory is not None
    try:
        service.add_face("Obama", str(photos["obama"]))
        service.recognize(str(photos["obama3"]))
        store = service.memory.store
        store.write(lambda connection: None)
        (seen,) = service.memory.sightings()["items"]
        found = service.explainer.explain(seen["id"])
        assert (found["face"], found["nearest"][0]["name"]) == ("Obama", "Obama")
        assert found["qualityParts"]["sharpness"] is None
        assert msgpack.unpackb(msgpack.packb(found)) == found
        with pytest.raises(UnknownSighting, match="there is no sighting 99"):
            service.explainer.explain(99)
    finally:
        service.memory.store.close()
    with pytest.raises(SightingsOff):
        start(tmp_path).explainer.explain(1)
    with pytest.raises(BadRequest, match="image: must be a path"):
        start(tmp_path).explainer.explain(None)


def test_without_a_model_a_face_or_a_picture(tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """There is nothing to compare with, or no face: said, not invented."""
    service = start(tmp_path)
    found = service.explainer.explain(str(photos["obama"]))
    assert (found["threshold"], found["nearest"], found["blame"]) == (None, [], None)
    assert found["faceReason"] == "unrecognised"
    with pytest.raises(NoFace):
        service.explainer.explain(str(photos["chelsea"]))
    with pytest.raises(BadImage):
        service.explainer.explain(b"no picture")


def test_a_photo_that_is_gone_has_no_file(tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """The encodings still know it; a photo that cannot be told from others is null, never a guess."""
    service = start(tmp_path)
    service.add_face("Obama", str(photos["obama"]))
    service.add_face("Obama", str(photos["obama2"]))
    encodings = Gallery.load(tmp_path / "encodings.pickle").encodings
    assert not np.allclose(encodings[0], encodings[1])
    first = service.explainer.explain(str(photos["obama"]))["nearest"][0]["photo"]
    (tmp_path / "dataset" / "Obama" / first).unlink()
    nearest = start(tmp_path).explainer.explain(str(photos["obama"]))["nearest"]
    assert nearest[0]["photo"] is None
    assert nearest[1]["photo"] is not None
