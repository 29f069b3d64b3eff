"""The verbs on real photos: enrol, name, forget, survive a restart, and every reason for no name."""

from __future__ import annotations

import json
import math
import shutil
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageFilter
import pytest

from face_det.config.load import load_config
from face_det.errors import (
    BadImage,
    BadName,
    BadRequest,
    DataError,
    ModelMismatch,
    NoFace,
    SeveralFaces,
    UnknownPerson,
)
from face_det.service import assembly
from face_det.service import service as service_module
from face_det.service.service import Service

pytestmark = pytest.mark.usefixtures("shared_networks")

WHOLE = {"xmin": 0, "ymin": 0, "xmax": 5000, "ymax": 5000}


@pytest.fixture(scope="module")
def photos(small_photos: dict[str, Path]) -> dict[str, Path]:
    """Nothing here depends on how large a photo is."""
    return small_photos


def start(folder: Path, **settings: Any) -> Service:
    """A service whose files all lie in a folder."""
    settings = {"faceDetModel": "hog", "focusMeasureThreshold": 20, "numFaceImgUpsample": 0, **settings}
    (folder / "config.json").write_text(json.dumps({"faceDetServer": settings}))
    return assembly.build_service(load_config(folder / "config.json", {}))


def ask(service: Service, *paths: Path | str, box: Mapping[str, float] = WHOLE) -> list[dict[str, Any]]:
    """The label of each picture, answered in one call."""
    images = [{"image": str(path), "labels": [{"id": 1, "name": "person", "box": box}]} for path in paths]
    return [image["labels"][0] for image in json.loads(service.detect_faces(images))]


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """A service that knows nobody yet."""
    return start(tmp_path)


def test_without_a_model_everybody_is_unrecognised(service: Service, photos: Mapping[str, Path]) -> None:
    """Nothing trained yet: the face is found and boxed, unnamed, and status says why."""
    (label,) = ask(service, photos["obama"])
    assert (label["face"], label["faceReason"]) == (None, "unrecognised")
    assert "faceProba" not in label
    assert label["faceBox"]["xmax"] > label["faceBox"]["xmin"] > 0
    assert service.status()["model"] is None
    assert service.status()["trained"] is False


