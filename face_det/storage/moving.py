"""Moves and creates files without ever overwriting one.

A kill leaves a moved file in its old place, its new one, or both, and a new file whole or not there.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from face_det.storage.files import (
    lock_folders,
    make_folder,
    report_write_errors,
    sync_folder,
    write_temporary,
)

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
"""What os.link fails with on another file system, or where there are no hard links (FAT, some shares)."""


def move_file(source: Path, target: Path, *, sync: bool = True) -> None:
    """Move a file, also to another file system, and make the folder that it goes to.

    A call that was cut off may be repeated. Without `sync`, the caller sees to it that both folders reach the
    disk. Raises FileExistsError if another file is there, and OSError or CannotWrite for any other obstacle.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     photo, place = Path(folder, "1.jpg"), Path(folder, "anna", "1.jpg")
    ...     _ = photo.write_bytes(b"a picture")
    ...     move_file(photo, place)
    ...     photo.exists(), place.read_bytes()
    (False, b'a picture')
    """
    make_folder(target.parent)
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        if not is_same_file(source, target):
            raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _copy(source, target)
    if sync:
        sync_folder(target.parent)
    source.unlink()
    if sync:
        sync_folder(source.parent)


def write_new_file(path: Path, data: bytes) -> None:
    """Create a file, whole or not at all, readable by its owner only (0600).

    Its bytes are on disk on return; call `sync_folder` for its name. Several threads and processes may write
    to one folder. Raises FileExistsError if there is anything by that name, and CannotWrite.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_new_file(Path(folder, "1.jpg"), b"a picture")
    ...     Path(folder, "1.jpg").read_bytes()
    b'a picture'
    """
    if os.path.lexists(path):
        raise _exists(path)
    # Shared, because each writer has a temporary file of its own; only who clears leftovers away must wait.
    with lock_folders([path.parent], shared=True):
        temporary = write_temporary(path, data)
        try:
            with report_write_errors(path, "nothing was written"):
                named = _name(temporary, path)
            # Outside, since that another writer was faster is no failure to write.
            if not named:
                raise _exists(path)
        finally:
            temporary.unlink(missing_ok=True)


def _name(temporary: Path, path: Path) -> bool:
    """Give a file its name, or return False if there is anything by that name."""
    try:
        os.link(temporary, path, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(path):
            return False
        temporary.replace(path)
    return True


def _exists(path: Path) -> FileExistsError:
    return FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def is_same_file(one: Path, other: Path) -> bool:
    """Return True if both are one file or hold the same bytes, as a move that was cut off leaves them.

    >>> is_same_file(Path("no such file"), Path("no such file"))
    False
    """
    try:
        left, right = one.lstat(), other.lstat()
        if (left.st_dev, left.st_ino) == (right.st_dev, right.st_ino):
            return True
        return left.st_size == right.st_size and one.read_bytes() == other.read_bytes()
    except OSError:
        return False


def _copy(source: Path, target: Path) -> None:
    """Copy a file with its times, whole or not at all."""
    if os.path.lexists(target):
        raise _exists(target)
    there = source.stat()
    temporary = write_temporary(target, source.read_bytes())
    os.utime(temporary, ns=(there.st_atime_ns, there.st_mtime_ns))
    temporary.replace(target)
