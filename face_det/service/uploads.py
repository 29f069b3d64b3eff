"""Archives on their way in: a client writes one in parts, in order, before it can be restored."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from face_det.errors import BadRequest, CannotWrite, TryAgain
from face_det.storage import lock_descriptor, make_folder, report_write_errors

MAX_PART = 4 * 2**20
UPLOAD_KEEP_S = 3600.0
"""How long after its last part an upload is kept."""
PAUSE_S = 60.0
"""How long an upload may pause before another one that begins removes it, so that the disk does not fill."""
RESERVE_BYTES = 64 * 2**20
"""Uploads leave at least this much room on the disk."""
_ID = re.compile(r"[0-9A-Za-z_-]{8,64}")
_PART = ".face_det-upload-"
_TAKEN = ".face_det-taken-"
UPLOAD_MARKS = (_PART, _TAKEN)


class Uploads:
    """The uploads in a folder; parts of one may come on several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, identifier: object, offset: object, data: object) -> dict[str, Any]:
        """Append a part; return the id and the bytes so far. Raises BadRequest and CannotWrite."""
        path = self._path(identifier)
        if not isinstance(data, bytes) or not 1 <= len(data) <= MAX_PART:
            found = f"{len(data)} bytes" if isinstance(data, bytes) else type(data).__name__
            raise BadRequest(f"data: must be 1 to {MAX_PART} bytes, got {found}")
        self.remove_old(PAUSE_S if offset == 0 else UPLOAD_KEEP_S)
        with report_write_errors(path, "the part was not kept"):
            make_folder(self._folder)
            begun = os.O_CREAT if offset == 0 else 0
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | begun, 0o600)
            except FileNotFoundError as error:
                raise BadRequest(f"offset: must be 0 for a new id, got {offset!r:.40}") from error
        with report_write_errors(path, "the part was not kept"), os.fdopen(descriptor, "ab") as file:
            lock_descriptor(descriptor)
            size = os.fstat(descriptor).st_size
            if isinstance(offset, bool) or offset != size:
                raise BadRequest(f"offset: must be {size}, the end of what is there, got {offset!r:.40}")
            free = shutil.disk_usage(self._folder).free
            if len(data) + RESERVE_BYTES > free:
                raise CannotWrite(
                    f"{self._folder}: a part takes {len(data)} bytes and must leave {RESERVE_BYTES // 10**6} "
                    f"MB free, got {free // 10**6} MB; make room, or delete a backup"
                )
            try:
                file.write(data)
                file.flush()
            except OSError:
                os.ftruncate(descriptor, size)
                raise
        return {"id": path.name.removeprefix(_PART), "bytes": size + len(data)}

    @contextmanager
    def taken(self, identifier: object) -> Iterator[Path]:
        """Return the file of an upload, to which nothing can be appended any more; it is deleted at the end.

        It is kept if the body raises an error after which one may try again. Raises BadRequest.
        """
        part = self._path(identifier)
        path = part.with_name(part.name.replace(_PART, _TAKEN))
        try:
            part.replace(path)
        except FileNotFoundError as error:
            raise BadRequest(
                f"id: must be one that write_restore began less than an hour ago, got {identifier!r:.60}"
            ) from error
        try:
            yield path
        except TryAgain:
            path.replace(part)
            raise
        finally:
            path.unlink(missing_ok=True)

    def remove_old(self, older_than_s: float = UPLOAD_KEEP_S) -> None:
        """Remove uploads that nobody goes on with; all of them if `older_than_s` is 0."""
        for path in self._folder.glob(f"{_PART}*"):
            if not older_than_s or path.stat().st_mtime < time.time() - older_than_s:
                path.unlink(missing_ok=True)
        for path in [] if older_than_s else self._folder.glob(f"{_TAKEN}*"):
            path.unlink(missing_ok=True)

    def _path(self, identifier: object) -> Path:
        if not isinstance(identifier, str) or not _ID.fullmatch(identifier):
            raise BadRequest(f"id: must be 8 to 64 letters, digits, _ and -, got {identifier!r:.60}")
        return self._folder / f"{_PART}{identifier}"