def test_enrol_name_forget(service: Service, tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """The call after add_face knows the person, a stranger stays unnamed, after forget nobody is known."""
    answer = service.add_face("Barack Obama", str(photos["obama"]))
    assert (answer["name"], answer["images"]) == ("Barack Obama", 1)
    known, stranger = ask(service, photos["obama3"], photos["biden"])
    assert known["face"] == "Barack Obama"
    assert known["faceProba"] >= 0.9
    assert stranger["face"] in (None, "Unknown")
    assert service.people() == [{"name": "Barack Obama", "images": 1}]
    assert start(tmp_path).people() == service.people()
    (again,) = ask(start(tmp_path), photos["obama3"])
    assert again["face"] == "Barack Obama", "a restart remembers"
    assert service.forget("Barack Obama")["images"] == 1
    (forgotten,) = ask(service, photos["obama3"])
    assert (forgotten["face"], forgotten["faceReason"]) == (None, "unrecognised")
    assert service.people() == []
    assert not (tmp_path / "dataset" / "Barack Obama").exists()
    assert start(tmp_path).people() == []


def test_two_people_by_bytes(service: Service, photos: Mapping[str, Path]) -> None:
    """Pictures come as bytes too; each person is told from the other."""
    service.add_face("Obama", photos["obama"].read_bytes())
    service.add_face("Obama", photos["obama2"].read_bytes())
    service.add_face("Collins", photos["astronaut"].read_bytes())
    assert [face["face"] for face in service.recognize(photos["obama3"].read_bytes())] == ["Obama"]
    assert service.people() == [{"name": "Collins", "images": 1}, {"name": "Obama", "images": 2}]


def test_a_search_for_large_faces_names_whatever_it_finds(tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """A smaller face that is found nevertheless has its name; finding nobody does not count as no face."""
    service = start(tmp_path, faceDetModel="auto", focusMeasureThreshold=0)
    service.add_face("Obama", str(photos["obama"]))
    (full,) = service.recognize(str(photos["obama3"]))
    for share in (0.5, 1.15):
        (coarse,) = service.recognize(str(photos["obama3"]), {"searchFromPx": share * full["sizePx"]})
        assert (coarse["face"], full["face"]) == ("Obama", "Obama")
        assert coarse["sizePx"] == pytest.approx(full["sizePx"], rel=0.15)
    assert service.recognize(str(photos["nobody"]), {"searchFromPx": 60}) == []
    assert "no_face" not in service.status()["counters"]
    assert service.recognize(str(photos["nobody"]), {"searchFromPx": 16}) == []
    assert service.status()["counters"]["no_face"] == 1


def test_head_poses_where_they_are_asked_for(tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """The setting is for all verbs, also for faces that are followed; the option of a call wins."""
    service = start(tmp_path, faceDetModel="auto", headPose=True)
    path = str(photos["obama3"])
    label = {"name": "person", "box": {"xmin": 0, "ymin": 0, "xmax": 10_000, "ymax": 10_000}}
    (answer,) = json.loads(service.detect_faces([{"image": path, "labels": [label]}]))[0]["labels"]
    (face,), (plain,) = service.recognize(path), service.recognize(path, {"headPose": False})
    assert answer["headPose"] == pytest.approx(face["headPose"], abs=8)
    assert face["headPose"]["yaw"] > 5, "he looks to the right edge"
    assert "headPose" not in plain
    (followed,) = service.following.follow(path, {"stream": "tab"})
    assert followed["headPose"] == pytest.approx(face["headPose"], abs=8)


def test_the_same_photo_twice_counts_once(service: Service, photos: Mapping[str, Path]) -> None:
    """Sending a photo again is harmless."""
    first = service.add_face("Obama", str(photos["obama"]))
    again = service.add_face("Obama", str(photos["obama"]))
    assert (first.pop("change"), again.pop("change")) == ("photos-1", None)
    assert (first.pop("model")["wanted_by"], again.pop("model")["wanted_by"]) == ("default", "present_model")
    assert again == first


def test_train_from_the_dataset(service: Service, tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """Photos put into the folder by hand are learnt by train, and what was left out is reported."""
    for person, name in (("Obama", "obama"), ("Obama", "obama2"), ("Biden", "biden"), ("Nobody", "chelsea")):
        (tmp_path / "dataset" / person).mkdir(parents=True, exist_ok=True)
        shutil.copy(photos[name], tmp_path / "dataset" / person)
    report = service.train({"classifier": "nearest", "quick": True})
    assert report["people"] == ["Biden", "Obama"]
    assert report["encoded"] == 3
    assert report["leftOut"] == {"no_face": 1}
    (label,) = ask(service, photos["obama3"])
    assert label["face"] == "Obama"
    assert service.train({"classifier": "nearest", "quick": True})["reused"] == 3


def test_each_embedder_answers_for_its_own_model(
    service: Service, tmp_path: Path, photos: Mapping[str, Path]
) -> None:
    """Trained by one after the other, the daemon goes over to that network, and knows the same people."""
    for name in ("obama", "obama2", "biden"):
        (tmp_path / "dataset" / name.rstrip("2")).mkdir(parents=True, exist_ok=True)
        shutil.copy(photos[name], tmp_path / "dataset" / name.rstrip("2"))
    for embedder in ("dlib_resnet", "sface", "both"):
        service.train({"classifier": "nearest", "quick": True, "embedder": embedder})
        assert service.status()["embedder"] == embedder
        known, stranger = ask(service, photos["obama3"], photos["astronaut"])
        assert known["face"] == "obama"
        assert stranger["face"] in (None, "Unknown")
        assert start(tmp_path).status()["embedder"] == embedder
    with pytest.raises(ModelMismatch, match=r"of sface \(embedder in config.json\), got both"):
        start(tmp_path, embedder="sface")


def test_train_without_photos_changes_nothing(service: Service, photos: Mapping[str, Path]) -> None:
    """An empty dataset is an error that keeps what there is, not an order to forget everybody."""
    service.add_face("Obama", str(photos["obama"]))
    dataset = Path(service._enroller.paths.dataset)
    shutil.rmtree(dataset)
    with pytest.raises(DataError, match="must"):
        service.train(None)
    (label,) = ask(service, photos["obama3"])
    assert label["face"] == "Obama"


def test_every_reason(service: Service, tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """Bad pictures are data: each has its reason, in order, and the good one between is answered."""
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "cut.jpg").write_bytes(photos["obama"].read_bytes()[:9000])
    blurred = PIL.Image.open(photos["obama"]).filter(PIL.ImageFilter.GaussianBlur(9))
    blurred.save(tmp_path / "blurred.png")
    service.add_face("Obama", str(photos["obama"]))
    answers = ask(
        service,
        tmp_path / "missing.jpg",
        tmp_path / "empty.jpg",
        tmp_path / "text.jpg",
        photos["obama3"],
        tmp_path / "cut.jpg",
        photos["chelsea"],
        tmp_path / "blurred.png",
    )
    assert [label.get("faceReason") for label in answers] == [
        "bad_image",
        "bad_image",
        "bad_image",
        None,
        "bad_image",
        "no_face",
        "too_blurry",
    ]
    assert answers[3]["face"] == "Obama"


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_that_is_cut_off(
    service: Service, tmp_path: Path, photos: Mapping[str, Path], kind: str
) -> None:
    """A face that is there is named, and marked; without one nobody knows; nothing is learnt from it."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    service.add_face("Obama", str(photos["obama"]))
    for name, expected in (("obama3", "Obama"), ("chelsea", None)):
        PIL.Image.open(photos[name]).save(whole, kind)
        cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 3 // 4])
        (label,) = ask(service, cut)
        if expected is None:
            assert label["faceReason"] == "bad_image"
            assert "partial" not in label
            with pytest.raises(BadImage, match="cut off"):
                service.recognize(str(cut))
        else:
            faces = service.recognize(cut.read_bytes())
            assert [(one["face"], one["partial"]) for one in (label, *label["faces"], *faces)] == [
                ("Obama", True)
            ] * 3
            with pytest.raises(BadImage, match="whole picture"):
                service.add_face("Barack", str(cut))
    assert service.people() == [{"name": "Obama", "images": 1}]
    (label,) = ask(service, photos["obama3"])
    assert "partial" not in label


def test_small_face(tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """A face below minFace says so, with its box."""
    (label,) = ask(start(tmp_path, minFace=400), photos["obama"])
    assert (label["face"], label["faceReason"]) == (None, "too_small")
    assert label["faceBox"]["xmax"] - label["faceBox"]["xmin"] < 400


@pytest.mark.parametrize(
    "box",
    [
        {"xmin": -50, "ymin": -50, "xmax": -10, "ymax": -10},
        {"xmin": 50000, "ymin": 0, "xmax": 60000, "ymax": 10},
        {"xmin": 300, "ymin": 300, "xmax": 100, "ymax": 100},
        {"xmin": 10, "ymin": 10, "xmax": 10, "ymax": 10},
        {"xmin": math.nan, "ymin": 0, "xmax": 10, "ymax": 10},
        {"xmin": 0, "ymin": 0, "xmax": math.inf, "ymax": 10},
    ],
)
def test_bad_box(service: Service, photos: Mapping[str, Path], box: Mapping[str, float]) -> None:
    """A box with nothing of the picture in it is that person's reason, not an error."""
    (label,) = ask(service, photos["obama"], box=box)
    assert (label["face"], label["faceReason"], label["faces"]) == (None, "bad_roi", [])


def test_a_box_larger_than_the_picture_is_the_picture(service: Service, photos: Mapping[str, Path]) -> None:
    """Where a person's head is expected depends on what there is to see."""
    with PIL.Image.open(photos["t1"]) as picture:
        exact = {"xmin": 0, "ymin": 0, "xmax": picture.width, "ymax": picture.height}
    (whole,), (larger,) = ask(service, photos["t1"], box=exact), ask(service, photos["t1"])
    assert len(whole["faces"]) >= 4
    assert larger == {**whole, "box": WHOLE}


def test_a_picture_is_read_once(
    service: Service, photos: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many persons, labels and entries name it, a picture is decoded once a call."""
    loaded: list[str] = []
    real = service_module.load_perhaps_partial

    def counted(source: Any, **limits: Any) -> Any:
        loaded.append(str(source))
        return real(source, **limits)

    monkeypatch.setattr(service_module, "load_perhaps_partial", counted)
    person = {"name": "person", "box": WHOLE}
    path = str(photos["biden"])
    images = [
        {"image": path, "labels": [person, person, {"name": "dog"}]},
        {"image": path, "labels": [person]},
        {"image": str(photos["obama"]), "labels": [{"name": "cat"}]},
    ]
    reply = json.loads(service.detect_faces(images))
    assert loaded == [path]
    assert ["faceBox" in label for image in reply for label in image["labels"]] == [
        True,
        True,
        False,
        True,
        False,
    ]


def test_odd_pixels(service: Service, tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """Grey, transparent, palette, CMYK and sideways pictures of a person are recognised."""
    service.add_face("Obama", str(photos["obama"]))
    picture = PIL.Image.open(photos["obama3"]).convert("RGB")
    sideways = picture.transpose(PIL.Image.Transpose.ROTATE_90)
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    picture.convert("L").save(tmp_path / "grey.png")
    picture.convert("RGBA").save(tmp_path / "alpha.png")
    picture.quantize(256).save(tmp_path / "palette.png")
    picture.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    sideways.save(tmp_path / "sideways.jpg", exif=exif, quality=95)
    wide = (np.array(picture.convert("L")).astype(np.uint16) << 8) | 0x80
    PIL.Image.fromarray(wide).save(tmp_path / "wide.png")
    names = ["grey.png", "alpha.png", "palette.png", "cmyk.jpg", "sideways.jpg", "wide.png"]
    answers = ask(service, *(tmp_path / name for name in names))
    assert dict(zip(names, (label["face"] for label in answers), strict=True)) == dict.fromkeys(
        names, "Obama"
    )


def test_enrolment_wants_one_face(service: Service, tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """None, several, unreadable, unsafe names: each is its own error, and nothing is stored."""
    with pytest.raises(NoFace, match="got none"):
        service.add_face("Cat", str(photos["chelsea"]))
    with pytest.raises(SeveralFaces, match=r"exactly one face, got [56]"):
        service.add_face("Six", str(photos["t1"]))
    with pytest.raises(BadImage):
        service.add_face("Ghost", "/nowhere/ghost.jpg")
    for name in ("../evil", "", ".", "a/b", "x\0y", ".hidden"):
        with pytest.raises(BadName):
            service.add_face(name, str(photos["obama"]))
    with pytest.raises(BadRequest, match="name: must be text"):
        service.add_face(7, str(photos["obama"]))
    with pytest.raises(BadRequest, match="image: must be a path or the bytes"):
        service.add_face("Seven", ["a"])
    with pytest.raises(UnknownPerson):
        service.forget("Nobody")
    assert service.people() == []
    assert [path for path in (tmp_path / "dataset").rglob("*") if path.is_file()] == []


def test_forget_a_folder_made_by_hand(service: Service, tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """Whoever is listed can be forgotten, also from a folder that nobody was enrolled in, and nobody else."""
    odd = tmp_path / "dataset" / "Anna (work)"
    odd.mkdir(parents=True)
    shutil.copy(photos["obama"], odd)
    service.train({"classifier": "nearest"})
    assert service.people() == [{"name": "Anna (work)", "images": 1}]
    with pytest.raises(UnknownPerson):
        service.forget("../dataset/Anna (work)")
    assert service.forget("Anna (work)") == {"name": "Anna (work)", "images": 1, "encodings": 1}
    assert not odd.exists()
    assert service.people() == []


def test_only_allowed_folders(tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """With imageRoots, a caller's path into another folder is refused, links and .. followed."""
    inside = tmp_path / "zm"
    inside.mkdir()
    shutil.copy(photos["obama"], inside / "a.jpg")
    (inside / "link.jpg").symlink_to(photos["obama"])
    service = start(tmp_path, imageRoots=[str(inside)])
    answers = ask(service, inside / "a.jpg", inside / "link.jpg", inside / ".." / ".." / photos["obama"].name)
    assert [label["faceReason"] for label in answers] == ["unrecognised", "bad_image", "bad_image"]


def test_mount_point(tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """The daemon on another machine finds the uploader's paths under its mount."""
    shutil.copy(photos["obama"], tmp_path / "a.jpg")
    (label,) = ask(start(tmp_path, mountPoint=str(tmp_path)), "/a.jpg")
    assert label["faceReason"] == "unrecognised"


def test_model_and_labels_that_differ(tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """A label file of another training is refused at the start, by name."""
    service = start(tmp_path)
    service.add_face("Obama", str(photos["obama"]))
    labels = (tmp_path / "face_labels.pickle").read_bytes()
    service.add_face("Biden", str(photos["biden"]))
    (tmp_path / "face_labels.pickle").write_bytes(labels)
    with pytest.raises(ModelMismatch):
        start(tmp_path)
    with pytest.raises(ModelMismatch):
        service.reload()
    (label,) = ask(service, photos["obama3"])
    assert label["face"] == "Obama", "the model in use stays"


def test_log_notes_have_counts_and_no_names(service: Service, photos: Mapping[str, Path]) -> None:
    """What a call notes for its log line is numbers."""
    notes: dict[str, Any] = {}
    label = {"name": "person", "box": WHOLE}
    service.detect_faces([{"image": str(photos["obama"]), "labels": [label]}], notes)
    assert {key: notes[key] for key in ("images", "persons", "faces")} == {
        "images": 1,
        "persons": 1,
        "faces": 1,
    }
    assert all(isinstance(value, (int, float)) for value in notes.values())


def test_names_in_ascii(tmp_path: Path, photos: Mapping[str, Path], caplog: pytest.LogCaptureFixture) -> None:
    """In what the uploader asks for, and nowhere else; the name can be had back. Without it, a warning."""
    name = "Zoë O'Hara (王)"
    service = start(tmp_path)
    service.add_face(name, str(photos["obama"]))
    assert "exits when it receives one" in caplog.text
    assert "Zoë" not in caplog.text
    (label,) = ask(service, photos["obama"])
    assert label["face"] == name
    caplog.clear()
    service = start(tmp_path, asciiNames=True)
    (label,) = ask(service, photos["obama"])
    assert label["face"] == label["faces"][0]["face"] == "Zo%C3%AB O'Hara (%E7%8E%8B)"
    assert urllib.parse.unquote(label["face"]) == name
    assert service.recognize(str(photos["obama"]))[0]["face"] == name
    service.add_face("Jürgen", str(photos["biden"]))
    assert caplog.text == ""
    assert [person["name"] for person in service.people()] == ["Jürgen", name]


def test_candidates_in_ascii(tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """Whoever it may be is named in the same form."""
    service = start(tmp_path, asciiNames=True, minProba=1.0, decision="proba", classifier="svm")
    service.add_face("Zoë", str(photos["obama"]))
    service.add_face("Jürgen", str(photos["biden"]))
    (label,) = ask(service, photos["obama2"])
    assert label["outcome"] == "uncertain"
    assert {one["name"] for one in label["candidates"]} <= {"Zo%C3%AB", "J%C3%BCrgen", "Unknown"}
    assert label["candidates"]
