"""Checks whether the actions of `face-det actions` can be done, whether it runs, and what was given up."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from face_det.config import Config, OnRecognition
from face_det.doctor.checks import CheckResult, CheckState
from face_det.doctor.running import check_running, find_stuck
from face_det.errors import DataError
from face_det.integrations import DeadLetters
from face_det.systemd import ACTIONS_SERVICE


def check_actions(
    config: Config,
    status: Mapping[str, Any] | None,
    service_folder: Path = ACTIONS_SERVICE.state_folder,
) -> Iterator[CheckResult]:
    """Check each action, the program, and the logs of failed actions: the command's, and the service's.

    `status` is the daemon's, None if it does not run.
    """
    if not config.on_recognition:
        return
    for action in config.on_recognition:
        if (fault := _find_fault(action)) is not None:
            text, advice = fault
            yield CheckResult("actions", CheckState.NOT_OK, f"{action.name}: {text}", advice)
    cursors = [f"actions/{action.name}" for action in config.on_recognition]
    yield from check_running("actions", "face-det actions", cursors, status)
    yield from _find_stuck(cursors, status)
    yield from _check_letters(config, service_folder)


def _find_stuck(cursors: Sequence[str], status: Mapping[str, Any] | None) -> Iterator[CheckResult]:
    consumers = ((status or {}).get("sightings") or {}).get("consumers") or {}
    for name in cursors:
        about = consumers.get(name, {})
        if about.get("owner") and (text := find_stuck(about, name)) is not None:
            advice = "the log of face-det actions says what fails; give the action a shorter timeout"
            yield CheckResult("actions", CheckState.WARNING, text, advice)


def _find_fault(action: OnRecognition) -> tuple[str, str] | None:
    """Return why an action could not be done, and what to do about it; None if it can, as far as is seen."""
    if action.command:
        return _find_command_fault(action.command[0])
    if action.gpio:
        if importlib.util.find_spec("gpiozero") is None:
            return f"gpio {action.gpio} needs gpiozero", "install it: pip install 'face_det[gpio]'"
        return None
    return _find_webhook_fault(action)


def _find_command_fault(program: str) -> tuple[str, str] | None:
    if shutil.which(program) is not None:
        return None
    path = Path(program)
    if os.sep in program and path.is_file():
        return f"command {program}: must be executable", f"chmod +x {program}"
    return f"command {program}: must be a program, and is not there", "install it, or correct its path"


def _find_webhook_fault(action: OnRecognition) -> tuple[str, str] | None:
    host = urlsplit(action.webhook).hostname or ""
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        return f"webhook: {host} has no address: {why}", "correct the webhook's address, or the name server"
    if action.token_file is not None:
        try:
            action.token_file.stat()
        except PermissionError:
            return None  # it is the service's
        except OSError as error:
            return f"tokenFile {action.token_file}: {error.strerror}", "write the webhook's token into it"
    return None


def _check_letters(config: Config, service_folder: Path) -> Iterator[CheckResult]:
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
