"""The right to a cursor: of several programs that use one, a single one acts, and the others wait."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import logging
import os
import re
import secrets
import socket
import stat
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from face_det.errors import CursorTaken, TryAgain
from face_det.integrations.daemon import CALL_S, Daemon
from face_det.systemd import Notifier

log = logging.getLogger(__name__)

RENEW_S = 15.0
"""How often a lease is renewed; the daemon gives it for a minute."""
SURE_S = 30.0
"""For so long after it was renewed, a lease is ours whatever happens; then it is renewed before we act."""
END_S = 2.0
"""How long the daemon may take to end a lease; if it does not answer, the lease runs out."""
ALIVE_S = 5.0
"""How often systemd is told that this program is alive."""
ID_LENGTH = 16
TRY_S = 2.0
"""How often a program that waits asks for the cursor."""


class Owner:
    """Stands for this program where it asks for leases; `id` is new unless an earlier run was killed.

    The id is in a file of this user that the program locks, so a program that is started again has the
    same id, and one that runs beside it has another. Others are shown the host.
    """

    def __init__(self, key: str, environ: Mapping[str, str] = os.environ) -> None:
        """`key` names what the program does: its kind, its daemon and its name there."""
        host, self._file = socket.gethostname().replace(" ", "-")[:64] or "host", -1
        folder = environ.get("RUNTIME_DIRECTORY") or environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
        digest = hashlib.sha256(key.encode()).hexdigest()[:ID_LENGTH]
        path = Path(folder.partition(":")[0], f"face_det-{os.getuid()}-{digest}.owner")
        try:
            kept = self._lock_and_read(path)
        except BlockingIOError:
            log.debug("%s: another program that does the same holds it", path)
            kept = secrets.token_hex(ID_LENGTH // 2)
        except OSError as error:
            log.info("%s: cannot be used: %s; started again after kill -9, this waits a minute", path, error)
            kept = secrets.token_hex(ID_LENGTH // 2)
        self.id = f"{host} {kept}"

    def close(self) -> None:
        """Unlock the file; the end of the process does so, too."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _lock_and_read(self, path: Path) -> str:
        # The folder may be everybody's: nobody else's file or link is followed.
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            about = os.fstat(self._file)
            if not stat.S_ISREG(about.st_mode) or about.st_uid != os.getuid():
                raise PermissionError(errno.EPERM, "it must be a file of this user")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            kept = os.pread(self._file, ID_LENGTH, 0).decode("ascii", "replace")
            if re.fullmatch(f"[0-9a-f]{{{ID_LENGTH}}}", kept) is None:
                kept = secrets.token_hex(ID_LENGTH // 2)
                os.pwrite(self._file, kept.encode(), 0)
        except OSError:
            self.close()
            raise
        return kept


class CursorLease:
    """The lease of one cursor, for one owner. `hold` does something while we have it."""

    def __init__(self, daemon: Daemon, consumer: str, owner: Owner) -> None:
        self._daemon = daemon
        self.consumer = consumer
        self._owner = owner
        self._renewed = -SURE_S
        self.counts: dict[str, int] = {}
        """What has been counted since the start, for /metrics."""
        self.reason: str | None = None
        """Why we wait; None while we have the cursor."""
        self.turns = 0
        """How often we were given the cursor: in between, another program may have used it."""

    async def hold(self, work: Callable[[], Awaitable[None]]) -> None:
        """Wait for the cursor, then do `work`, until cancelled; once more when another program took it.

        Raises what `work` raises, and the daemon's error if it keeps no events.
        """
        while True:
            try:
                await self._wait()
            except asyncio.CancelledError:
                # The daemon may have given us the cursor meanwhile.
                await self._end()
                raise
            both = [asyncio.ensure_future(work()), asyncio.ensure_future(self._keep())]
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in both:
                    task.cancel()
                results = await asyncio.gather(*both, return_exceptions=True)
                await self._end()
            worked = [one for one in results if not isinstance(one, asyncio.CancelledError)]
            if not any(isinstance(one, CursorTaken) for one in worked):
                for one in worked:
                    if isinstance(one, BaseException):
                        raise one
                return

    async def confirm(self) -> None:
        """Return once the cursor is surely ours, or raise CursorTaken: nobody else acts at the same time."""
        while _now() - self._renewed >= SURE_S:
            try:
                await self._renew()
            except CursorTaken:
                raise
            except TryAgain as error:
                self._note_daemon(error)
                await asyncio.sleep(TRY_S)
            else:
                self._note(None)

    async def cursor(self, seq: int | str) -> int:
        """Move the cursor, and return its number. Raises CursorTaken, and the daemon's other errors."""
        return await self._call(seq)

    async def call(self, verb: str, *args: Any, timeout_s: float | None = None) -> Any:
        """Call the daemon as soon as the cursor is surely ours; raises CursorTaken if it is another's."""
        await self.confirm()
        return await self._daemon.call(verb, *args, timeout_s=timeout_s)

    async def _wait(self) -> None:
        while True:
            try:
                await self._renew()
            except TryAgain as error:
                if isinstance(error, CursorTaken):
                    # Without how long that may still take, which changes.
                    self._note(f"{str(error).partition(';')[0]}; this one waits until that one ends")
                else:
                    self._note_daemon(error)
                await asyncio.sleep(TRY_S)
            else:
                self._note(None)
                self.turns += 1
                return

    async def _keep(self) -> None:
        """Renew the lease until another program has it; while the daemon is away, whoever acts confirms."""
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                await self._renew()
            except CursorTaken:
                raise
            except TryAgain as error:
                log.debug("%s: not renewed: %s", self.consumer, error)

    async def _renew(self) -> None:
        await self._call(None)

    async def _call(self, seq: int | str | None) -> int:
        asked = _now()
        answer: int = await self._daemon.call("cursor", self.consumer, seq, self._options(), timeout_s=CALL_S)
        self._renewed = asked
        return answer

    def _options(self) -> dict[str, Any]:
        return {"owner": self._owner.id, "counts": dict(self.counts)}

    async def _end(self) -> None:
        self._renewed = -SURE_S
        options = {**self._options(), "leaseS": 0}
        try:
            await self._daemon.call("cursor", self.consumer, None, options, timeout_s=END_S)
        except TryAgain as error:
            log.debug("%s: its lease was not ended: %s", self.consumer, error)

    def _note_daemon(self, error: TryAgain) -> None:
        self._note(f"{self.consumer} waits for the daemon: {type(error).__name__}: {error}")

    def _note(self, reason: str | None) -> None:
        if reason is not None and reason != self.reason:
            log.warning("%s", reason)
        if reason is None and self.reason is not None:
            log.info("cursor %s: this program uses it now", self.consumer)
        self.reason = reason


def _now() -> float:
    """Return seconds that go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


async def hold_and_tell(lease: CursorLease, work: Callable[[], Awaitable[None]]) -> None:
    """Do `work` while we have the cursor; systemd is told that this program is alive, and why it waits."""
    notifier = Notifier(os.environ)
    notifier.ready("starting")
    telling = asyncio.ensure_future(_tell(lease, notifier))
    try:
        await lease.hold(work)
    finally:
        telling.cancel()


async def _tell(lease: CursorLease, notifier: Notifier) -> None:
    while True:
        notifier.alive()
        if lease.reason is not None:
            notifier.status(lease.reason)
        await asyncio.sleep(ALIVE_S)
