"""The audit log: who enrolled, forgot, trained and reloaded, and when. Lines are only ever appended.

One line of JSON is written before an action begins and one when it ends. Each is a single write that
is on disk before anything else happens, so a kill can leave a beginning without an end but never an
action without a line. The log holds no names: a person appears as a keyed hash of the name, and the
key is in a file beside the log. The log therefore stays as it is when somebody is forgotten. Anyone
with the key can still look up when a given name was enrolled or forgotten; without it nobody can.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import json
import logging
import os
import secrets
import stat
import threading
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar

from face_det.errors import DataError, FaceDetError
from face_det.rpc import CURRENT_CALLER, Caller
from face_det.storage import (
    lock_descriptor,
    lock_folders,
    make_folder,
    read_if_present,
    replace_without_lock,
    report_write_errors,
    sync_folder,
)

log = logging.getLogger(__name__)
T = TypeVar("T")

BEGUN = "begun"
DONE = "done"
FAILED = "InternalError"
MAX_BYTES = 2**30
_KEY_BYTES = 32
MAX_KEY_BYTES = 2**16

AUDITED_COUNTS = ("images", "encodings", "encoded", "reused")
"""The counts of a call that also go into the audit log."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line: action `id` has begun, is done, or failed with the error that `outcome` names."""

    at: str
    id: str
    action: str
    outcome: str
    door: str
    uid: int | None = None
    peer: str | None = None
    key: str | None = None
    person: str | None = None
    counts: Mapping[str, int] | None = None


def default_audit_path(encodings: Path) -> Path:
    """Return where the log is unless configured otherwise: beside the encodings.

    >>> default_audit_path(Path("/srv/encodings.pickle"))
    PosixPath('/srv/audit.jsonl')
    """
    return encodings.with_name("audit.jsonl")


class AuditLog:
    """The audit log in a file. If a line cannot be written, an error is logged and the action goes on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failed = 0
        """The number of lines that could not be written."""
        self._lock = threading.Lock()
        self._key: bytes | None = None

    @contextmanager
    def recorded(self, caller: Caller, action: str, name: object = None) -> Iterator[dict[str, int]]:
        """Record that an action begins and how it ends; the counts come from the dict that this yields."""
        counts: dict[str, int] = {}
        number = secrets.token_hex(4)
        begun = self._note(caller, action, BEGUN, number, name, None)
        try:
            yield counts
        except BaseException as error:
            outcome = type(error).__name__ if isinstance(error, (FaceDetError, KeyboardInterrupt)) else FAILED
            # What failed after its first line could not be written was told once, which is enough.
            self._note(
                caller, action, outcome, number, name, None, level=logging.ERROR if begun else logging.DEBUG
            )
            raise
        self._note(caller, action, DONE, number, name, counts)

    def person(self, name: str) -> str:
        """Return the keyed hash of a name; raise FaceDetError if the key can be neither read nor created."""
        with self._lock:
            if self._key is None:
                self._key = _load_key(self.path.with_name(f"{self.path.name}.key"))
        text = unicodedata.normalize("NFC", name).encode("utf-8", "surrogatepass")
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()[:24]

    def entries(self) -> list[AuditEntry]:
        """Return all complete lines in order; raise DataError if the file cannot be read."""
        found = []
        for line in (read_if_present(self.path, MAX_BYTES) or b"").splitlines():
            try:
                found.append(AuditEntry(**json.loads(line)))
            except (ValueError, TypeError, RecursionError):
                continue  # cut off by a crash
        return found

    def _note(
        self,
        caller: Caller,
        action: str,
        outcome: str,
        number: str,
        name: object,
        counts: Mapping[str, int] | None,
        level: int = logging.ERROR,
    ) -> bool:
        try:
            person = self.person(name) if isinstance(name, str) else None
            at = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
            entry = AuditEntry(
                at, number, action, outcome, **asdict(caller), person=person, counts=counts or None
            )
            values = {key: value for key, value in asdict(entry).items() if value is not None}
            _append_line(self.path, json.dumps(values).encode() + b"\n")
        except FaceDetError as error:
            self.failed += 1
            log.log(level, "the audit log lacks a line (%s %s): %s", action, outcome, error)
            return False
        return True


def open_audit_log(path: Path | None, encodings: Path) -> AuditLog:
    """Open the audit log at `path` or, if that is None, the one beside the encodings file."""
    return AuditLog(path or default_audit_path(encodings))


def audit_call(
    log: AuditLog, action: str, run: Callable[[], T], notes: Mapping[str, Any], name: object = None
) -> Callable[[], T]:
    """Wrap `run` so that the audit log gets a line before and after it, on behalf of the current caller."""
    caller = CURRENT_CALLER.get() or Caller("rpc")

    def recorded() -> T:
        with log.recorded(caller, action, name) as counts:
            done = run()
            counts.update({key: notes[key] for key in AUDITED_COUNTS if key in notes})
        return done

    return recorded


def _append_line(path: Path, line: bytes) -> None:
    """Append a line in one write that is on disk on return; a truncated last line is ended first."""
    with report_write_errors(path, "what it holds is kept"):
        make_folder(path.parent)
        # Non-blocking, because a named pipe would make us wait for its reader.
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(path, flags, 0o600)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise DataError(f"{path}: must be a file, got something else; see auditPath")
            # Without the lock, a line that another process is still writing would look truncated.
            lock_descriptor(descriptor)
            found = os.fstat(descriptor)
            torn = found.st_size > 0 and os.pread(descriptor, 1, found.st_size - 1) != b"\n"
            whole = b"\n" * torn + line
            if os.write(descriptor, whole) < len(whole):
                # The next append ends the line that was truncated here.
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if not found.st_size:
            sync_folder(path.parent)


def _load_key(path: Path) -> bytes:
    """Read the key from a file, creating it if missing; raise DataError if the file holds no key."""
    with report_write_errors(path):
        make_folder(path.parent)
    key = read_if_present(path, MAX_KEY_BYTES)
    if key is None:
        # Locked, so that no other process creates one too.
        with lock_folders([path.parent]):
            key = read_if_present(path, MAX_KEY_BYTES)
            if key is None:
                key = secrets.token_bytes(_KEY_BYTES)
                replace_without_lock(path, key)
    if len(key) != _KEY_BYTES:
        raise DataError(f"{path}: must be a key of {_KEY_BYTES} bytes, got {len(key)}; restore or delete it")
    return key
