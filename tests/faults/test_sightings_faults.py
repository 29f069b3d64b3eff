"""Sightings of a real daemon that is killed, on a full disk, and beside a database of the future."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest
import seen
from running import eventually
from seen import FakeTime, face, names_told, opened, person, picture, value

from face_det.sightings import MemoryOptions, SightingStore, schema, store

REAL = (sys.executable, "-m", "face_det.cli.main", "serve", "--config")
SETTINGS: dict[str, Any] = {"faceDetModel": "hog", "focusMeasureThreshold": 20, "numFaceImgUpsample": 0}


def known_cameras(state: Path) -> list[str]:
    """The cameras of the events that say who was seen, one for each event."""
    connection = sqlite3.connect(state / "sightings.sqlite")
    try:
        query = "SELECT camera FROM event WHERE type = 'seen' AND outcome = 'known' ORDER BY camera"
        return [camera for (camera,) in connection.execute(query)]
    finally:
        connection.close()


def ask_until_it_ends(daemon: Any, photo: Path, cameras: Any, answered: list[str]) -> None:
    """Ask about one photo again and again, each time of another camera; note who was answered."""
    client = daemon.client(timeout=300)
    try:
        while True:
            camera = f"camera {next(cameras):04}"
            (found,) = client.recognize(str(photo), {"camera": camera})
            if found["outcome"] == "known":
                answered.append(camera)
    finally:
        client.close()


@pytest.mark.slow
def test_every_answer_is_one_event_under_kill_9(
    launch: Callable[..., Any], call: Callable[..., Any], photos: dict[str, Path], folder: Path
) -> None:
    """A daemon that is killed at any moment neither loses nor repeats what it had answered."""
    settings = {**SETTINGS, "statePath": str(folder / "state"), "datasetPath": str(folder / "dataset")}
    settings |= {key: str(folder / key) for key in ("encodingsPath", "modelPath", "labelPath")}
    settings |= {"sightings": {}}
    answered: list[str] = []
    cameras = iter(range(10_000))
    for round_number in range(3):
        daemon = launch(command=REAL, **settings)
        if not round_number:
            call(daemon, "add_face", "Obama", str(photos["obama"]))
        callers = [
            gevent.spawn(ask_until_it_ends, daemon, photos["obama3"], cameras, answered) for _ in range(2)
        ]
        enough = len(answered) + 3
        eventually(lambda enough=enough: len(answered) >= enough)
        daemon.process.kill()
        daemon.ended()
        gevent.killall(callers)
    daemon = launch(command=REAL, **settings)
    eventually(lambda: call(daemon, "status")["sightings"]["waiting_bytes"] == 0)
    told = [event for event in call(daemon, "events", 0)["events"] if event.get("outcome") == "known"]
    found = [event["camera"] for event in told]
    assert set(answered) <= set(found), "an answer without an event"
    assert len(found) == len(set(found)), "an event twice"
    assert [event["seq"] for event in told] == sorted({event["seq"] for event in told})
    daemon.process.kill()
    daemon.ended()
    assert seen.is_sound(folder / "state")
    assert sorted(found) == known_cameras(folder / "state")


def test_a_database_of_the_future_keeps_the_daemon_from_starting(
    launch: Callable[..., Any], folder: Path
) -> None:
    """With one line that says what to do; the file stays as it is."""
    state = folder / "state"
    with opened(state):
        pass
    connection = sqlite3.connect(state / "sightings.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = (state / "sightings.sqlite").read_bytes()
    daemon = launch(command=REAL, ready=False, statePath=str(state), sightings={}, **SETTINGS)
    assert daemon.ended() == 65
    assert f"must be of version {len(schema.MIGRATIONS)} or older, got 99" in daemon.log()
    assert "Traceback" not in daemon.log()
    assert (state / "sightings.sqlite").read_bytes() == before


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults show soon, and are tried again soon."""
    monkeypatch.setattr(schema, "BUSY_S", 0.05)
    monkeypatch.setattr(store, "RETRY_S", 0.05)


@pytest.mark.usefixtures("impatient")
def test_a_full_disk_stops_no_call(disk: Callable[..., Path]) -> None:
    """What finds no room is counted, status says why, and later sightings are remembered again."""
    folder = disk("size=1m")
    with opened(folder / "state") as one:
        one.record(picture(face(person(1), "anna"), camera="before"))
        one.flush()
        ballast = folder / "ballast"
        with pytest.raises(OSError, match="No space left"), ballast.open("wb") as file:
            file.write(b"x" * 2**21)
        for number in range(30):
            shown = face(person(number), "bert", thumbnail=seen.thumbnail(number, 20_000))
            one.record(picture(shown, camera=f"during {number}"))
        eventually(lambda: "fault" in one.status())
        assert one.status()["dropped"] > 0
        ballast.unlink()
        one.record(picture(face(person(1), "carl"), camera="after"))
        eventually(lambda: "fault" not in one.status())
        told = names_told(one)
        assert (told[0], told[-1]) == ("anna", "carl")
        assert len(told) + one.status()["dropped"] == 32
        assert value(one, "SELECT count(*) FROM sighting") == len(told)
    assert seen.is_sound(folder / "state")


@pytest.mark.usefixtures("impatient")
def test_a_read_only_disk_at_the_start_stops_no_call(disk: Callable[..., Path]) -> None:
    """Nothing is remembered, and status says so."""
    folder = disk("ro")
    with opened(folder / "state") as one:
        one.record(picture(face(person(1), "anna")))
        status = one.status()
        assert status["dropped"] == 1
        assert "Read-only file system" in status["fault"]


def test_a_daemon_without_a_place_to_remember_still_recognises(
    launch: Callable[..., Any], call: Callable[..., Any], photos: dict[str, Path], folder: Path
) -> None:
    """The folder's name is taken by a file: calls are answered, and status says what is wrong."""
    (folder / "state").write_text("in the way")
    daemon = launch(command=REAL, statePath=str(folder / "state"), sightings={}, **SETTINGS)
    assert len(call(daemon, "recognize", str(photos["obama2"]))) == 1
    status = call(daemon, "status")["sightings"]
    assert status["dropped"] == 1
    assert "cannot be written" in status["fault"]


def test_a_kill_between_any_two_writes_leaves_a_sound_database(tmp_path: Path) -> None:
    """Processes that record and end at once: each record is there once, in one transaction with its event."""
    for number in range(8):
        child = os.fork()
        if child == 0:
            one = SightingStore(tmp_path, MemoryOptions(), FakeTime().clocks())
            one.open()
            for take in range(5):
                one.record(picture(face(person(take), f"p{take}"), camera=f"{number}-{take}"))
            if number % 2:
                one.flush()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        shutil.copytree(tmp_path, tmp_path.with_name(f"copy{number}"))
        assert seen.is_sound(tmp_path.with_name(f"copy{number}"))
    with opened(tmp_path) as one:
        assert len(names_told(one)) == 40
        assert value(one, "SELECT count(*) FROM sighting") == 40
        assert json.dumps(one.status())
    assert seen.is_sound(tmp_path)
