"""`onRecognition` and `neverUnlock`: what is accepted, and what is said of the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from face_det.config import load_config
from face_det.config.sections.action import FORMATS, OUTCOMES, WORDS
from face_det.errors import ConfigError
from face_det.integrations import FIELDS
from face_det.integrations.actions.webhooks import NTFY
from face_det.types import Outcome

BELL = {"name": "bell", "command": ["/usr/local/bin/bell"]}


def write(folder: Path, *actions: Any, **settings: Any) -> Path:
    """A file with these actions."""
    path = folder / "config.json"
    path.write_text(json.dumps({"faceDetServer": {"onRecognition": actions, **settings}}))
    return path


def faults(path: Path) -> list[str]:
    """What is said of a file, without its path."""
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    return [fault.removeprefix(f"{path}: ") for fault in caught.value.faults]


def test_every_kind_is_accepted(tmp_path: Path) -> None:
    """Paths start from the file's folder, as all do; conditions that are not set are met."""
    actions = (
        {**BELL, "persons": ["Zoë"], "hours": "22:00-06:00", "outcomes": ["known"], "oncePerVisit": True},
        {"name": "ha", "webhook": "http://ha:8123/api/webhook/{token}", "tokenFile": "token"},
        {"name": "door", "gpio": "GPIO17", "seconds": 3, "persons": ["Alice"], "opens": True},
        {"name": "sh", "command": ["sh", "-c", 'say "$1"', "sh", "{camera}"]},
        {"name": "say", "command": ["say", "-c", "{camera}"]},
    )
    config = load_config(write(tmp_path, *actions, neverUnlock=["Mia"]), {})
    bell, webhook, door, *_ = config.on_recognition
    assert (bell.command, bell.persons, bell.once_per_visit) == (("/usr/local/bin/bell",), ("Zoë",), True)
    assert webhook.token_file == tmp_path / "token"
    assert (door.opens, door.seconds, config.never_unlock) == (True, 3, ("Mia",))
    assert bell.cameras == webhook.persons == ()
    text = json.dumps([BELL])
    assert load_config(None, {"FACE_DET_ONRECOGNITION": text}).on_recognition[0].name == "bell"


@pytest.mark.parametrize(
    ("action", "fault"),
    [
        ({"name": "bell"}, "[0]: must have one of command, webhook and gpio"),
        ({**BELL, "gpio": "GPIO17"}, "[0]: must have one of command, webhook and gpio"),
        ({"command": ["x"]}, "[0].name: missing; must be 1 to 64 letters, digits, _ and -"),
        ({**BELL, "name": "a/b"}, '[0].name: must be 1 to 64 letters, digits, _ and -, got "a/b"'),
        ({**BELL, "persosn": []}, "[0].persosn: unknown key; did you mean persons?"),
        ({**BELL, "persons": "Alice"}, '[0].persons: must be a list of names, got "Alice"'),
        ({**BELL, "persons": ["Alice", 7]}, "[0].persons: must be a list of names, got 7"),
        ({**BELL, "hours": "22-6"}, '[0].hours: must be hours such as 22:00-06:00, got "22-6"'),
        ({**BELL, "hours": "24:00-06:00"}, '[0].hours: must be hours such as 22:00-06:00, got "24:00-06:00"'),
        ({**BELL, "hours": "06:00-06:00"}, '[0].hours: must be hours such as 22:00-06:00, got "06:00-06:00"'),
        ({**BELL, "opens": True}, "[0]: opens needs persons: the names of those for whom it opens"),
        (
            {**BELL, "opens": True, "persons": ["Al"], "outcomes": ["unknown"]},
            '[0]: opens needs outcomes ["known"], or none',
        ),
        (
            {**BELL, "opens": True, "persons": ["Al"], "heard": True},
            "[0]: opens excludes heard: a voice may be a recording",
        ),
        (
            {**BELL, "oncePerVisit": True, "heard": True},
            "[0]: oncePerVisit excludes heard: voices belong to no visit",
        ),
        (
            {**BELL, "command": ["x", "{persn}"]},
            "[0]: {persn} is none of person, camera, outcome, time, probability, quality, frames, sighting, "
            "visit, seq",
        ),
        (
            {**BELL, "command": ["{camera}", "x"]},
            "[0]: command must begin with a program, without placeholders",
        ),
        (
            {**BELL, "command": ["/usr/bin/env", "bash", "-lc", "say {camera}"]},
            "[0]: a script must have no placeholders, as the shell would run what is filled in; write "
            '$1 for {camera}, and after the script the arguments "sh", "{camera}"',
        ),
        ({"name": "a", "webhook": "http://h/{token}"}, "[0]: {token} in webhook needs tokenFile"),
        (
            {**BELL, "outcomes": ["named"]},
            '[0].outcomes: must be a list of known, uncertain, unknown, got ["named"]',
        ),
        (
            {"name": "a", "webhook": "http://h", "format": "xml"},
            '[0].format: must be one of json, ntfy, got "xml"',
        ),
        ("bell", "[0]: must be an object"),
    ],
)
def test_every_fault_is_said_with_its_place(tmp_path: Path, action: Any, fault: str) -> None:
    """In the words of all other settings."""
    assert faults(write(tmp_path, action)) == [f"faceDetServer.onRecognition{fault}"]


def test_actions_must_go_together(tmp_path: Path) -> None:
    """Each has a cursor of its own by its name, and a pin has one way to be off."""
    assert faults(write(tmp_path, BELL, BELL)) == [
        "onRecognition: each needs a name of its own, got bell twice"
    ]
    pins = [{"name": name, "gpio": "GPIO17", "activeLow": name == "b"} for name in "ab"]
    assert faults(write(tmp_path, *pins)) == [
        "onRecognition: activeLow must be the same wherever gpio is GPIO17"
    ]


@pytest.mark.parametrize("wrong", ["ftp://h/s3cret", "http://h:999999/s3cret", ["http://h/s3cret"], "s3cret"])
def test_a_webhooks_address_is_not_shown(tmp_path: Path, wrong: Any) -> None:
    """It may be all that keeps strangers out, and faults end up in logs."""
    (fault,) = faults(write(tmp_path, BELL, {"name": "ha", "webhook": wrong}))
    assert "onRecognition[1].webhook: must be an address" in fault
    assert "s3cret" not in fault


def test_both_rooms_mean_the_same_words() -> None:
    """What the configuration accepts is what is replaced and sent."""
    assert WORDS == FIELDS
    assert NTFY in FORMATS


def test_outcomes_are_those_of_decisions() -> None:
    """All of them, in their order."""
    assert tuple(outcome.value for outcome in Outcome) == OUTCOMES
