"""Enrol, forget, train: what is written, by which embedder, and the engine and model to swap in."""

from __future__ import annotations

import base64
import json
import logging
import shutil
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake_networks
import numpy as np
import pytest
from fake_networks import BOTH, Dlib, Sface, Views, loaded

from face_det.classifiers.nearest import NearestClassifier
from face_det.embedders.specs import configurable_embedder
from face_det.engine.engine import Engine, EngineOptions
from face_det.engine.engines import Engines
from face_det.enrolment.encodings_update import update_encodings
from face_det.enrolment.enroller import Enroller
from face_det.enrolment.results import EnrolResult, ModelOptions, Paths, RetrainResult
from face_det.errors import (
    BadEncodings,
    BadImage,
    BadRequest,
    DataError,
    ModelMismatch,
    ModelMissing,
    NoFace,
    PhotoOfAnother,
    UnknownPerson,
)
from face_det.gallery import gallery, quarantine
from face_det.gallery.dataset import list_photos
from face_det.gallery.encoding_cache import encoding_cache_path
from face_det.gallery.gallery import Gallery
from face_det.media import image
from face_det.recognition import embedder_choice
from face_det.recognition.decision import DecisionRule
from face_det.recognition.recognizer import Recognizer
from face_det.service.service import Limits, Service
from face_det.storage import dump_pickle

OPTIONS = EngineOptions(detector="hog", focus_threshold=0)
WHOLE = {"xmin": 0, "ymin": 0, "xmax": 500, "ymax": 500}


