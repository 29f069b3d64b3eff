"""Who enrolled, forgot, trained and reloaded, and when: lines that are only ever appended.

A line of JSON is written before an action begins and one when it has ended, each in a single write
and on disk before anything goes on, so that a kill leaves a beginning without an end and never an
action without a line. Names are not in it: a person is a keyed hash of the name, with the key in a
file beside it. So the log stays as it was when somebody is forgotten, and does not name them; who
has the key can still ask when a certain name was enrolled or forgotten. Without the key nobody can.
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

BEGUN = "begun"
DONE = "done"
FAILED = "InternalError"
MAX_BYTES = 2**30
_KEY_BYTES = 32
MAX_KEY_BYTES = 2**16


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A line: `action` number `id` was begun, done, or failed with the error named in `outcome`."""

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
    """Where the log lies if nothing else is asked for: beside the encodings."""
    return encodings.with_name("audit.jsonl")


class AuditLog:
    """The log in a file. What cannot be written is told loudly and stops nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failed = 0
        """How many lines could not be written."""
        self._lock = threading.Lock()
        self._key: bytes | None = None

    @contextmanager
    def recorded(self, who: Caller, action: str, name: object = None) -> Iterator[dict[str, int]]:
        """Note that an action begins, and how it ended; what is put into the dict are its counts."""
        counts: dict[str, int] = {}
        number = secrets.token_hex(4)
        self._note(who, action, BEGUN, number, name, None)
        try:
            yield counts
        except BaseException as error:
            outcome = type(error).__name__ if isinstance(error, (FaceDetError, KeyboardInterrupt)) else FAILED
            self._note(who, action, outcome, number, name, None)
            raise
        self._note(who, action, DONE, number, name, counts)

    def person(self, name: str) -> str:
        """What stands for that name. Raises FaceDetError if the key can be neither read nor made."""
        with self._lock:
            if self._key is None:
                self._key = _load_key(self.path.with_name(f"{self.path.name}.key"))
        text = unicodedata.normalize("NFC", name).encode("utf-8", "surrogatepass")
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()[:24]

    def entries(self) -> list[AuditEntry]:
        """All whole lines, in order. Raises DataError for a file that cannot be read."""
        found = []
        for line in (read_if_present(self.path, MAX_BYTES) or b"").splitlines():
            try:
                found.append(AuditEntry(**json.loads(line)))
            except (ValueError, TypeError, RecursionError):
                continue  # cut off
        return found

    def _note(
        self,
        who: Caller,
        action: str,
        outcome: str,
        number: str,
        name: object,
        counts: Mapping[str, int] | None,
    ) -> None:
        try:
            person = self.person(name) if isinstance(name, str) else None
            at = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
            entry = AuditEntry(
                at, number, action, outcome, **asdict(who), person=person, counts=counts or None
            )
            values = {key: value for key, value in asdict(entry).items() if value is not None}
            _append_line(self.path, json.dumps(values).encode() + b"\n")
        except FaceDetError as error:
            self.failed += 1
            log.error("the audit log misses a line (%s %s): %s", action, outcome, error)


def _append_line(path: Path, line: bytes) -> None:
    """One write at the end, on disk when this returns; a last line that was cut off is closed first."""
    with report_write_errors(path, "what is written in it stays"):
        make_folder(path.parent)
        # Not blocking: a named pipe would keep us waiting for its reader.
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(path, flags, 0o600)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise DataError(f"{path}: must be a file, got something else; see auditPath")
            # Half of a line that another process is still writing would look cut off.
            lock_descriptor(descriptor)
            found = os.fstat(descriptor)
            torn = found.st_size > 0 and os.pread(descriptor, 1, found.st_size - 1) != b"\n"
            whole = b"\n" * torn + line
            if os.write(descriptor, whole) < len(whole):
                # The next line closes what is cut off here.
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if not found.st_size:
            sync_folder(path.parent)


def _load_key(path: Path) -> bytes:
    """The key in a file, made if it is not there; DataError for one that is no key."""
    with report_write_errors(path):
        make_folder(path.parent)
    key = read_if_present(path, MAX_KEY_BYTES)
    if key is None:
        # Held, so that no other process makes another.
        with lock_folders([path.parent]):
            key = read_if_present(path, MAX_KEY_BYTES)
            if key is None:
                key = secrets.token_bytes(_KEY_BYTES)
                replace_without_lock(path, key)
    if len(key) != _KEY_BYTES:
        raise DataError(f"{path}: must be a key of {_KEY_BYTES} bytes, got {len(key)}; restore or delete it")
    return key


T = TypeVar("T")


AUDITED_COUNTS = ("images", "encodings", "encoded", "reused")
"""What of a call's notes goes into the audit log."""


def audit_call(
    log: AuditLog, action: str, run: Callable[[], T], notes: Mapping[str, Any], name: object = None
) -> Callable[[], T]:
    """`run`, with lines in the audit log before and after: on behalf of who calls now."""
    who = CURRENT_CALLER.get() or Caller("rpc")

    def recorded() -> T:
        with log.recorded(who, action, name) as counts:
            done = run()
            counts.update({key: notes[key] for key in AUDITED_COUNTS if key in notes})
        return done

    return recorded
