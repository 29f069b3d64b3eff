"""A model that is replaced, deleted, damaged or out of date while it is served; and clocks that jump."""

from __future__ import annotations

import ast
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from face_det.enrolment.enroller import Enroller
from face_det.errors import DataError, ModelMismatch, UnsafePickle
from face_det.gallery.gallery import Gallery
from face_det.recognition import library_versions, model, model_file
from face_det.service.service import Limits, Service

Make = Callable[..., Enroller]
PACKAGE = Path(model.__file__).parents[1]


def trained(enroller: Enroller) -> None:
    enroller.train(kind=None, embedder=None, thorough=False, on_progress=lambda *_: None)


@pytest.fixture
def mine(tmp_path: Path, enroller: Make, people: Callable[..., None]) -> Enroller:
    people(tmp_path, "Ann", "Bob", "Cid")
    made: Enroller = enroller(tmp_path)
    trained(made)
    return made


@pytest.mark.parametrize("fault", ["gone", "unfit", "other"])
def test_model_file_changed_while_serving(
    fault: str, mine: Enroller, enroller: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """The old one stays in use, one line of the log and status() say so; put back, all is well."""
    service = Service(mine, Limits())
    before = service.status()
    assert before["model_file"] == {"state": "in_use", "text": ""}
    path = mine.paths.model
    good = path.read_bytes()
    if fault == "gone":
        path.unlink()
    if fault == "unfit":
        path.write_bytes(good[: len(good) // 2])
    if fault == "other":
        enroller(path.parent).forget("Bob")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            status = service.status()
            assert status["model_file"]["state"] == fault
            assert "stays in use" in status["model_file"]["text"]
            assert status["model"] == before["model"]
    assert caplog.messages == [status["model_file"]["text"]]
    if fault == "unfit":
        with pytest.raises(UnsafePickle):
            service.reload()
        assert service.status()["model"] == before["model"]
        path.write_bytes(good)
    if fault != "gone":
        service.reload()
        assert service.status()["model_file"]["state"] == "in_use"


def rewritten(mine: Enroller, **changes: object) -> None:
    """The model's file with another card."""
    loaded = model_file.load_model(mine.paths.model, mine.paths.labels)
    card = getattr(loaded.classifier, model_file.CARD_ATTRIBUTE)
    card.update(changes)
    for key in [key for key, value in changes.items() if value is None]:
        del card[key]
    mine.paths.model.write_bytes(model_file.dump_model(loaded)[0])


def test_cards_say_what_trained_them(mine: Enroller) -> None:
    """Format and versions; a card of before there were any loads, a newer format does not."""
    loaded = mine.model()
    assert loaded is not None
    assert loaded.card.versions == library_versions.installed_versions()
    assert {"format", "scikit-learn", "xgboost", "numpy"} == set(library_versions.installed_versions())
    rewritten(mine, versions=None)
    older = mine.load()
    assert older.model is not None
    assert (older.model.card.versions, older.stale) == ({}, None)
    good = mine.paths.model.read_bytes()
    for wrong, expected in (
        ({"format": "99"}, r"must be of format 1 or older.*run 'face-det train'"),
        ({"format": "?"}, "must be of format 1 or older"),
        ({"format": 1}, "must carry versions as text"),
    ):
        rewritten(mine, versions=wrong)
        with pytest.raises(ModelMismatch, match=expected):
            mine.load()
        mine.paths.model.write_bytes(good)


def test_an_estimator_of_another_version_is_used(mine: Enroller, caplog: pytest.LogCaptureFixture) -> None:
    """One line of the log names both versions; it answers as before."""
    rewritten(
        mine, versions={**library_versions.installed_versions(), "scikit-learn": "0.1", "xgboost": "0.1"}
    )
    with caplog.at_level(logging.WARNING):
        recognizer = mine.load()
    assert recognizer.model is not None
    assert len(caplog.messages) == 1
    assert "was trained by scikit-learn 0.1, here" in caplog.messages[0]
    assert "run 'face-det train'" in caplog.messages[0]
    assert "xgboost" not in caplog.messages[0], "it is not made of that"


@pytest.mark.parametrize("fault", ["outdated", "damaged", "other weights"])
def test_mended(fault: str, mine: Enroller, enroller: Make, tmp_path: Path) -> None:
    """autoRetrain: without, an error or a remark; with, trained again and everybody is kept."""
    if fault == "outdated":
        rewritten(mine, versions={**library_versions.installed_versions(), "scikit-learn": "0.1"})
    if fault == "damaged":
        mine.paths.model.write_bytes(b"\x80\x04N.")
    if fault == "other weights":
        loaded = mine.model()
        assert loaded is not None
        rewritten(mine, fingerprint="sface:1:older")
        made = Gallery.load(mine.paths.encodings)
        older = {"dlib_resnet": "dlib_resnet:0:older", "sface": "sface:1:older"}
        encodings = {name: made.of(name) for name in older}
        mine.paths.encodings.write_bytes(Gallery(encodings, made.names, older).dumps())
    if fault != "outdated":
        with pytest.raises((ModelMismatch, UnsafePickle)):
            enroller(tmp_path).load()
    service = Service(enroller(tmp_path, auto_retrain=True), Limits())
    assert service.status()["stale"]
    assert service.status()["trained"] == (fault == "outdated"), "what still loads is served meanwhile"
    service.retrain_stale()
    status = service.status()
    assert status["stale"] is None
    assert set(status["model"]["classes"]) >= {"Ann", "Bob", "Cid"}
    assert enroller(tmp_path).load().stale is None


def test_nobody_is_lost_by_mending(mine: Enroller, enroller: Make, tmp_path: Path) -> None:
    """Encodings of other weights, and somebody without photos: it refuses, nothing changes."""
    made = Gallery.load(mine.paths.encodings)
    older = {"dlib_resnet": "dlib_resnet:0:older"}
    mine.paths.encodings.write_bytes(Gallery(made.encodings, made.names, older).dumps())
    rewritten(mine, fingerprint="dlib_resnet:0:older")
    for photo in (mine.paths.dataset / "Cid").iterdir():
        photo.unlink()
    before = mine.paths.encodings.read_bytes()
    service = Service(enroller(tmp_path, auto_retrain=True), Limits())
    with pytest.raises(DataError, match="1 of 3 have none"):
        service.retrain_stale()
    assert mine.paths.encodings.read_bytes() == before


def test_no_wall_clock_decides_anything() -> None:
    """The clock may jump: it only dates what is kept and shown, and tells how old files or events are."""
    allowed = {"training/training_set.py", "service/audit.py", "gallery/quarantine.py"}
    allowed |= {"sightings/clocks.py", "cli/times.py", "cli/contact_sheet.py"}
    allowed |= {
        "enrolment/photo_journal.py",
        "service/backups.py",
        "service/progress.py",
        "daemon/commands.py",
    }
    allowed |= {"service/uploads.py", "gateway/views.py", "service/following.py", "service/videos.py"}
    allowed |= {"cameras/http_pictures.py", "cameras/live.py", "cameras/streams.py"}
    allowed |= {"daemon/video_methods.py", "integrations/mqtt/bridge.py"}
    allowed |= {"integrations/actions/runner.py", "integrations/actions/dead_letters.py", "doctor/running.py"}
    allowed |= {"integrations/frigate/bridge.py", "integrations/frigate/follower.py"}
    allowed |= {"integrations/zoneminder/event_queue.py"}
    allowed |= {"gateway/security/credentials.py", "gateway/security/sessions.py"}
    wall = {"time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.strftime", "datetime.now"}
    wall |= {"datetime.utcnow", "datetime.today", "date.today", "time.ctime"}
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            named = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
            if named and f"{node.value.id}.{node.attr}" in wall:
                found.add(path.relative_to(PACKAGE).as_posix())
            if isinstance(node, ast.ImportFrom) and node.module == "time":
                found |= {path.name for alias in node.names if alias.name != "monotonic"}
    assert found - {"evaluation/report/html.py", "comparison/report/html.py"} == allowed


def test_a_new_model_is_taken_over(mine: Enroller, enroller: Make) -> None:
    """Trained by a command: the next look switches to it; a damaged one is not."""
    service = Service(mine, Limits())
    assert service.take_over_model() is None
    other = enroller(mine.paths.dataset.parent, "svm")
    trained(other)
    before = service.status()["model"]
    assert before["classifier"] == "nearest"
    told = service.take_over_model()
    assert told is not None
    assert told["classifier"] == "svm"
    assert service.status()["model"] == told
    mine.paths.labels.write_bytes(b"half")
    assert service.take_over_model() is None
    assert service.status()["model"] == told


def test_another_embedders_model_is_not_taken_over(mine: Enroller, enroller: Make) -> None:
    """It would change every answer's network; a reload is asked for, and does it."""
    service = Service(mine, Limits())
    before = service.status()["model"]
    other = enroller(mine.paths.dataset.parent, embedder="dlib_resnet")
    trained(other)
    for _ in range(2):
        with pytest.raises(ModelMismatch, match="must be trained on encodings of sface"):
            service.take_over_model()
        assert service.status()["model"] == before
    service.reload()
    assert service.status()["embedder"] == "dlib_resnet"


def test_files_without_a_card_must_lie_still(
    tmp_path: Path, enroller: Make, people: Callable[..., None]
) -> None:
    """The original's: copied one after the other, they would for a moment name people wrongly."""
    people(tmp_path, "Ann", "Bob", "Cid")
    mine = enroller(tmp_path, embedder="dlib_resnet")
    trained(mine)
    service = Service(mine, Limits())
    before = service.status()["model"]
    loaded = model_file.load_model(mine.paths.model, mine.paths.labels)
    for attribute in (model_file.CARD_ATTRIBUTE, model_file.VERIFIER_ATTRIBUTE):
        delattr(loaded.classifier, attribute)
    mine.paths.model.write_bytes(model_file.dump_model(loaded)[0])
    assert service.take_over_model() is None
    assert service.status()["model"] == before
    told = service.take_over_model()
    assert told is not None
    assert told["classifier"] == "original"
