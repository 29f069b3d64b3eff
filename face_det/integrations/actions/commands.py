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

from face_det.integrations.actions.effects import ActionFailed
from face_det.integrations.actions.fields import fill

log = logging.getLogger(__name__)

TAIL_BYTES = 1000
"""So much of what a command wrote last is looked at to say why it failed."""


class Command:
    """A command and its arguments, in which fields of the event may stand in braces."""

    def __init__(self, argv: Sequence[str], timeout_s: float) -> None:
        self._argv = tuple(argv)
        self._timeout_s = timeout_s

    async def perform(self, event: dict[str, Any]) -> None:
        """Run the command; raise ActionFailed if it cannot be run, takes too long, or does not end with 0."""
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
                log.warning("command %s: %s", name, _last_line(complaints) or "says nothing on stderr")
                raise ActionFailed(f"command {name}: must end with 0, got {status}")

    async def close(self) -> None:
        """Hold nothing."""


def _argument(part: str, event: dict[str, Any]) -> str:
    """Fill in an argument; whoever chooses the name of a camera must not choose an option."""
    filled = fill(part, event)
    if filled.startswith("-") and not part.startswith("-"):
        raise ActionFailed(f"argument {part}: must not become an option; write something before it")
    return filled


async def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill a command and all that it has started, unless that began a session of its own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _last_line(written: IO[bytes]) -> str:
    end = written.seek(0, os.SEEK_END)
    written.seek(max(0, end - TAIL_BYTES))
    lines = written.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""
