"""A file that calls append to and one reader empties, so that no call waits and no kill loses anything.

A call's record is in the kernel's hands once `append` returns: it survives the end of the process, whatever
ends it, though not that of the machine. The reader commits what it read together with the number of the last
record (see store.py), so that each record is used exactly once.

A record is its length, a checksum and its number, followed by its content. The checksum covers all of it, so
that zeros, which a power cut may leave behind the last record, are no record.
"""

from __future__ import annotations

import logging
import os
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

from face_det.errors import CannotWrite
from face_det.storage import make_folder, report_write_errors

log = logging.getLogger(__name__)

_HEADER = struct.Struct("<IIQ")
_NUMBER = struct.Struct("<Q")
MAX_SPOOL_BYTES = 64 * 2**20
"""While the file is larger, because nothing can be read from it any more, new records are refused."""
MAX_RECORD_BYTES = 2**30
_TRUNCATE_BYTES = 2**20
"""A file that has been read to its end is emptied from this size on."""


class Spool:
    """A file of numbered records. Any thread may append; one thread reads and releases."""

    def __init__(self, path: Path, after: int, max_bytes: int = MAX_SPOOL_BYTES) -> None:
        """Open or create the file; `after` is the number of the last record that was used."""
        self._path = path
        self._beside = path.with_name(f"{path.name}.new")
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._closed = False
        with report_write_errors(path):
            make_folder(path.parent)
            # A kill came before it took the other's place.
            self._beside.unlink(missing_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            os.fchmod(self._descriptor, 0o600)
            self._size, last = self._find_end()
            found = os.fstat(self._descriptor).st_size
            if found > self._size:
                # What a kill cut off is no record, and what is appended must not follow it.
                log.warning("%s: dropped %d bytes that are no whole record", path, found - self._size)
                os.ftruncate(self._descriptor, self._size)
        self._number = max(after, last)
        self._read = 0
        self._after = after

    def append(self, content: bytes) -> None:
        """Append a record; raise CannotWrite if the disk or the spool is full."""
        with self._lock, report_write_errors(self._path, "a sighting is not remembered"):
            if self._closed:
                raise CannotWrite(f"{self._path}: is closed; a sighting is not remembered")
            if self._size + len(content) > self._max_bytes:
                raise CannotWrite(
                    f"{self._path}: must stay below {self._max_bytes} bytes, but nothing is read from it; "
                    "a sighting is not remembered"
                )
            number = self._number + 1
            record = _HEADER.pack(len(content), _checksum(number, content), number) + content
            written = 0
            try:
                while written < len(record):
                    written += os.write(self._descriptor, record[written:])
            except OSError:
                if written:
                    os.ftruncate(self._descriptor, self._size)
                raise
            self._size += len(record)
            self._number = number

    def read(self, limit: int) -> list[tuple[int, bytes]]:
        """Return up to `limit` records that were not returned before, with their numbers, oldest first."""
        found: list[tuple[int, bytes]] = []
        while len(found) < limit and self._read < self._size:
            number, content, self._read = self._record_at(self._read)
            if number > self._after:
                self._after = number
                found.append((number, content))
        return found

    def rewind(self, after: int) -> None:
        """Return everything after the record `after` again: it was read and then could not be used."""
        with self._lock:
            self._read, self._after = 0, after
            # Whatever database gave that number, what is appended from now on comes after it.
            self._number = max(self._number, after)

    def release(self, *, anyhow: bool = False) -> None:
        """Empty the file if all of it was read, and it is large. Call it after a commit.

        With `anyhow`, drop what was read from any file, also if more waits. Raises CannotWrite.
        """
        with self._lock, report_write_errors(self._path):
            if self._closed or not (anyhow or self._size > _TRUNCATE_BYTES):
                return
            if self._read == self._size:
                os.ftruncate(self._descriptor, 0)
                self._size = self._read = 0
            elif anyhow and self._read:
                self._keep_waiting()

    def close(self) -> None:
        """Close the file; what is in it is read the next time."""
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._descriptor)

    @property
    def last_number(self) -> int:
        """The number of the last record that was appended."""
        return self._number

    @property
    def waiting_bytes(self) -> int:
        """How much was appended and not read yet."""
        return self._size - self._read

    @property
    def in_place(self) -> bool:
        """False if the file was deleted or replaced: what is appended would be lost at the end."""
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._descriptor))
        except OSError:
            return False

    def restore(self) -> None:
        """Give a file that has disappeared back its name, with what waits in it. Raises CannotWrite."""
        with self._lock, report_write_errors(self._path):
            if not self._closed:
                make_folder(self._path.parent)
                self._keep_waiting()

    def _keep_waiting(self) -> None:
        """Replace the file by one with only what was not read yet; a kill leaves one or the other whole."""
        beside = self._beside
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        fresh = os.open(beside, flags, 0o600)
        try:
            os.fchmod(fresh, 0o600)
            waiting = os.pread(self._descriptor, self._size - self._read, self._read)
            written = 0
            while written < len(waiting):
                written += os.write(fresh, waiting[written:])
            beside.replace(self._path)
        except BaseException:
            os.close(fresh)
            beside.unlink(missing_ok=True)
            raise
        os.close(self._descriptor)
        self._descriptor, self._size, self._read = fresh, len(waiting), 0

    def _find_end(self) -> tuple[int, int]:
        """Return the end of the last whole record, and its number."""
        records = list(self._whole_records(os.fstat(self._descriptor).st_size))
        last, end = records[-1] if records else (0, 0)
        return end, last

    def _whole_records(self, size: int) -> Iterator[tuple[int, int]]:
        position = 0
        while position + _HEADER.size <= size:
            length, checksum, number = _HEADER.unpack(os.pread(self._descriptor, _HEADER.size, position))
            end = position + _HEADER.size + length
            if length > MAX_RECORD_BYTES or end > size:
                return
            content = os.pread(self._descriptor, length, position + _HEADER.size)
            if _checksum(number, content) != checksum:
                return
            yield number, end
            position = end

    def _record_at(self, position: int) -> tuple[int, bytes, int]:
        length, _, number = _HEADER.unpack(os.pread(self._descriptor, _HEADER.size, position))
        content = os.pread(self._descriptor, length, position + _HEADER.size)
        return number, content, position + _HEADER.size + length


def _checksum(number: int, content: bytes) -> int:
    return zlib.crc32(content, zlib.crc32(_NUMBER.pack(number)))
