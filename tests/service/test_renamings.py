"""What users said about sightings follows people who are renamed or made one, back again, and over a kill."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import forked
import pytest
from running import eventually

from face_det.config.load import load_config
from face_det.service import Corrections, Memory, assembly
from face_det.service.service import Service
from face_det.sightings import read_negatives
from face_det.types import UNKNOWN

pytestmark = pytest.mark.usefixtures("shared_networks")

KILLED = Path(__file__).parents[1] / "support" / "killed_renaming.py"


@contextmanager
def started(folder: Path) -> Iterator[tuple[Service, Memory, Corrections]]:
    """The service, as the daemon starts it, its memory, and the verbs of corrections."""
    config = folder / "config.json"
    config.write_text(json.dumps({"faceDetServer": {"sightings": {}}}))
    service = assembly.build_service(load_config(config, {}), remember=True)
    assert service.memory is not None
    assert service.corrections is not None
    try:
        yield service, service.memory, service.corrections
    finally:
        service.memory.store.close()


def kill(folder: Path, verb: str, *arguments: object) -> None:
    """Let another process change photos, and kill it before the memory follows."""
    argv = [sys.executable, str(KILLED), str(folder / "config.json"), verb, *map(json.dumps, arguments)]
    done = forked.run(argv)
    assert done.returncode == -signal.SIGKILL, done.stderr


def see(service: Service, photo: Path) -> int:
    assert service.memory is not None
    service.recognize(str(photo), {"camera": photo.name})
    service.memory.store.flush()
    found: int = service.memory.sightings({"limit": 1})["items"][0]["id"]
    return found


def answer(service: Service, photo: Path) -> str | None:
    name: str | None = service.recognize(str(photo), {"remember": False})[0]["face"]
    return name


def said(memory: Memory, sighting: int) -> tuple[Any, list[str | None]]:
    """Whom the sighting shows, and who the negative examples are not."""
    negatives = memory.store.read(read_negatives)
    return memory.sighting(sighting)["face"], [one.name for one in negatives]


def people(service: Service) -> dict[str, int]:
    return {one["name"]: one["images"] for one in service.people()}


@pytest.mark.slow
def test_what_was_said_follows_a_new_name(tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """Named by hand, and "not me"; over a kill, undone in any order, and forgotten."""
    with started(tmp_path) as (service, memory, corrections):
        service.add_face("Obama", str(photos["obama"]))
        named = see(service, photos["biden"])
        confirmed = corrections.confirm(named, "Obama", "test")["change"]
        corrections.correct(see(service, photos["obama2"]), None, "test")
        assert answer(service, photos["obama2"]) != "Obama"
        service.photos.rename_person("Obama", "Barack")
        assert said(memory, named) == ("Barack", ["Barack"])
        assert answer(service, photos["obama2"]) != "Barack"
    kill(tmp_path, "rename_person", "Barack", "President")
    with started(tmp_path) as (service, memory, corrections):
        assert said(memory, named) == ("President", ["President"])
        assert answer(service, photos["obama2"]) != "President"
        changes = [one["change"] for one in service.photos.changes() if "renamed" in one["what"]]
        service.photos.undo(changes[0])
        assert said(memory, named) == ("Barack", ["Barack"])
        # The photo of the sighting was enrolled under the first name.
        corrections.undo(confirmed, "test")
        assert people(service) == {"Barack": 1}
        # Past sightings are decided again meanwhile.
        eventually(lambda: said(memory, named) == (UNKNOWN, ["Barack"]))
        corrections.confirm(named, "Barack", "test")
    kill(tmp_path, "undo", changes[1])
    with started(tmp_path) as (service, memory, _):
        # Nobody is called Barack any more, so what was confirmed since then follows, too.
        assert said(memory, named) == ("Obama", ["Obama"])
        assert people(service) == {"Obama": 2}
        service.photos.merge_people(["Obama"], "Somebody")
        service.forget("Somebody")
        events = json.dumps(memory.consumers.events(0)["events"])
        assert "Obama" not in events
        assert memory.store.read(read_negatives) == []


@pytest.mark.slow
def test_two_who_are_one_can_be_told_apart_again(tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """Each sighting, and each face that is not somebody's, has its own name back."""
    with started(tmp_path) as (service, memory, corrections):
        service.add_face("Obama", str(photos["obama"]))
        service.add_face("Collins", str(photos["astronaut"]))
        first, second = see(service, photos["biden"]), see(service, photos["obama2"])
        third = see(service, photos["obama3"])
        every = (first, second, third)
        for sighting, name in zip(every, ("Obama", "Collins", "Obama"), strict=True):
            corrections.correct(sighting, name, "test")
        merged = service.photos.merge_people(["Obama"], "Collins")
        assert [memory.sighting(one)["face"] for one in every] == ["Collins"] * 3
        assert {*said(memory, first)[1]} == {"Collins"}
        service.photos.undo(merged["change"])
        assert [memory.sighting(one)["face"] for one in every] == ["Obama", "Collins", "Obama"]
        assert said(memory, first)[1][0] == "Obama"
