"""What the service hands over to the memory, and when."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from seen import FINGERPRINT, NOON, opened, person, rows

from face_det.config.load import load_config
from face_det.errors import BadRequest
from face_det.service import Memory, assembly
from face_det.service.candidates import with_candidates
from face_det.service.memory import WholePicture
from face_det.service.sighting_arguments import parse_query, require_recognize_options
from face_det.types import Box, Candidate, Face, Match, Outcome, Reason

WHOLE = WholePicture(b"jpeg", (640, 480))


def answer(memory: Memory, *names: str, camera: str = "door") -> None:
    """Answer a picture with these people, as a call does that began a while ago."""
    pairs = []
    for number, name in enumerate(names):
        box = Box(100 * number, 0, 100 * number + 80, 80)
        found = Face(box, 0.9, 100.0, None, person(number).astype(float), quality=0.9)
        pairs.append((found, Match(name, 0.9, None, Outcome.KNOWN)))
    memory.remember_faces(pairs, {"camera": camera, "time": NOON}, None, FINGERPRINT, "uid 1", WHOLE)


def enrolled(*labels: str) -> Any:
    """A recognizer that knows these people, and names José and Bert as `answer` does."""
    engine = SimpleNamespace(fingerprint=FINGERPRINT, options=SimpleNamespace(embedder="sface"))
    model = SimpleNamespace(labels=labels, fingerprint="m")

    def match(faces: list[Face], _: object) -> list[Match]:
        first = person(0).astype(float)
        names = ["José" if np.allclose(face.encoding, first, atol=1e-3) else "Bert" for face in faces]
        return [Match(name, 0.9, None, Outcome.KNOWN) for name in names]

    return SimpleNamespace(engine=engine, model=model, match=match)


def test_a_late_answer_does_not_bring_a_forgotten_person_back(tmp_path: Path) -> None:
    """The call began before forget, and ends after it; others in the picture are remembered."""
    with opened(tmp_path, frames=True) as store:
        memory = Memory(store)
        answer(memory, "José", "Bert")
        memory.forget("José")
        answer(memory, "José", "Bert", camera="late")
        answer(memory, "José", camera="later")
        found = rows(store, "SELECT name, camera, picture FROM sighting ORDER BY id")
        assert [(row["name"], row["camera"]) for row in found] == [("Bert", "door"), ("Bert", "late")]
        assert found[1]["picture"] is None, "the whole picture shows José"
        memory.follow(enrolled("José"), tmp_path / "none.pickle")
        answer(memory, "José", camera="again")
        assert rows(store, "SELECT name FROM sighting WHERE camera = 'again'") == [{"name": "José"}]


def test_uncertain_sightings_have_candidates_of_today(tmp_path: Path) -> None:
    """Those of the model in use, also of one that is sure by now; of other sightings there are none."""
    uncertain = Match(None, 0.4, Reason.UNRECOGNISED, Outcome.UNCERTAIN, (Candidate("Gone", 0.4),))
    box = Box(0, 0, 80, 80)
    pairs = [
        (Face(box, 0.9, 100.0, None, person(number).astype(float), quality=0.9), uncertain)
        for number in (1, 2)
    ]
    today = {1: (Outcome.UNCERTAIN, None, (Candidate("Anna", 0.6),)), 2: (Outcome.KNOWN, "Bert", ())}

    def match(faces: list[Face], _: object) -> list[Match]:
        known = [next(n for n in today if np.allclose(face.encoding, person(n), atol=1e-3)) for face in faces]
        return [Match(today[n][1], 0.9, None, today[n][0], today[n][2]) for n in known]

    with opened(tmp_path) as store:
        memory = Memory(store)
        answer(memory, "José")
        for pair in pairs:
            memory.remember_faces([pair], {"camera": "door"}, None, FINGERPRINT, "uid 1", None)
        memory.remember_faces(pairs[:1], {"camera": "door"}, None, "another", "uid 1", None)
        store.flush()
        items = memory.sightings()["items"]
        assert [one.get("candidates") for one in items] == [[], [], [], None]
        model = SimpleNamespace(labels=("Anna", "Bert"), fingerprint="m")
        engine = SimpleNamespace(fingerprint=FINGERPRINT, options=SimpleNamespace(embedder="sface"))
        recognizer: Any = SimpleNamespace(engine=engine, model=model, match=match)
        other, bert, anna, _ = store.read(lambda connection: with_candidates(connection, items, recognizer))
        assert other["candidates"] == []
        assert bert["candidates"] == [{"name": "Bert", "proba": 0.9}]
        assert anna["candidates"] == [{"name": "Anna", "proba": 0.6}]
        memory.follow(recognizer, tmp_path / "none.pickle")
        assert memory.sighting(anna["id"])["candidates"] == anna["candidates"]


def test_a_call_may_ask_not_to_be_remembered(tmp_path: Path) -> None:
    """A live view asks about many frames a second; only those of cameras are worth keeping."""
    with opened(tmp_path) as store:
        memory = Memory(store)
        face = Face(Box(0, 0, 80, 80), 0.9, 100.0, None, person(1).astype(float), quality=0.9)
        pairs = [(face, Match("Bert", 0.9, None, Outcome.KNOWN))]
        for remember in (False, True):
            options = {"camera": str(remember), "remember": remember}
            memory.remember_faces(pairs, options, None, FINGERPRINT, "uid 1", None)
        assert rows(store, "SELECT camera FROM sighting") == [{"camera": "True"}]


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"camera": 7}, "options.camera: must be text"),
        ({"frame": b"x"}, "options.frame: must be text"),
        ({"time": math.nan}, "options.time: must be seconds since 1970, got nan"),
        ({"time": math.inf}, "options.time: must be"),
        ({"time": -1}, "options.time: must be"),
        ({"time": "noon"}, "options.time: must be"),
        ({"time": True}, "options.time: must be"),
        ({"time": 1.7e12}, "options.time: must be"),
        ({"time": 10**400}, "options.time: must be"),
        ({"remember": 0}, "options.remember: must be true or false"),
        ({"headPose": None}, "options.headPose: must be true or false"),
        ({"zone": "UTC"}, "options.zone: unknown"),
        ({"searchFromPx": -1}, "options.searchFromPx: must be a number of pixels from 0 to 10000"),
        ({"searchFromPx": math.nan}, "options.searchFromPx: must be"),
        ({"searchFromPx": True}, "options.searchFromPx: must be"),
        ({"searchFromPx": "40"}, "options.searchFromPx: must be"),
        ("door", "options: must be an object"),
    ],
)
def test_options_of_recognize_are_checked(options: object, place: str) -> None:
    """By name and place, before any face is looked for."""
    with pytest.raises(BadRequest) as caught:
        require_recognize_options(options)
    assert str(caught.value).startswith(place)


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 501},
        {"limit": "10"},
        {"since": math.nan},
        {"until": -5},
        {"camera": 3},
        {"outcome": "maybe"},
        {"unknown": "unknown-0"},
        {"unknown": 3},
        {"cursor": "nan:1"},
        {"cursor": "1.0:99999999999999999999"},
        {"cursor": "next"},
        {"page": 2},
        [],
    ],
)
def test_queries_are_checked(query: object) -> None:
    """Whatever SQLite could not take is a BadRequest."""
    with pytest.raises(BadRequest, match=r"^query"):
        parse_query(query)


@pytest.mark.usefixtures("shared_networks")
def test_a_reload_that_is_refused_leaves_the_memory_open(tmp_path: Path) -> None:
    """Whether sightings were to end, to begin, or to be kept for less long."""
    config = tmp_path / "config.json"

    def load(**settings: Any) -> Any:
        config.write_text(json.dumps({"faceDetServer": settings}))
        return load_config(config, {})

    first = assembly.build_service(load(sightings={}), remember=True)
    assert first.memory is not None
    broken = {"encodingsPath": str(tmp_path / "e.pickle"), "modelPath": str(tmp_path / "m.pickle")}
    (tmp_path / "m.pickle").write_bytes(b"no model")
    for settings in ({}, {"sightings": {"maxCount": 1}}):
        with pytest.raises(Exception, match=r"m\.pickle"):
            assembly.build_service(load(**settings, **broken), first, remember=True)
        first.memory.store.flush()
        assert first.memory.store.options.max_count == 200_000
    off = assembly.build_service(load(), first, remember=True)
    assert off.memory is None
    for _ in range(2):
        with pytest.raises(Exception, match=r"m\.pickle"):
            assembly.build_service(load(sightings={}, **broken), off, remember=True)
