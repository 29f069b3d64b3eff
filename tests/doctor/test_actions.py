"""face-det doctor tells of actions that were not done."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from nobody import nobody

from face_det.config import Config, load_config
from face_det.doctor import CheckState, check_actions
from face_det.integrations import DeadLetters

EVENT: dict[str, Any] = {"seq": 7, "name": "Alice"}


def configured(folder: Path, *names: str) -> Config:
    """A configuration with these actions."""
    actions = [{"name": name, "command": ["true"]} for name in names]
    (folder / "config.json").write_text(json.dumps({"faceDetServer": {"onRecognition": actions}}))
    return load_config(folder / "config.json", {})


def test_without_actions_there_is_nothing_to_say(tmp_path: Path) -> None:
    """Most houses have none."""
    assert list(check_actions(configured(tmp_path), None, tmp_path)) == []


def test_what_was_not_done_is_told(tmp_path: Path) -> None:
    """By a program in statePath or by the service; with the last reason, and how to end the warning."""
    config, service = configured(tmp_path, "bell", "door"), tmp_path / "service"
    (found,) = check_actions(config, None, service)
    assert (found.state, found.text) == (CheckState.OK, "2 actions in onRecognition; none has failed")
    DeadLetters(config.state_path).add("bell", EVENT, "no answer")
    DeadLetters(service).add("door", EVENT, "stuck")
    DeadLetters(service).add("door", EVENT, "stuck again")
    bell, door = check_actions(config, None, service)
    assert bell.state is door.state is CheckState.WARNING
    assert bell.text.startswith("not done once; last bell, 20")
    assert door.text.startswith("not done 2 times; last door, 20")
    assert door.text.endswith(": stuck again")
    assert str(service / "failed-actions.jsonl") in door.advice


def faults(folder: Path, action: dict[str, Any]) -> list[str]:
    """What is wrong with an action, with the advice."""
    about = {"faceDetServer": {"onRecognition": [{"name": "one", **action}]}}
    (folder / "config.json").write_text(json.dumps(about))
    found = check_actions(load_config(folder / "config.json", {}), None, folder)
    return [f"{one.text} -> {one.advice}" for one in found if one.state is CheckState.NOT_OK]


def test_what_could_never_be_done_is_told_before_somebody_comes(tmp_path: Path) -> None:
    """A command that is not there or not executable, a host without an address, a token that is missing."""
    (tmp_path / "plain").write_text("#!/bin/sh\n")
    local = "http://127.0.0.1:8123/api/webhook/{token}"
    for action, text in (
        ({"command": ["/nowhere/bell"]}, "command /nowhere/bell: must be a program, and is not there"),
        ({"command": [str(tmp_path / "plain")]}, "plain: must be executable -> chmod +x"),
        ({"webhook": "http://nobody.invalid/x"}, "webhook: nobody.invalid has no address"),
        ({"webhook": local, "tokenFile": str(tmp_path / "none")}, "none: No such file or directory"),
    ):
        (found,) = faults(tmp_path, action)
        assert text in found
    (tmp_path / "token").write_text("x")
    assert faults(tmp_path, {"command": ["true"]}) == []
    assert faults(tmp_path, {"webhook": local, "tokenFile": str(tmp_path / "token")}) == []


def test_a_pin_without_its_library_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra, which most houses don't need."""
    monkeypatch.setitem(sys.modules, "gpiozero", None)
    (found,) = faults(tmp_path, {"gpio": "GPIO17"})
    assert "gpio GPIO17 needs gpiozero -> install it: pip install 'face_det[gpio]'" in found


def test_what_is_the_services_alone_is_no_fault(tmp_path: Path) -> None:
    """Whoever is neither root nor the service reads neither its token nor its log."""
    service, token = tmp_path / "service", tmp_path / "service" / "token"
    DeadLetters(service).add("bell", EVENT, "stuck")
    token.write_text("x")
    local = "http://127.0.0.1:8123/api/webhook/{token}"
    action = {"name": "bell", "webhook": local, "tokenFile": str(token)}
    (tmp_path / "config.json").write_text(json.dumps({"faceDetServer": {"onRecognition": [action]}}))
    config = load_config(tmp_path / "config.json", {})
    service.chmod(0)
    try:
        with nobody(tmp_path):
            (found,) = check_actions(config, None, service)
    finally:
        service.chmod(0o700)
    assert (found.state, found.text) == (CheckState.OK, "1 action in onRecognition; none has failed")
    (found,) = check_actions(config, None, service)
    assert "stuck" in found.text


def test_a_program_that_does_not_run_is_told(tmp_path: Path) -> None:
    """Its leases say so, one for each action."""
    config = configured(tmp_path, "bell", "door")
    status = {"sightings": {"consumers": {"actions/bell": {"owner": "nuc"}, "actions/door": {}}}}
    running, _ = check_actions(config, status, tmp_path)
    assert (running.state, "actions/door" in running.text) == (CheckState.WARNING, True)
    assert "actions/bell" not in running.text
    status["sightings"]["consumers"]["actions/door"] = {"owner": "nuc"}
    running, _ = check_actions(config, status, tmp_path)
    assert (running.state, running.text) == (CheckState.OK, "face-det actions runs on nuc")


def test_an_action_that_hangs_is_told(tmp_path: Path) -> None:
    """Others go on meanwhile; one that has just handled an event is only slow."""
    config, now = configured(tmp_path, "bell", "door", "lamp", "gate"), time.time()
    about = {"bell": (9, 3600, "nuc"), "door": (9, 5, "nuc"), "lamp": (0, 3600, "nuc"), "gate": (9, 3600, "")}
    consumers = {
        f"actions/{name}": {"owner": owner, "behind": behind, "moved": now - age_s}
        for name, (behind, age_s, owner) in about.items()
    }
    status = {"sightings": {"consumers": consumers}}
    idle, *stuck = (one for one in check_actions(config, status, tmp_path) if one.state is CheckState.WARNING)
    assert "no program uses actions/gate" in idle.text
    (text,) = (one.text for one in stuck)
    assert text.startswith("9 events wait for actions/bell, which handled the last one 3")
