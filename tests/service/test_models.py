"""Earlier models: kept when they are replaced, used again as a whole, and gone when somebody is forgotten."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgpack
import pytest

from face_det.config.load import load_config
from face_det.enrolment import KEPT_MODELS
from face_det.errors import BadRequest, ModelMismatch, TooFewPeople
from face_det.service import assembly
from face_det.service.service import Service

pytestmark = pytest.mark.usefixtures("shared_networks")

SETTINGS = {"faceDetModel": "hog", "numFaceImgUpsample": 0, "embedder": "dlib_resnet"}


@pytest.fixture(scope="module")
def photos(small_photos: dict[str, Path]) -> dict[str, Path]:
    """Nothing here depends on how large a photo is."""
    return small_photos


def start(
    folder: Path, *, remember: bool = True, predecessor: Service | None = None, **settings: str
) -> Service:
    """A service whose files all lie in a folder; with `remember`, as the daemon has it."""
    (folder / "config.json").write_text(json.dumps({"faceDetServer": {**SETTINGS, **settings}}))
    config = load_config(folder / "config.json", {})
    return assembly.build_service(config, predecessor, remember=remember)


def names(service: Service, photo: Path) -> list[str | None]:
    return [face["face"] for face in service.recognize(str(photo))]


def train_with(service: Service, folder: Path, name: str, photo: Path) -> None:
    """Train, after somebody put a photo into dataset/NAME/ by hand."""
    person = folder / "dataset" / name
    person.mkdir(parents=True)
    shutil.copy(photo, person)
    service.train({"quick": True})


def test_an_earlier_model_is_used_again_and_the_present_one_is_kept(
    tmp_path: Path, photos: Mapping[str, Path]
) -> None:
    """There and back: each answer is that of its model, in this process and after a restart."""
    service = start(tmp_path)
    service.add_face("Obama", str(photos["obama"]))
    first = service.status()["model"]["fingerprint"]
    train_with(service, tmp_path, "Collins", photos["astronaut"])
    listed = service.models.models()
    second = listed[0]["model"]
    assert [one["model"] for one in listed] == [second, first]
    assert [one["in_use"] for one in listed] == [True, False]
    assert listed[1]["classes"][0] == "Obama"
    assert listed[0]["falseAcceptRate"] == 0.001
    assert msgpack.unpackb(msgpack.packb(listed)) == listed
    assert names(service, photos["astronaut"]) == ["Collins"]
    assert service.models.use_model(first)["model"]["fingerprint"] == first
    assert names(service, photos["astronaut"]) != ["Collins"]
    assert names(service, photos["obama3"]) == ["Obama"]
    assert [one["model"] for one in service.models.models()] == [first, second]
    again = start(tmp_path)
    assert again.status()["model"]["fingerprint"] == first
    assert again.status()["model_file"]["state"] == "in_use"
    assert again.models.use_model(second)["model"]["classes"][:2] == ["Collins", "Obama"]
    assert names(again, photos["astronaut"]) == ["Collins"]
    with pytest.raises(BadRequest, match="already in use"):
        again.models.use_model(second)
    with pytest.raises(BadRequest, match=f"model: must be one of {first}, got 'none such'"):
        again.models.use_model("none such")
    with pytest.raises(BadRequest, match="model: must be text"):
        again.models.use_model(7)


def test_only_a_few_are_kept_and_only_their_owner_can_read_them(
    tmp_path: Path, photos: Mapping[str, Path]
) -> None:
    """Each training replaces the model: the oldest go."""
    service = start(tmp_path)
    for number, name in enumerate(("obama", "obama2", "obama3", "biden", "astronaut")):
        train_with(service, tmp_path, f"Person {number}", photos[name])
    assert len(service.models.models()) == 1 + KEPT_MODELS
    assert [len(one["classes"]) for one in service.models.models()] == [6, 5, 4, 3]
    kept = [*(tmp_path / "state" / "models").glob("*.pickle")]
    assert len(kept) == 2 * KEPT_MODELS
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}


@pytest.mark.parametrize("remember", [True, False], ids=["daemon", "command"])
def test_nobody_who_is_forgotten_comes_back_with_an_old_model(
    tmp_path: Path, photos: Mapping[str, Path], remember: bool
) -> None:
    """The daemon and `face-det forget` without one delete every earlier model, on disk as well."""
    service = start(tmp_path)
    service.add_face("Obama", str(photos["obama"]))
    train_with(service, tmp_path, "Collins", photos["astronaut"])
    train_with(service, tmp_path, "Biden", photos["biden"])
    assert len(service.models.models()) == 3
    start(tmp_path, remember=remember).forget("Collins")
    assert [one["in_use"] for one in start(tmp_path).models.models()] == [True]
    holding = [path for path in tmp_path.rglob("*") if path.is_file() and b"Collins" in path.read_bytes()]
    assert holding == []


def test_a_model_that_knows_somebody_who_is_gone_is_refused(
    tmp_path: Path, photos: Mapping[str, Path]
) -> None:
    """Somebody deleted the folder by hand and trained: the earlier model must not name them again."""
    service = start(tmp_path)
    service.add_face("Obama", str(photos["obama"]))
    service.add_face("Collins", str(photos["astronaut"]))
    for photo in (tmp_path / "dataset" / "Collins").iterdir():
        photo.unlink()
    service.train({"quick": True})
    known = {"Collins" in one["classes"]: one["model"] for one in service.models.models()}
    with pytest.raises(ModelMismatch, match="knows Collins, not enrolled any more"):
        service.models.use_model(known[True])
    assert service.status()["model"]["fingerprint"] == service.models.models()[0]["model"]
    assert "Collins" not in service.status()["model"]["classes"]


def test_a_damaged_earlier_model_is_left_out(tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """The others can still be used; the next change goes on."""
    service = start(tmp_path)
    service.add_face("Obama", str(photos["obama"]))
    train_with(service, tmp_path, "Collins", photos["astronaut"])
    (path,) = (tmp_path / "state" / "models").glob("*.model.pickle")
    path.write_bytes(path.read_bytes()[:100])
    assert [one["in_use"] for one in service.models.models()] == [True]
    train_with(service, tmp_path, "Biden", photos["biden"])
    assert [one["in_use"] for one in service.models.models()] == [True, False]


def test_enrolments_do_not_drive_out_what_one_can_go_back_to(
    tmp_path: Path, photos: Mapping[str, Path]
) -> None:
    """Enrolments, and taking them back, add nothing to the list; another setting does, at the next one."""
    service = start(tmp_path)
    service.add_face("Obama", str(photos["obama"]))
    first = service.status()["model"]["fingerprint"]
    service.train({"quick": True})
    for name in ("obama2", "obama3", "biden", "astronaut"):
        service.add_face(name, str(photos[name]))
    enrolled = service.status()["model"]["fingerprint"]
    assert [one["model"] for one in service.models.models()] == [enrolled, first]
    other = start(tmp_path, classifier="nearest")
    other.add_face("Grace", str(photos["grace_hopper"]))
    listed = other.models.models()
    assert [one["model"] for one in listed][1:] == [enrolled, first]
    assert [one["classifier"] for one in listed] == ["nearest", "template", "template"]


def test_says_how_far_a_training_is_and_how_the_last_one_ended(
    tmp_path: Path, photos: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen from inside the training, after it, after one that failed, and after a reload."""
    service = start(tmp_path)
    idle = {"running": False, "step": None, "done": 0, "total": 0}
    assert service.status()["training"] == {**idle, "started": None, "report": None, "error": None}
    with pytest.raises(TooFewPeople):
        service.train()
    assert "TooFewPeople: " in service.status()["training"]["error"]
    service.add_face("Obama", str(photos["obama"]))
    service.add_face("Collins", str(photos["astronaut"]))
    seen: list[dict[str, Any]] = []
    real = service.training.note

    def note(step: str, done: int, total: int) -> None:
        real(step, done, total)
        seen.append(service.status()["training"])

    monkeypatch.setattr(service.training, "note", note)
    answer = service.train({"quick": True})
    steps = [(one["running"], one["step"], one["done"], one["total"]) for one in seen]
    assert (True, "reading the photos", 0, 2) in steps
    assert (True, "reading the photos", 2, 2) in steps
    after = service.status()["training"]
    assert {key: after[key] for key in idle} == idle
    assert after["error"] is None
    assert after["report"].pop("at") >= after["started"] > 0
    assert after["report"] == answer
    assert start(tmp_path, predecessor=service).status()["training"] == service.status()["training"]
