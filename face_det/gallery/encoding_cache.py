"""The cache of encodings, so that a second run only computes new photos.

It is a SQLite file beside encodings.pickle. The key of a row is the sha256 of the photo's content
and a hash of the settings it was encoded with; the row holds the encoding, or why there is none.
Each row is committed at once, so that a kill loses no finished work. Nothing depends on the file: a
damaged one is moved aside and replaced, and without one photos are simply encoded again.

It identifies people, so only its owner may read it, and deleted rows are overwritten.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import platformdirs

from face_det.embedders import encoding_lengths
from face_det.errors import CannotWrite, DataError
from face_det.storage import read_if_present

log = logging.getLogger(__name__)

_T = TypeVar("_T")

MAX_PHOTO_BYTES = 100_000_000
"""The largest photo that is read; a larger file is not a photo."""
_BYTES_PER_NUMBER = 8
_BUSY_S = 30.0
_SCHEMA = """
    CREATE TABLE IF NOT EXISTS photos (
        sha256 TEXT NOT NULL, settings TEXT NOT NULL, reason TEXT, encoding BLOB,
        PRIMARY KEY (sha256, settings)
    ) WITHOUT ROWID
"""
_MAIN_FACE = "main_face"
"""What the column `reason` holds for the encoding of the main one of several faces."""
_COLUMNS = ["sha256", "settings", "reason", "encoding"]


class OmissionReason(str, Enum):
    """Why a photo of the dataset has no encoding."""

    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    BAD_IMAGE = "bad_image"
    TOO_SMALL = "too_small"
    NO_DECODER = "no_decoder"
    TOO_LARGE = "too_large"


@dataclass(frozen=True, eq=False, slots=True)
class EncodingResult:
    """The encoding of a photo, shape (dimensions,), or the reason why it has none.

    `main_face` is True if the photo shows several faces, and this is the encoding of the main one.
    """

    encoding: npt.NDArray[np.float64] | None
    reason: OmissionReason | None
    main_face: bool = False


def encoding_cache_path(encodings: Path) -> Path:
    """Return the path of the cache that belongs to an encodings file.

    >>> encoding_cache_path(Path("encodings.pickle")).name
    'encodings.cache.sqlite'
    """
    return encodings.with_name(f"{encodings.stem}.cache.sqlite")


def evaluation_cache_path() -> Path:
    """Return the path of this user's evaluation cache, with hashes and encodings of photos of any dataset.

    >>> evaluation_cache_path().name
    'evaluate.cache.sqlite'
    """
    return platformdirs.user_cache_path("face_det") / "evaluate.cache.sqlite"


def read_photo(path: Path) -> tuple[str, bytes]:
    """Return the sha256 in hex and the bytes of a photo. Raises DataError if it cannot be read.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     read_photo(Path(file.name))[0][:8]
    'e3b0c442'
    """
    data = read_if_present(path, MAX_PHOTO_BYTES)
    if data is None:
        raise DataError(f"{path}: file not found")
    return hashlib.sha256(data).hexdigest(), data


class EncodingCache:
    """The cache in one SQLite file; a context manager. Problems with the file are logged, not raised.

    >>> import tempfile
    >>> with (
    ...     tempfile.TemporaryDirectory() as folder,
    ...     EncodingCache(Path(folder, "encodings.cache.sqlite")) as cache,
    ... ):
    ...     cache.put("a hash", "settings", EncodingResult(None, OmissionReason.NO_FACE))
    ...     cache.get("a hash", "settings").reason.value
    'no_face'
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._warned = False
        self._on_disk = True
        self._encoding_sizes = {_BYTES_PER_NUMBER * length for length in encoding_lengths()}
        self._connection = self._open()

    def __enter__(self) -> EncodingCache:
        """Return the cache itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def get(self, sha256: str, settings: str) -> EncodingResult | None:
        """Return the result for a photo with these settings; None if it is not in the cache."""
        reason, encoding = self.get_row(sha256, settings) or (None, None)
        return _result_of_row(reason, encoding, self._encoding_sizes)

    def encodings_of(self, sha256: str) -> list[npt.NDArray[np.float64]]:
        """Return every encoding of a photo that is in the cache, whatever the settings; perhaps of faces."""
        query = "SELECT reason, encoding FROM photos WHERE sha256 = ?"
        rows = self._run(lambda: self._connection.execute(query, (sha256,)).fetchall()) or []
        known = [_result_of_row(reason, encoding, self._encoding_sizes) for reason, encoding in rows]
        return [one.encoding for one in known if one is not None and one.encoding is not None]

    def put(self, sha256: str, settings: str, result: EncodingResult) -> None:
        """Store the result for a photo; it is on disk when this returns."""
        encoding = None if result.encoding is None else np.asarray(result.encoding, "<f8").tobytes()
        reason = None if result.reason is None else result.reason.value
        if result.main_face:
            reason = _MAIN_FACE
        self.put_row(sha256, settings, reason, encoding)

    def get_row(self, sha256: str, settings: str) -> tuple[object, object] | None:
        """Return the reason and the bytes stored for a photo with these settings; None if there are none."""
        query = "SELECT reason, encoding FROM photos WHERE sha256 = ? AND settings = ?"
        row = self._run(lambda: self._connection.execute(query, (sha256, settings)).fetchone())
        return None if row is None else (row[0], row[1])

    def put_row(self, sha256: str, settings: str, reason: str | None, content: bytes | None) -> None:
        """Store a reason and bytes for a photo; they are on disk when this returns."""
        row = (sha256, settings, reason, content)
        self._run(lambda: self._connection.execute("INSERT OR REPLACE INTO photos VALUES (?, ?, ?, ?)", row))

    def keep_only(self, hashes: Iterable[str], *, strictly: bool = False) -> None:
        """Delete everything about photos other than these, leaving no trace.

        If that fails, raise CannotWrite with `strictly`, and only log it otherwise.
        """
        query = "SELECT DISTINCT sha256 FROM photos"
        try:
            known = {sha256 for (sha256,) in self._connection.execute(query)}
            gone = sorted(known - set(hashes))
            if gone:
                rows = [(sha256,) for sha256 in gone]
                self._connection.execute("BEGIN")
                self._connection.executemany("DELETE FROM photos WHERE sha256 = ?", rows)
                self._connection.execute("COMMIT")
                self._connection.execute("VACUUM")
            # Nobody can tell whose rows a damaged file holds.
            _damaged_path(self.path).unlink(missing_ok=True)
            if strictly and not self._on_disk and self.path.exists():
                raise sqlite3.OperationalError("the file cannot be used")
        except (sqlite3.Error, OSError) as error:
            if self._connection.in_transaction:
                self._connection.rollback()
            if strictly:
                advice = "make room on that disk and make it writable, or delete it, then try again"
                raise CannotWrite(f"{self.path}: cannot be cleaned: {error}; {advice}") from error
            self._warn_once(error)

    def _open(self) -> sqlite3.Connection:
        try:
            try:
                return self._connect()
            except sqlite3.OperationalError:
                raise  # disk full, no permission, or locked: the content is fine
            except sqlite3.DatabaseError as error:
                log.warning("%s: damaged (%s); moved aside, photos are encoded again", self.path, error)
                self._move_aside()
                return self._connect()
        except (OSError, sqlite3.Error) as error:
            log.warning("%s: cannot be used (%s); what is encoded now is not kept", self.path, error)
            self._on_disk = False
            memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            memory.execute(_SCHEMA)
            return memory

    def _connect(self) -> sqlite3.Connection:
        # Create it here, because sqlite would make it readable by everybody.
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(_SCHEMA)
            columns = [row[1] for row in connection.execute("PRAGMA table_info(photos)")]
            (status,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if columns != _COLUMNS or status != "ok":
                raise sqlite3.DatabaseError(status if columns == _COLUMNS else "unexpected columns")
        except BaseException:
            connection.close()
            raise
        return connection

    def _move_aside(self) -> None:
        self.path.replace(_damaged_path(self.path))
        for suffix in ("-journal", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def _run(self, action: Callable[[], _T]) -> _T | None:
        """Return what the action returns; if the file fails, log that and return None."""
        try:
            return action()
        except sqlite3.Error as error:
            self._warn_once(error)
            return None

    def _warn_once(self, error: Exception) -> None:
        """Log the error once, rather than with every photo."""
        if not self._warned:
            log.warning("%s: %s; continuing without it", self.path, error)
        self._warned = True


def _damaged_path(path: Path) -> Path:
    return path.with_name(path.name + ".damaged")


def _result_of_row(reason: object, encoding: object, sizes: Collection[int]) -> EncodingResult | None:
    """Return a row as an EncodingResult; None if it is not ours. `sizes` are those of encodings, in bytes."""
    if isinstance(encoding, bytes) and len(encoding) in sizes:
        array = np.frombuffer(encoding, "<f8").astype(np.float64)
        usable = np.isfinite(array).all()
        return EncodingResult(array, None, main_face=reason == _MAIN_FACE) if usable else None
    known = encoding is None and reason in {omission.value for omission in OmissionReason}
    return EncodingResult(None, OmissionReason(reason)) if known else None
