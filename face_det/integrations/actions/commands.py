"""Runs a command, without a shell, for a limited time."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from face_det.integrations.actions.effects import ActionFailed, ActionRefused
from face_det.integrations.actions.fields import fill

log = logging.getLogger(__name__)

TAIL_BYTES = 1000
"""How much of the end of stderr is read to say why a command failed."""


class Command:
    """A command and its arguments, which may contain placeholders for the event's fields."""

    def __init__(self, argv: Sequence[str], timeout_s: float) -> None:
        self._argv = tuple(argv)
        self._timeout_s = timeout_s

    async def perform(self, event: dict[str, Any]) -> None:
        """Run the command; raise ActionFailed if it cannot be run, takes too long, or its status is not 0."""
        argv = [_argument(part, event) for part in self._argv]
        name = Path(argv[0]).name
        with tempfile.TemporaryFile() as complaints:
            try:
                process = await asyncio.create_subprocess_exec(
                    *argv,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=complaints,
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                why = error.strerror if isinstance(error, OSError) else error
                raise ActionFailed(f"command {name}: cannot be run: {why}") from error
            try:
                status = await asyncio.wait_for(process.wait(), self._timeout_s)
            except asyncio.TimeoutError as error:
                raise ActionFailed(f"command {name}: must end within {self._timeout_s:g} s") from error
            finally:
                if process.returncode is None:
                    await _kill(process)
            if status:
                log.warning("command %s: %s", name, _last_line(complaints) or "wrote nothing to stderr")
                raise ActionFailed(f"command {name}: must exit with status 0, got {status}")

    async def close(self) -> None:
        """Do nothing: nothing is held."""


def _argument(part: str, event: dict[str, Any]) -> str:
    """Fill in an argument; whoever chooses a camera's name must not be able to pass an option."""
    filled = fill(part, event)
    if filled.startswith("-") and not part.startswith("-"):
        raise ActionRefused(f"argument {part}: must not become an option; write --name={part}, say")
    return filled


async def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill a command and everything that it has started, except what began a session of its own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _last_line(written: IO[bytes]) -> str:
    end = written.seek(0, os.SEEK_END)
    written.seek(max(0, end - TAIL_BYTES))
    lines = written.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""