@pytest.fixture(autouse=True)
def _networks(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_networks.install(monkeypatch)
    embedder_choice._warn_sface_missing.cache_clear()
    gallery._warn_dropped.cache_clear()


def enroller(
    folder: Path, embedder: str = "auto", kind: str = "nearest", rule: DecisionRule | None = None
) -> Enroller:
    encodings = folder / "encodings.pickle"
    paths = Paths(
        folder / "dataset",
        encodings,
        folder / "m.pickle",
        folder / "l.pickle",
        encoding_cache_path(encodings),
    )
    return Enroller(paths, Engines(OPTIONS), ModelOptions(kind, embedder, rule=rule or DecisionRule()))


def enrolled(enroller: Enroller, person: int, photo: int = 0) -> EnrolResult:
    data = fake_networks.picture(enroller.paths.dataset.parent, person, photo).read_bytes()
    return enroller.enrol(f"p{person}", data, image.load_image(data))


def trained(enroller: Enroller, embedder: str | None = None) -> RetrainResult:
    return enroller.train(kind=None, embedder=embedder, thorough=False, on_progress=lambda *_: None)


def dataset(folder: Path, people: int = 3, each: int = 3) -> None:
    for person in range(people):
        for photo in range(each):
            fake_networks.picture(folder / "dataset" / f"p{person}", person, photo)


def originals(folder: Path, people: int = 2, each: int = 3) -> Gallery:
    """encodings.pickle as the original writes it."""
    made = Gallery.empty()
    for person in range(people):
        for photo in range(each):
            made = made.plus(f"p{person}", fake_networks.dlib_numbers(person, photo)[0])
    (folder / "encodings.pickle").write_bytes(made.dumps())
    return made


def state(enroller: Enroller) -> tuple[Any, ...]:
    """The three files, and the photos there are."""
    paths = enroller.paths
    files = (paths.encodings, paths.model, paths.labels)
    data = tuple(path.read_bytes() if path.exists() else None for path in files)
    return (*data, list_photos(paths.dataset))


def likeliest(recognizer: Recognizer, folder: Path, person: int, photo: int = 7) -> str:
    """Whom what answers takes another photo of a person for."""
    assert recognizer.model is not None
    rgb = image.load_image(fake_networks.picture(folder, person, photo))
    ((face,),) = recognizer.engine.faces([(rgb, None)])
    assert face.encoding is not None
    return recognizer.model.labels[int(recognizer.model.proba(face.encoding[np.newaxis]).argmax())]


def test_the_first_photo_ever(tmp_path: Path) -> None:
    """From nothing: both embedders' numbers are kept, and the model's network answers."""
    mine = enroller(tmp_path)
    assert mine.load().model is None
    recognizer = enrolled(mine, 0).recognizer
    made = Gallery.load(mine.paths.encodings)
    assert made.fingerprint_of("both") == BOTH
    assert np.array_equal(made.of("dlib_resnet"), fake_networks.dlib_numbers(0))
    assert np.array_equal(made.of("sface"), fake_networks.sface_numbers(0))
    assert recognizer.model is not None
    assert recognizer.model.card.fingerprint == recognizer.engine.fingerprint
    assert likeliest(recognizer, tmp_path, 0) == "p0"
    for person in (0, 1, 1):
        recognizer = enrolled(mine, person, photo=1).recognizer
    assert Gallery.load(mine.paths.encodings).names == ("p0", "p0", "p1"), "twice the same counts once"
    assert [likeliest(recognizer, tmp_path, person) for person in (0, 1)] == ["p0", "p1"]
    again = enroller(tmp_path).load()
    assert again.engine.fingerprint == recognizer.engine.fingerprint
    assert likeliest(again, tmp_path, 1) == "p1"
    assert loaded.count("detector") == 2, "one each enroller"


def test_without_sface_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """dlib's numbers alone, which is said once; nothing else is loaded."""
    fake_networks.install(monkeypatch, sface=False)
    mine = enroller(tmp_path)
    with caplog.at_level(logging.WARNING):
        mine.load()
        for photo in range(2):
            recognizer = enrolled(mine, 0, photo).recognizer
    assert set(loaded) == {"detector", "dlib_resnet", "dlib_views"}
    assert loaded.count("dlib_resnet") == 1
    assert len(caplog.messages) == 1
    assert recognizer.engine.fingerprint == Views.fingerprint
    assert Gallery.load(mine.paths.encodings).embedders == ("dlib_resnet", "dlib_views")


def test_dlib_alone_if_asked_for(tmp_path: Path) -> None:
    """Then nothing of sface is computed."""
    mine = enroller(tmp_path, embedder="dlib_resnet")
    mine.load()
    enrolled(mine, 0)
    dataset(tmp_path)
    trained(mine)
    assert set(loaded) == {"detector", "dlib_resnet", "dlib_views"}
    made = Gallery.load(mine.paths.encodings)
    assert made.embedders == ("dlib_resnet", "dlib_views")
    assert np.array_equal(made.of("dlib_views"), made.encodings * 0.99)


def test_enrolling_into_the_originals_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It stays dlib's, sface is not even loaded, and what the original reads of it is complete."""
    old = originals(tmp_path)
    mine = enroller(tmp_path)
    recognizer = enrolled(mine, 2).recognizer
    made = Gallery.load(mine.paths.encodings)
    assert made.names == (*old.names, "p2")
    assert np.array_equal(made.encodings[:-1], old.encodings)
    assert made.embedders == ("dlib_resnet",)
    assert made.fingerprint_of("dlib_resnet") == Dlib.fingerprint
    assert set(loaded) == {"detector", "dlib_resnet"}
    assert [likeliest(recognizer, tmp_path, person) for person in range(3)] == ["p0", "p1", "p2"]
    copy = f"{mine.paths.encodings}.before-face_det"
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert warnings == [f"{copy}: a copy of the original program's file, which was replaced"]
    dataset(tmp_path)
    trained(mine)
    assert Gallery.load(mine.paths.encodings).embedders[-1] == "both", "from the photos all is computed"


@pytest.mark.parametrize("change", ["enrol", "train", "encode"])
def test_the_originals_encodings_are_kept_once(tmp_path: Path, change: str) -> None:
    """Byte for byte beside ours, as its classifier and labels are; whoever is forgotten is in neither."""
    originals(tmp_path)
    mine = enroller(tmp_path)
    encodings, copy = mine.paths.encodings, tmp_path / "encodings.pickle.before-face_det"
    before = encodings.read_bytes()
    dataset(tmp_path)
    if change == "encode":
        update = update_encodings(
            tmp_path / "dataset", encodings, OPTIONS, jobs=1, on_progress=lambda *_: None
        )
        assert update.copy == copy
    elif change == "train":
        trained(mine)
    else:
        enrolled(mine, 2)
    assert encodings.read_bytes() != before
    assert (copy.read_bytes(), copy.stat().st_mode & 0o777) == (before, 0o600)
    enrolled(mine, 2, photo=5)
    assert copy.read_bytes() == before, "once"
    mine.forget("p1")
    assert not copy.exists()
    enrolled(mine, 1)
    assert not copy.exists(), "ours are not kept"


def test_the_originals_files_end_to_end(tmp_path: Path) -> None:
    """Model, labels and encodings as its scripts wrote them: dlib answers, enrolment goes on from there."""
    stored = json.loads((Path(__file__).parents[1] / "support/data/original_files.json").read_text("utf-8"))
    packed = stored["scikit-learn 0.20.4, xgboost 0.90"]
    mine = enroller(tmp_path, kind="auto")
    paths = mine.paths
    written = {paths.encodings: packed["encodings"], paths.labels: packed["labels"]}
    written[paths.model] = packed["models"]["rbf"]
    for path, text in written.items():
        path.write_bytes(zlib.decompress(base64.b64decode(text)))
    recognizer = mine.load()
    assert recognizer.engine.options.embedder == "dlib_resnet"
    assert recognizer.model is not None
    assert (recognizer.model.card.kind, recognizer.model.card.fingerprint) == ("original", None)
    with pytest.raises(ModelMismatch, match=r"must be trained on encodings of sface .*got dlib_resnet"):
        enroller(tmp_path, embedder="sface").load()
    recognizer = enrolled(mine, 0).recognizer
    assert recognizer.model is not None
    assert recognizer.model.recipe == "svm"
    assert recognizer.model.card.fingerprint == Dlib.fingerprint
    assert set(Gallery.load(paths.encodings).people) == {"Unknown", "anna", "bob", "p0"}
    assert set(loaded) == {"detector", "dlib_resnet"}
    assert likeliest(recognizer, tmp_path, 0) == "p0"


def test_a_file_is_nobody_elses_photo_too(tmp_path: Path) -> None:
    """The very same file is refused for a second person, by whatever name it has there; nothing changes."""
    mine = enroller(tmp_path)
    photo = enrolled(mine, 0).photo
    photo.rename(photo.with_name("summer.png"))
    before = state(mine)
    data = fake_networks.picture(tmp_path, 0).read_bytes()
    with pytest.raises(PhotoOfAnother, match=r"the very file that is p0's photo summer\.png"):
        mine.enrol("ann", data, image.load_image(data))
    assert state(mine) == before
    assert not (tmp_path / "dataset/ann").exists()


@pytest.mark.parametrize("made", ["dlib_resnet", "sface"])
@pytest.mark.parametrize("wanted", ["dlib_resnet", "sface"])
def test_a_model_is_only_asked_about_its_own_encodings(tmp_path: Path, made: str, wanted: str) -> None:
    """Another embedder in the configuration than the model's is refused, with what to do."""
    dataset(tmp_path)
    trained(enroller(tmp_path), made)
    again = enroller(tmp_path, embedder=wanted)
    if made == wanted:
        recognizer = again.load()
        assert configurable_embedder(recognizer.engine.options.embedder) == made
        assert [likeliest(recognizer, tmp_path, person) for person in range(3)] == ["p0", "p1", "p2"]
        return
    before = state(again)
    for attempt in (again.load, lambda: enrolled(again, 5), lambda: again.forget("p1")):
        with pytest.raises(ModelMismatch, match=f"of {wanted} .*got {made}; run 'face-det train', or set"):
            attempt()
    assert state(again) == before
    assert configurable_embedder(trained(again).recognizer.engine.options.embedder) == wanted, (
        "which train puts right"
    )
    assert enroller(tmp_path, embedder=wanted).load().model is not None


def test_other_weights_of_the_same_embedder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fingerprint holds more than the name: a model of older weights is refused too."""
    dataset(tmp_path)
    trained(enroller(tmp_path), "sface")
    monkeypatch.setattr(Sface, "fingerprint", "sface:3:fake")
    with pytest.raises(ModelMismatch, match=r"encodings of sface:3:fake, got sface:2:fake"):
        enroller(tmp_path).load()


def test_sface_model_and_a_file_without_its_numbers(tmp_path: Path) -> None:
    """As after the original's script wrote encodings.pickle anew: refused before anything is stored."""
    dataset(tmp_path)
    mine = enroller(tmp_path)
    trained(mine, "sface")
    originals(tmp_path)
    before = state(mine)
    with pytest.raises(
        BadEncodings, match=r"must hold those of sface for every photo.*run 'face-det encode'"
    ):
        enrolled(mine, 5)
    assert state(mine) == before


def test_training_by_another_embedder_swaps_the_engine(tmp_path: Path) -> None:
    """Each training's engine comes with its model, all on one detector; what is out of use is let go."""
    dataset(tmp_path)
    mine = enroller(tmp_path)
    mine.load()
    for embedder in ("dlib_resnet", "sface", "sface", "dlib_resnet"):
        recognizer = trained(mine, embedder).recognizer
        used = "dlib_views" if embedder == "dlib_resnet" else embedder
        assert recognizer.engine.options.embedder == used
        assert recognizer.model is not None
        assert recognizer.model.card.fingerprint == recognizer.engine.fingerprint
        assert [likeliest(recognizer, tmp_path, person) for person in range(3)] == ["p0", "p1", "p2"]
        assert sorted(mine.engines._loaded) == sorted({used, "all"})
        assert enroller(tmp_path).load().engine.options.embedder == used
    made = Gallery.load(mine.paths.encodings)
    assert made.fingerprint_of("both") == BOTH, "what was not learnt by is kept as well"
    recognizer = enrolled(mine, 4).recognizer
    assert recognizer.engine.options.embedder == "dlib_views", "as the model there is"


def test_embedder_that_the_configuration_rules_out(tmp_path: Path) -> None:
    """A call's option may not contradict config.json: the daemon would not start again."""
    dataset(tmp_path)
    with pytest.raises(
        BadRequest, match=r"options.embedder: must be one of auto, sface, as embedder in config"
    ):
        trained(enroller(tmp_path, embedder="sface"), "dlib_resnet")
    with pytest.raises(
        BadRequest, match="must be one of auto, dlib_resnet, sface, both, grey, got 'arcface'"
    ):
        trained(enroller(tmp_path), "arcface")
    assert not (tmp_path / "encodings.pickle").exists()


def test_forget_keeps_the_others_numbers(tmp_path: Path) -> None:
    """Both halves of a person go, and the last one leaves nothing to answer by."""
    mine = enroller(tmp_path)
    for person in (0, 1):
        enrolled(mine, person)
    recognizer = mine.forget("p0").recognizer
    made = Gallery.load(mine.paths.encodings)
    assert np.array_equal(made.of("sface"), fake_networks.sface_numbers(1))
    assert likeliest(recognizer, tmp_path, 1) == "p1"
    assert mine.forget("p1").recognizer.model is None
    assert not mine.paths.model.exists()
    with pytest.raises(UnknownPerson):
        mine.forget("p1")
    assert enrolled(mine, 0).recognizer.model is not None, "and from the start again"


@pytest.mark.parametrize("whose", ["ours", "the original's"])
def test_a_model_that_is_all_there_is_of_people_is_kept(tmp_path: Path, whose: str) -> None:
    """Without encodings nothing is learnt that would take the model's place: no newcomer, no fewer people."""
    mine = enroller(tmp_path, kind="auto")
    paths = mine.paths
    if whose == "ours":
        for person in range(3):
            enrolled(mine, person)
        shutil.rmtree(paths.dataset / "p2")
        shutil.rmtree(paths.dataset / "p1")
        known = {"p0", "p1", "p2", "Unknown"}
    else:
        stored = json.loads(
            (Path(__file__).parents[1] / "support/data/original_files.json").read_text("utf-8")
        )
        packed = stored["scikit-learn 0.20.4, xgboost 0.90"]
        paths.labels.write_bytes(zlib.decompress(base64.b64decode(packed["labels"])))
        paths.model.write_bytes(zlib.decompress(base64.b64decode(packed["models"]["rbf"])))
        fake_networks.picture(paths.dataset / "p0", 0)
        known = {"anna", "bob", "Unknown"}
    paths.encodings.unlink(missing_ok=True)
    before = state(mine)
    expected = r"encodings.pickle: must hold the encodings of the people in the model"
    with pytest.raises(DataError, match=expected):
        enrolled(mine, 5)
    with pytest.raises(DataError, match="must hold the encodings of the people in the model"):
        mine.forget("p0" if whose == "ours" else "bob")
    with pytest.raises(DataError, match=r"2 of \d have none; is it mounted"):
        trained(mine)
    assert state(mine) == before
    recognizer = mine.load()
    assert recognizer.model is not None
    assert {*recognizer.model.labels} == known


def test_who_is_only_in_the_model_can_be_forgotten(tmp_path: Path) -> None:
    """people() lists them: then they can go. The others stay, by their encodings."""
    mine = enroller(tmp_path)
    for person in range(3):
        enrolled(mine, person)
    paths = mine.paths
    paths.encodings.write_bytes(Gallery.load(paths.encodings).without("p1").dumps())
    shutil.rmtree(paths.dataset / "p1")
    forgotten = mine.forget("p1")
    assert (forgotten.images, forgotten.encodings) == (0, 0)
    assert forgotten.recognizer.model is not None
    assert {*forgotten.recognizer.model.labels} == {"p0", "p2", "Unknown"}
    with pytest.raises(UnknownPerson):
        mine.forget("p1")


def test_forget_reaches_into_quarantine(tmp_path: Path) -> None:
    """A photo that was put aside is a photo all the same: no file of the dataset names the person."""
    mine = enroller(tmp_path)
    photo = enrolled(mine, 0).photo
    quarantine.quarantine_photos(mine.paths.dataset, [(photo, "looks like somebody else")])
    assert mine.forget("p0").images == 1
    left = [path for path in mine.paths.dataset.rglob("*") if path.is_file()]
    assert not [path for path in left if "p0" in str(path) or b"p0" in path.read_bytes()]
    with pytest.raises(UnknownPerson):
        mine.forget("p0")


def test_a_photo_of_nobody_leaves_no_trace(tmp_path: Path) -> None:
    """Nothing is stored or learnt."""
    mine = enroller(tmp_path)
    data = fake_networks.picture(tmp_path, 0, faces=0).read_bytes()
    with pytest.raises(NoFace):
        mine.enrol("p0", data, image.load_image(data))
    assert state(mine) == (None, None, None, {})


def ask(service: Service, path: Path) -> Mapping[str, Any]:
    """The label of a person in a picture."""
    images = [{"image": str(path), "labels": [{"name": "person", "box": WHOLE}]}]
    label: Mapping[str, Any] = json.loads(service.detect_faces(images))[0]["labels"][0]
    return label


def service(folder: Path) -> Service:
    return Service(enroller(folder, rule=DecisionRule(0.5, "proba")), Limits())


def test_a_service_changes_engine_and_model_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that is under way while the embedder changes ends with the model it began with."""
    dataset(tmp_path)
    mine = service(tmp_path)
    assert mine.train({"embedder": "dlib_resnet"})["model"] is not None
    photo = fake_networks.picture(tmp_path, 1, 7)
    assert ask(mine, photo)["face"] == "p1"
    seen: list[tuple[Any, Any]] = []
    real_run, real_match = Engine.run, Recognizer.match

    def run(self: Engine, *arguments: Any, **options: Any) -> Any:
        found = real_run(self, *arguments, **options)
        monkeypatch.setattr(Engine, "run", real_run)
        mine.train({"embedder": "sface"})
        return found

    def match(self: Recognizer, found: Any, *rest: Any) -> Any:
        assert self.model is not None
        seen.append((self.model.card.fingerprint, found[0].encoding))
        return real_match(self, found, *rest)

    monkeypatch.setattr(Engine, "run", run)
    monkeypatch.setattr(Recognizer, "match", match)
    assert mine.status()["embedder"] == "dlib_resnet"
    assert ask(mine, photo)["face"] == "p1"
    assert mine.status()["embedder"] == "sface"
    assert ask(mine, photo)["face"] == "p1"
    assert [fingerprint for fingerprint, _ in seen] == [Views.fingerprint, Sface.fingerprint]
    assert np.array_equal([seen[0][1]], fake_networks.views_numbers(1, 7))
    assert np.array_equal([seen[1][1]], fake_networks.sface_numbers(1, 7))


def test_reload_takes_the_engine_of_the_model_on_disk(tmp_path: Path) -> None:
    """Trained by another process, on another embedder: both are swapped; the rest goes on as it was."""
    dataset(tmp_path)
    mine = service(tmp_path)
    mine.train({"embedder": "dlib_resnet"})
    trained(enroller(tmp_path), "sface")
    count = loaded.count("detector")
    assert mine.status()["embedder"] == "dlib_resnet"
    mine.reload()
    assert mine.status()["embedder"] == "sface"
    assert ask(mine, fake_networks.picture(tmp_path, 2, 7))["face"] == "p2"
    assert loaded.count("detector") == count
    (tmp_path / "l.pickle").unlink()
    with pytest.raises(ModelMismatch):
        mine.reload()
    assert ask(mine, fake_networks.picture(tmp_path, 2, 7))["face"] == "p2", "what was in use stays"


def test_reload_without_the_model_file(tmp_path: Path) -> None:
    """Gone by accident: refused, and what was in use stays. Gone with everything else: so it is wanted."""
    dataset(tmp_path)
    mine = service(tmp_path)
    mine.train()
    photo = fake_networks.picture(tmp_path, 2, 7)
    for name in ("m.pickle", "l.pickle"):
        (tmp_path / name).unlink()
    with pytest.raises(ModelMissing, match=r"m.pickle: not found, though .*encodings.pickle holds people"):
        mine.reload()
    assert ask(mine, photo)["face"] == "p2"
    (tmp_path / "encodings.pickle").unlink()
    mine.reload()
    assert ask(mine, photo)["face"] is None


def test_a_picture_that_is_none_is_told_by_its_path(tmp_path: Path) -> None:
    """Or as bytes, if it came so."""
    path = tmp_path / "cut.png"
    path.write_bytes(fake_networks.picture(tmp_path, 0).read_bytes()[:40])
    with pytest.raises(BadImage, match=str(path)):
        service(tmp_path).add_face("p0", str(path))
    with pytest.raises(BadImage, match=r"^bytes: "):
        service(tmp_path).add_face("p0", path.read_bytes())


def test_a_kind_that_changes_is_announced(tmp_path: Path) -> None:
    """svm of five photos each, then somebody with one: answer and status() say what stands in, and why."""
    mine = enroller(tmp_path, kind="auto")
    dataset(tmp_path, people=2, each=5)
    service = Service(mine, Limits())
    asked = service.train({"classifier": "svm", "quick": True})["model"]
    assert (asked["classifier"], asked["wanted_by"]) == ("svm", "asked")
    data = fake_networks.picture(tmp_path, 7).read_bytes()
    told = service.add_face("p7", data)["model"]
    assert told == {
        "classifier": "nearest",
        "wanted": "svm",
        "wanted_by": "present_model",
        "replaced": "svm",
        "why": "nearest stands in for svm (the kind of the previous model) until each person has 5 photos "
        "(3 are enough for face-det train); the previous model was svm",
    }
    served = service.status()["model"]
    assert {key: served[key] for key in told} == told
    assert served["file"] == str(mine.paths.model)
    kept = service.train({"quick": True})["model"]
    assert (kept["classifier"], kept["wanted_by"], kept["replaced"]) == ("svm", "present_model", "nearest")


def test_each_kind_has_a_file_of_its_own(tmp_path: Path) -> None:
    """At a modelPath of the svm's name lies an svm or nothing; who is forgotten is in no copy either."""
    mine = enroller(tmp_path, kind="auto")
    mine.paths = replace(mine.paths, model=tmp_path / "svm_face_recognizer.pickle")
    dataset(tmp_path, people=2)
    mine.train(kind=None, embedder=None, thorough=False, on_progress=lambda *_: None)
    template = tmp_path / "template_face_recognizer.pickle"
    assert template.exists()
    assert not mine.paths.model.exists()
    loaded_again = mine.load().model
    assert loaded_again is not None
    assert loaded_again.place == str(template)
    mine.paths.model.write_bytes(dump_pickle(NearestClassifier().fit(np.eye(2, 128), [0, 1])))
    mine.train(kind="svm", embedder=None, thorough=False, on_progress=lambda *_: None)
    copies = {path.name for path in tmp_path.glob("*.before-face_det")}
    assert copies == {"svm_face_recognizer.pickle.before-face_det", "l.pickle.before-face_det"}
    template.unlink()
    labels = mine.paths.labels.read_bytes()
    assert b"template_face" not in labels
    mine.paths.labels.unlink()
    with pytest.raises(ModelMismatch, match="file not found"):
        mine.load()
    mine.paths.labels.write_bytes(labels)
    mine.forget("p1")
    assert not [*tmp_path.glob("*.before-face_det")]
    assert mine.load().model is not None
