"""A real daemon with a classic recogniser, on real photos."""

from __future__ import annotations

import json
import pickle
import sys

import numpy as np
import PIL.Image
import PIL.ImageEnhance
import pytest

from face_det.config.load import load_config
from face_det.errors import BadEncodings, ConfigError, ModelMismatch
from face_det.gallery import Gallery
from face_det.service import assembly
from face_det.training import train_classifiers

REAL = (sys.executable, "-m", "face_det.cli.main", "serve", "--config")
WHOLE = {"xmin": 0.0, "ymin": 0.0, "xmax": 9000.0, "ymax": 9000.0}
PEOPLE = {"Obama": "obama", "Collins": "astronaut"}


def variant(source, target, brightness, size=1.0):
    """The same photo in another light, and scaled."""
    target.parent.mkdir(parents=True, exist_ok=True)
    picture = PIL.Image.open(source).convert("RGB")
    picture = picture.resize((round(picture.width * size), round(picture.height * size)))
    PIL.ImageEnhance.Brightness(picture).enhance(brightness).save(target, quality=95)
    return target


def names(call, daemon, *paths):
    images = [
        {"image": str(path), "labels": [{"id": 1, "name": "person", "score": 0.9, "box": WHOLE}]}
        for path in paths
    ]
    return [one["labels"][0]["face"] for one in json.loads(call(daemon, "detect_faces", images))]


@pytest.mark.slow
def test_local_binary_patterns_name_people(launch, call, small_photos):
    """Trained, asked, enrolled and retrained over its socket; what does not belong together is refused."""
    daemon = launch(command=REAL, classifier="lbph_70", faceDetModel="yunet", focusMeasureThreshold=0)
    for person, name in PEOPLE.items():
        for number in range(5):
            photo = daemon.folder / "dataset" / person / f"{number}.jpg"
            variant(small_photos[name], photo, 1 - number / 20)
    call(daemon, "train", {"quick": True})
    status = call(daemon, "status")
    assert (status["embedder"], call(daemon, "models")[0]["classifier"]) == ("grey", "lbph_70")
    asked = [
        variant(small_photos[name], daemon.folder / f"{name}.jpg", 0.85, 0.9) for name in PEOPLE.values()
    ]
    assert names(call, daemon, *asked) == [*PEOPLE]
    assert names(call, daemon, small_photos["biden"])[0] not in PEOPLE

    call(daemon, "add_face", "Obama", str(small_photos["obama2"]))
    assert call(daemon, "models")[0]["classifier"] == "lbph_70"
    assert names(call, daemon, small_photos["obama2"], asked[1]) == ["Obama", "Collins"]
    stored = pickle.loads((daemon.folder / "encodings.pickle").read_bytes())
    assert {row.dtype for row in stored["grey"]} == {np.dtype("uint8")}
    assert len(stored["grey"]) == len(stored["names"]) == 11

    config = json.loads(daemon.config.read_text())
    settings = config["faceDetServer"]
    settings |= {"classifier": "auto", "embedder": "sface"}
    daemon.config.write_text(json.dumps(config))
    with pytest.raises(ModelMismatch, match=r"must be trained on encodings of sface .* got grey; run"):
        assembly.build_recognition_options(load_config(daemon.config, {}))
    settings |= {"classifier": "lbph"}
    daemon.config.write_text(json.dumps(config))
    with pytest.raises(ConfigError, match="embedder: must be grey or auto for classifier lbph"):
        load_config(daemon.config, {})


def test_encodings_without_grey_faces_are_no_use():
    """It says in one line what is missing, and how to get it."""
    gallery = Gallery(np.eye(4, 128), ["Ann", "Ann", "Bob", "Bob"])
    with pytest.raises(
        BadEncodings, match=r"must hold those of grey .* run 'face-det encode --embedder grey'"
    ):
        train_classifiers(gallery, ["lbph"], jobs=1, thorough=False, on_progress=lambda *_: None)
