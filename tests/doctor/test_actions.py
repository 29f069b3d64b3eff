"""face-det doctor tells of actions that were not done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
    assert list(check_actions(configured(tmp_path), tmp_path)) == []


def test_what_was_not_done_is_told(tmp_path: Path) -> None:
    """By a program in statePath or by the service; with the last reason, and how to end the warning."""
    config, service = configured(tmp_path, "bell", "door"), tmp_path / "service"
    (found,) = check_actions(config, service)
    assert (found.state, found.text) == (CheckState.OK, "2 actions in onRecognition; none has failed")
    DeadLetters(config.state_path).add("bell", EVENT, "no answer")
    DeadLetters(service).add("door", EVENT, "stuck")
    DeadLetters(service).add("door", EVENT, "stuck again")
    bell, door = check_actions(config, service)
    assert bell.state is door.state is CheckState.WARNING
    assert bell.text.startswith("not done once; last bell, 20")
    assert door.text.startswith("not done 2 times; last door, 20")
    assert door.text.endswith(": stuck again")
    assert str(service / "failed-actions.jsonl") in door.advice
