"""Checks for actions of `face-det actions` that were given up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from face_det.config import Config
from face_det.doctor.checks import CheckResult, CheckState
from face_det.errors import DataError
from face_det.integrations import DeadLetters
from face_det.systemd import ACTIONS_SERVICE


def check_actions(
    config: Config, service_folder: Path = ACTIONS_SERVICE.state_folder
) -> Iterator[CheckResult]:
    """Check the logs of failed actions: that of the command, and that of the service."""
    if not config.on_recognition:
        return
    count, failed = len(config.on_recognition), False
    for folder in (config.state_path, service_folder):
        letters = DeadLetters(folder)
        try:
            found = list(letters.read())
        except DataError as error:
            if isinstance(error.__cause__, PermissionError):
                continue  # the service's log, which its user and root may read
            raise
        if found:
            failed = True
            last = found[-1]
            times = "once" if len(found) == 1 else f"{len(found)} times"
            text = f"not done {times}; last {last['action']}, {last['at']}: {last['reason']}"
            advice = f"fix the cause, then delete {letters.path}; see docs/how-to/actions.md"
            yield CheckResult("actions", CheckState.WARNING, text, advice)
    if not failed:
        actions = "1 action" if count == 1 else f"{count} actions"
        yield CheckResult("actions", CheckState.OK, f"{actions} in onRecognition; none has failed")
