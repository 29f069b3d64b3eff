"""The folder that pictures are extracted to, with a journal of the sources that are finished.

A run that was cut off is simply repeated:
1. The name of each picture follows from its source, not from the order in which sources are worked on.
2. A picture is written whole, under a name that is not taken, and reaches the disk.
3. Only then does its source enter the journal, together with what came of it.
A source that is not in the journal is worked on again; whatever it had already written is found under its
name, with the same bytes, and kept. Nothing that is in the folder is ever overwritten or deleted.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from face_det.errors import Busy, CannotWrite, DataError
from face_det.gallery import person_folder
from face_det.storage import (
    make_folder,
    recover_folder,
    report_write_errors,
    sync_folder,
    write_new_file,
)

OUTPUT_JOURNAL = ".face_det-extracted.db"
"""The name of the journal, a database of SQLite. Without it, a run starts from the beginning."""

_KEPT_UNSAVED = 100
"""How many sources may be finished before the journal is written."""
_UNSAVED_S = 2.0
_VERSION = 1
_TABLE = (
    "CREATE TABLE IF NOT EXISTS finished "
    "(source TEXT PRIMARY KEY, version TEXT NOT NULL, counts TEXT NOT NULL, remark TEXT) WITHOUT ROWID"
)
_LONGEST_READABLE = 50
"""In characters, so that a name is shorter than the 255 bytes of file systems, whatever the script."""
_UNSAFE = re.compile(r"[^\w.=+-]+")


@dataclass(frozen=True, slots=True)
class FinishedSource:
    """A source that is done with.

    `source` names it: a path, or s3://BUCKET/KEY. It is finished for one `version` of it (its date, the
    settings, ...) and is worked on again if that differs. `counts` says what came of it, in the caller's
    words: {"saved": 2}. `remark` is a line for the user, if there is something to tell.
    """

    source: str
    version: str
    counts: Mapping[str, int] = field(default_factory=dict)
    remark: str | None = None


def readable_name(text: str, *, end: bool = False) -> str:
    """Return what of a text may be in a file's name, up to 50 characters of its beginning or its `end`.

    It leads nowhere else and is not hidden; it is empty if nothing of the text can be in a name.

    >>> readable_name("../day 1/Frame 12"), readable_name("x" * 60 + ".y", end=True)[-3:]
    ('day_1_Frame_12', 'x.y')
    """
    safe = _UNSAFE.sub("_", text).strip("._")
    return safe[-_LONGEST_READABLE:].lstrip("._") if end else safe[:_LONGEST_READABLE]


def picture_stem(source: str, number: int) -> str:
    """Return the name, without suffix, of picture `number` of a source: readable, safe, and its own.

    >>> picture_stem("s3://alarms/upload/Porch/hour-3/Frame 12.jpg", 1)
    'Frame_12-7aaff1c79c36-1'
    """
    readable = readable_name(PurePosixPath(source).stem)
    own = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{readable or 'picture'}-{own}-{number}"


class Output:
    """A folder, `folder`, that pictures are saved in; `open_output` makes one. Threads may share it."""

    def __init__(self, folder: Path, journal: sqlite3.Connection) -> None:
        self.folder = folder
        self._journal = journal
        self._lock = threading.Lock()
        self._places: dict[str | None, Path] = {}
        self._unsynced: set[Path] = set()
        self._unsaved = 0
        self._saved_at = time.monotonic()

    @property
    def is_new(self) -> bool:
        """True if no source is finished: a first run, or one that starts from the beginning."""
        with self._lock, self._explaining():
            return self._journal.execute("SELECT 1 FROM finished LIMIT 1").fetchone() is None

    def find_finished(self, sources: Iterable[tuple[str, str]]) -> dict[str, FinishedSource]:
        """Return those of the (source, version) that are finished, by source."""
        found = {}
        with self._lock, self._explaining():
            for source, version in sources:
                row = self._journal.execute(
                    "SELECT counts, remark FROM finished WHERE source = ? AND version = ?",
                    (_as_text(source), version),
                ).fetchone()
                if row is not None:
                    found[source] = FinishedSource(source, version, json.loads(row[0]), row[1])
        return found

    def save(self, data: bytes, stem: str, suffix: str = ".jpg", *, person: str | None = None) -> Path:
        """Write a picture to the folder of a person, or to the folder itself; return the path.

        Its name is `stem`, or `stem-2` and so on where another picture has that name already. Make `stem`
        with `picture_stem`, and check `person` with `check_person_name`. Raises CannotWrite, and BadName if
        the person's folder is a link.
        """
        place = self._make_place(person)
        for number in itertools.count(1):
            path = place / (f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}")
            try:
                write_new_file(path, data)
            except FileExistsError:
                if not _holds(path, data):
                    continue
            with self._lock:
                self._unsynced.add(place)
            return path
        raise AssertionError("unreachable")

    def _make_place(self, person: str | None) -> Path:
        """Return the folder for pictures of a person, which is there, and looked for once."""
        place = self._places.get(person)
        # Somebody may have removed it meanwhile, or put a link in its place.
        if place is None or not place.is_dir() or place.is_symlink():
            place = self.folder if person is None else person_folder(self.folder, person)
            with report_write_errors(place, "nothing was written"):
                make_folder(place)
            self._places[person] = place
        return place

    def record(self, finished: FinishedSource) -> None:
        """Enter a source in the journal, once all of its pictures are saved. Raises CannotWrite."""
        counts = json.dumps(dict(finished.counts))
        with self._lock, self._explaining():
            self._journal.execute(
                "INSERT OR REPLACE INTO finished VALUES (?, ?, ?, ?)",
                (_as_text(finished.source), finished.version, counts, finished.remark),
            )
            self._unsaved += 1
            if self._unsaved >= _KEPT_UNSAVED or time.monotonic() - self._saved_at >= _UNSAVED_S:
                self._commit()

    def commit(self) -> None:
        """Write the journal to disk, which also happens now and then by itself. Raises CannotWrite."""
        with self._lock, self._explaining():
            self._commit()

    def _commit(self) -> None:
        # The names of the pictures reach the disk before the journal says that they are there.
        for place in self._unsynced:
            sync_folder(place)
        self._unsynced.clear()
        self._journal.commit()
        self._unsaved, self._saved_at = 0, time.monotonic()
        self._journal.execute("BEGIN EXCLUSIVE")

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        with _explaining(self.folder / OUTPUT_JOURNAL):
            yield


@contextmanager
def open_output(folder: Path) -> Iterator[Output]:
    """Open the folder, or make it, for the length of a `with` block; the journal is written at its end.

    What a killed run left half written is removed first. Raises CannotWrite, DataError if something else is
    in the journal's place, and Busy if another process is extracting to the folder.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as place, open_output(Path(place, "faces")) as output:
    ...     output.save(b"a picture", "frame-1", person="anna").relative_to(place).as_posix()
    ...     output.record(FinishedSource("frame.jpg", "1"))
    ...     list(output.find_finished([("frame.jpg", "1"), ("other.jpg", "1")]))
    'faces/anna/frame-1.jpg'
    ['frame.jpg']
    """
    folder = folder.absolute()
    with report_write_errors(folder):
        make_folder(folder)
    with closing(_open_journal(folder / OUTPUT_JOURNAL)) as journal:
        _clear_leftovers(folder)
        output = Output(folder, journal)
        try:
            yield output
        except BaseException:
            # The disk may be full, and that is what the error says. Uncommitted sources are done again.
            with suppress(CannotWrite):
                output.commit()
            raise
        output.commit()


def _open_journal(path: Path) -> sqlite3.Connection:
    with _explaining(path):
        _require_plain_file(path)
        # The pictures show people; so does the list of their sources, in a way.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        journal = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            # The lock ends with the process, however that ends.
            journal.execute("PRAGMA locking_mode = EXCLUSIVE")
            journal.execute("BEGIN EXCLUSIVE")
            (version,) = journal.execute("PRAGMA user_version").fetchone()
            if version not in (0, _VERSION):
                raise DataError(f"{path}: was written by another version of face-det; choose another folder")
            journal.execute(_TABLE)
            journal.execute(f"PRAGMA user_version = {_VERSION}")
        except BaseException:
            journal.close()
            raise
    return journal


def _require_plain_file(path: Path) -> None:
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise DataError(f"{path}: must be a file of face-det's, got something else; move it away")


def _clear_leftovers(folder: Path) -> None:
    try:
        places = [entry for entry in folder.iterdir() if entry.is_dir() and not entry.is_symlink()]
    except OSError as error:
        raise DataError(f"{folder}: must be a readable folder, got {error.strerror}") from error
    for place in [folder, *places]:
        recover_folder(place)


def _holds(path: Path, data: bytes) -> bool:
    """Return True if the file is there already: an earlier try at its source has written it."""
    with suppress(OSError):
        return not path.is_symlink() and path.stat().st_size == len(data) and path.read_bytes() == data
    return False


def _as_text(source: str) -> str:
    """Return a source as SQLite takes it: names of files need not be UTF-8."""
    return source.encode("utf-8", "backslashreplace").decode("utf-8")


@contextmanager
def _explaining(path: Path) -> Iterator[None]:
    with report_write_errors(path, "finished work is kept"):
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise Busy(
                    f"{path.parent}: another face-det is extracting pictures to this folder; wait for it, or "
                    "choose another folder"
                ) from error
            raise CannotWrite(
                f"{path}: cannot be written: {error}; finished work is kept; make room on that disk, or make "
                "the folder writable, and try again"
            ) from error
        except sqlite3.DatabaseError as error:
            raise DataError(
                f"{path}: must be a journal of face-det, got a damaged file ({error}); remove it to start "
                "from the beginning"
            ) from error
