"""What users say about sightings changes photos, model and the next answer, and can be undone."""

from __future__ import annotations

import io
import json
import sqlite3
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from running import eventually

from face_det.config.load import load_config
from face_det.errors import BadName, BadRequest, CannotWrite, NoFace, UnknownPerson, UnknownSighting
from face_det.service import Corrections, Memory, assembly
from face_det.service.service import Service

pytestmark = pytest.mark.usefixtures("shared_networks")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service with a memory, which closes it at the end."""
    settings: dict[str, Any] = {"sightings": {"frames": True}}
    (tmp_path / "config.json").write_text(json.dumps({"faceDetServer": settings}))
    service = assembly.build_service(load_config(tmp_path / "config.json", {}), remember=True)
    yield service
    memory(service).store.close()


def memory(service: Service) -> Memory:
    """Its memory."""
    assert service.memory is not None
    return service.memory


def corrections(service: Service) -> Corrections:
    """The verbs of corrections."""
    assert service.corrections is not None
    return service.corrections


def see(service: Service, *paths: Path) -> list[int]:
    """Let it look at pictures, and return the ids of the sightings; each is a visit of its own."""
    kept = []
    for path in paths:
        (face,) = service.recognize(str(path), {"camera": path.name})[:1]
        assert "faceBox" in face
        memory(service).store.flush()
        kept.append(memory(service).sightings({"limit": 1})["items"][0]["id"])
    return kept


@contextmanager
def cannot_be_written(service: Service) -> Iterator[None]:
    """Hold the database of its memory, as a backup that hangs does."""
    path = memory(service).store.folder / "sightings.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        # The caller may learn of it first, and what is asked for in between fails as well.
        eventually(lambda: "fault" in memory(service).store.status())
        other.execute("ROLLBACK")
    eventually(lambda: "fault" not in memory(service).store.status())


def answer(service: Service, path: Path) -> str | None:
    """Who it says is in a picture."""
    name: str | None = service.recognize(str(path))[0]["face"]
    return name


def test_a_stranger_is_named_and_undone(service: Service, photos: Mapping[str, Path]) -> None:
    """Seen twice, numbered, named, recognised in another picture; and after undo as if nothing had been."""
    see(service, photos["obama"], photos["obama2"], photos["biden"])
    (unknown,) = memory(service).unknowns()
    assert (unknown["id"], unknown["sightings"], unknown["visits"]) == ("unknown-1", 2, 2)
    done = corrections(service).name_unknown("unknown-1", "Barack Obama", "test")
    assert done["photos"] == 2
    assert service.people() == [{"name": "Barack Obama", "images": 2}]
    assert answer(service, photos["obama3"]) == "Barack Obama"
    memory(service).store.flush()
    past = memory(service).sightings({"name": "Barack Obama"})["items"]
    assert len(past) == 3
    assert memory(service).unknowns() == []
    corrections(service).undo(done["change"], "test")
    assert service.people() == []
    assert answer(service, photos["obama3"]) is None
    assert [one["id"] for one in memory(service).unknowns()] == ["unknown-1"]


@pytest.mark.slow
def test_what_cannot_be_recorded_enrols_nobody(service: Service, photos: Mapping[str, Path]) -> None:
    """The error says that nothing was changed: nobody is enrolled either, and another call does it all."""
    service.add_face("Joe Biden", str(photos["biden"]))
    first, _ = see(service, photos["obama"], photos["obama2"])
    verbs = corrections(service)
    with cannot_be_written(service):
        with pytest.raises(CannotWrite, match="nothing was changed"):
            verbs.name_unknown("unknown-1", "Barack Obama", "test")
        with pytest.raises(CannotWrite, match="nothing was changed"):
            verbs.confirm(first, "Joe Biden", "test")
    assert service.people() == [{"name": "Joe Biden", "images": 1}]
    assert answer(service, photos["obama3"]) != "Barack Obama"
    memory(service).store.flush()
    assert verbs.name_unknown("unknown-1", "Barack Obama", "test")["photos"] == 3
    assert answer(service, photos["obama3"]) == "Barack Obama"


def test_a_correction_withdraws_the_photo(service: Service, photos: Mapping[str, Path]) -> None:
    """A sighting that was confirmed wrongly was also enrolled: the correction unlearns it, undo learns it."""
    service.add_face("Joe Biden", str(photos["biden"]))
    (sighting,) = see(service, photos["obama"])
    corrections(service).confirm(sighting, "Joe Biden", "test")
    assert service.people() == [{"name": "Joe Biden", "images": 2}]
    done = corrections(service).correct(sighting, "Barack Obama", "test")
    assert service.people() == [{"name": "Barack Obama", "images": 1}, {"name": "Joe Biden", "images": 1}]
    assert answer(service, photos["obama2"]) == "Barack Obama"
    corrections(service).undo(done["change"], "test")
    assert service.people() == [{"name": "Joe Biden", "images": 2}]


def test_not_me_changes_the_next_answer(service: Service, photos: Mapping[str, Path]) -> None:
    """The same picture is not named so again, and the sighting stands under no name."""
    service.add_face("Not Obama", str(photos["obama"]))
    assert answer(service, photos["obama2"]) == "Not Obama"
    (sighting,) = see(service, photos["obama2"])
    done = corrections(service).correct(sighting, None, "test")
    assert answer(service, photos["obama2"]) != "Not Obama"
    assert memory(service).sighting(sighting)["face"] != "Not Obama"
    corrections(service).undo(done["change"], "test")
    assert answer(service, photos["obama2"]) == "Not Obama"


def test_an_ignored_person_is_no_event(service: Service, photos: Mapping[str, Path]) -> None:
    """Nobody hears of them again, and they keep their number."""
    see(service, photos["obama"], photos["obama2"])
    corrections(service).ignore("unknown-1", "test")
    before = memory(service).consumers.events(0)["last"]
    (sighting,) = see(service, photos["obama3"])
    told = [event for event in memory(service).consumers.events(before)["events"] if event["type"] == "seen"]
    assert told == []
    assert memory(service).sighting(sighting)["unknown"] == "unknown-1"
    assert memory(service).unknowns() == []


def test_each_change_is_an_event(service: Service, photos: Mapping[str, Path]) -> None:
    """Whoever follows the events learns of a split, a merger and an undo."""
    first, *_ = see(service, photos["obama"], photos["obama2"], photos["obama3"])
    corrections(service).split("unknown-1", [first], "test")
    done = corrections(service).merge(["unknown-2", "unknown-1"], "test")
    assert done["unknowns"] == ["unknown-1"]
    corrections(service).undo(done["change"], "test")
    events = [
        event for event in memory(service).consumers.events(0)["events"] if event["type"] == "corrected"
    ]
    assert [event["verb"] for event in events] == ["split", "merge", "undo"]
    assert events[0]["unknowns"] == ["unknown-1", "unknown-2"]
    assert [one["id"] for one in memory(service).unknowns()] == ["unknown-1", "unknown-2"]


@pytest.mark.slow
def test_what_cannot_be_forgotten_can_be_forgotten_later(
    service: Service, photos: Mapping[str, Path]
) -> None:
    """The sightings go first: later, without the photos, they would have lost the name and stayed."""
    service.add_face("Barack Obama", str(photos["obama"]))
    (sighting,) = see(service, photos["obama2"])
    with cannot_be_written(service), pytest.raises(CannotWrite, match="nothing was changed"):
        service.forget("Barack Obama")
    memory(service).store.flush()
    assert service.people() == [{"name": "Barack Obama", "images": 1}]
    assert service.forget("Barack Obama")["sightings"] == 1
    with pytest.raises(UnknownSighting):
        memory(service).sighting(sighting)


def test_forgetting_takes_the_whole_picture(service: Service, photos: Mapping[str, Path]) -> None:
    """A picture that was kept shows the face of who is forgotten, whoever else is in it."""
    service.add_face("Barack Obama", str(photos["obama"]))
    (sighting,) = see(service, photos["obama2"])
    assert memory(service).picture(sighting)[:3] == b"\xff\xd8\xff"
    assert service.forget("Barack Obama")["sightings"] == 1
    with pytest.raises(UnknownSighting):
        memory(service).picture(sighting)
    count = memory(service).store.read(lambda db: db.execute("SELECT count(*) FROM picture").fetchone()[0])
    assert count == 0


def test_the_export_holds_everything(service: Service, photos: Mapping[str, Path]) -> None:
    """Photos, encodings, sightings with pictures; and nothing is known of nobody."""
    service.add_face("Barack Obama", str(photos["obama"]))
    see(service, photos["obama2"], photos["biden"])
    with zipfile.ZipFile(io.BytesIO(service.export("Barack Obama"))) as archive:
        names = archive.namelist()
        about = json.loads(archive.read("about.json"))
        sightings = json.loads(archive.read("sightings.json"))
    assert about["photos"] == about["encodings"] == about["sightings"] == len(sightings) == 1
    assert sightings[0]["frame"] == str(photos["obama2"])
    assert len(sightings[0]["encoding"]) == 128
    assert sum(name.startswith("photos/") for name in names) == 1
    assert [name.split("/")[0] for name in names if name.endswith(".jpg")].count("thumbnails") == 1
    with pytest.raises(UnknownPerson, match="nothing is known about 'Nobody'"):
        service.export("Nobody")


def test_wrong_arguments(service: Service, photos: Mapping[str, Path]) -> None:
    """Each is refused with its place, and changes nothing."""
    one = corrections(service)
    (sighting,) = see(service, photos["biden"])
    wrong: list[tuple[Any, type[Exception], str]] = [
        (
            lambda: one.name_unknown("biden", "Joe", "t"),
            BadRequest,
            "id: must be the id of an unknown person",
        ),
        (lambda: one.name_unknown("unknown-7", "Joe", "t"), UnknownSighting, "nobody is called unknown-7"),
        (lambda: one.name_unknown("unknown-1", "unknown-2", "t"), BadName, "name: must be a person's"),
        (lambda: one.name_unknown("unknown-1", "unknown-02", "t"), BadName, "name: must be a person's"),
        (lambda: one.confirm(sighting, "Unknown-0", "t"), BadName, "name: must be a person's"),
        (lambda: one.correct(sighting, "UNKNOWN-7", "t"), BadName, "name: must be a person's"),
        (lambda: service.add_face("unknown-3", str(photos["biden"])), BadName, "name: must be a person's"),
        (lambda: one.name_unknown("unknown-1", "a/b", "t"), BadName, "name: must be letters"),
        (lambda: one.merge(["unknown-1"], "t"), UnknownSighting, "unknown-1"),
        (lambda: one.merge("unknown-1", "t"), BadRequest, "ids: must be a list"),
        (
            lambda: one.split("unknown-1", [1] * 100_001, "t"),
            BadRequest,
            "sighting_ids: must be a list of at most 100000 ids, got 100001",
        ),
        (
            lambda: one.split("unknown-1", [True], "t"),
            BadRequest,
            r"sighting_ids\[0\]: must be a whole number",
        ),
        (lambda: one.correct(sighting, None, "t"), BadRequest, "has no name to remove"),
        (lambda: one.correct(10**6, "Joe", "t"), UnknownSighting, "there is no sighting 1000000"),
        (lambda: one.undo(99, "t"), UnknownSighting, "there is no change 99"),
    ]
    for call, error, message in wrong:
        with pytest.raises(error, match=message):
            call()
    assert service.people() == []
    with pytest.raises((NoFace, UnknownSighting)):
        one.name_unknown("unknown-1", "Joe", "t")
