"""Commands that come over MQTT: enrol whoever is at a camera, train, ignore an unknown person."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from face_det.errors import BadRequest, FaceDetError
from face_det.integrations.daemon import Daemon

log = logging.getLogger(__name__)

COMMANDS = {"enrol": ("name", "camera"), "train": (), "ignore": ("unknown",)}
"""The commands, each with the required keys of its JSON, which are text; an `id` is optional."""
MAX_BYTES = 4096
CHANGE_S = 3600.0
"""How long changing the model may take."""

FetchPicture = Callable[[str], Awaitable[bytes]]
"""Fetches an encoded picture that the camera with this name takes now; raises UnknownCamera, CameraFailed."""


class Commands:
    """Carries out commands, one at a time; the daemon records them in its audit log like any other call."""

    def __init__(self, daemon: Daemon, fetch_picture: FetchPicture) -> None:
        self._daemon = daemon
        self._fetch_picture = fetch_picture

    async def run(self, command: str, payload: bytes, refusal: str | None = None) -> bytes:
        """Carry a command out, unless there is a reason to refuse it; return the result to be published.

        `payload` is JSON: an object, or nothing. The result is `{"command", "id", "ok", "answer", "error"}`;
        whatever goes wrong is in `error`, so nothing is raised.
        """
        result: dict[str, Any] = {"command": command, "id": None, "ok": False, "answer": None, "error": None}
        try:
            asked = _parse(payload)
            result["id"] = _require_id(asked.pop("id", None))
            if refusal is not None:
                raise BadRequest(refusal)
            log.info("command %s: begins", command)
            result["answer"] = await self._carry_out(command, asked)
            result["ok"] = True
            log.info("command %s: done", command)
        except FaceDetError as error:
            log.warning("command %s: %s: %s", command, type(error).__name__, error)
            result["error"] = f"{type(error).__name__}: {error}"
        return json.dumps(result).encode()

    async def _carry_out(self, command: str, asked: Mapping[str, object]) -> dict[str, Any]:
        if command not in COMMANDS:
            raise BadRequest(f"command: must be one of {', '.join(COMMANDS)}, got {command!r:.60}")
        found = _require_texts(command, asked)
        if command == "train":
            answer = await self._daemon.call("train", {}, timeout_s=CHANGE_S)
            return {"people": answer["people"], "encoded": answer["encoded"]}
        if command == "ignore":
            answer = await self._daemon.call("ignore", found["unknown"], timeout_s=CHANGE_S)
            return {"unknown": found["unknown"], "change": answer["change"]}
        picture = await self._fetch_picture(found["camera"])
        answer = await self._daemon.call("add_face", found["name"], picture, timeout_s=CHANGE_S)
        return {"name": answer["name"], "images": answer["images"], "change": answer["change"]}


def _parse(payload: bytes) -> dict[str, Any]:
    if len(payload) > MAX_BYTES:
        raise BadRequest(f"payload: must have at most {MAX_BYTES} bytes, got {len(payload)}")
    try:
        found = json.loads(payload or b"{}")
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"payload: must be JSON, got {payload!r:.60}") from error
    if not isinstance(found, dict):
        raise BadRequest(f"payload: must be an object, got {payload!r:.60}")
    return found


def _require_id(value: object) -> str | int | None:
    if value is not None and not isinstance(value, str | int):
        raise BadRequest(f"payload.id: must be text or a whole number, got {type(value).__name__}")
    return value


def _require_texts(command: str, asked: Mapping[str, object]) -> dict[str, str]:
    names = COMMANDS[command]
    if set(asked) != set(names):
        expected = ", ".join(names) or "nothing"
        raise BadRequest(
            f"payload: must have {expected} and may have id, got {', '.join(asked) or 'nothing'}"
        )
    found = {}
    for name in names:
        value = asked[name]
        if not isinstance(value, str):
            raise BadRequest(f"payload.{name}: must be text, got {type(value).__name__}")
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            raise BadRequest(f"payload.{name}: must be valid Unicode, got half of a surrogate pair")
        found[name] = value
    return found
