"""Handles one file at a time: locks on folders, temporary files, renaming into place, reading.

`storage.transaction` builds changes of several files from these parts.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock

from face_det.errors import CannotWrite, DataError

RESERVED_PREFIX = ".face_det-"
"""Files whose names start like this belong to this package."""
TEMPORARY_NAME = re.compile(re.escape(RESERVED_PREFIX) + r"[0-9a-f]{16}\.tmp")
FLOCK_UNSUPPORTED = {errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
"""What flock on a folder fails with where the file system doesn't support it (NFS, SMB)."""

_ADVICE = (
    ({errno.ENOSPC, errno.EDQUOT, errno.EFBIG}, "make room on that disk and try again"),
    ({errno.EROFS}, "mount it writable, or choose another place in config.json"),
    ({errno.EACCES, errno.EPERM}, "let the user that runs face-det write there"),
)


@contextmanager
def lock_folders(folders: Iterable[Path], *, shared: bool = False) -> Iterator[None]:
    """Hold a flock on each folder for the length of a `with` block; several readers may share one.

    Folders are locked in sorted order, so two holders cannot deadlock. Locking a folder needs no lock
    file, and readers need no right to write. Where the file system has no flock for folders, a lock
    file in the folder stands in. Raises CannotWrite if a folder cannot be opened.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, lock_folders([Path(folder)]):
    ...     Path(folder, "notes").write_text("only we are writing here")
    24
    """
    with ExitStack() as stack:
        for folder in sorted(set(folders)):
            with report_write_errors(folder):
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
                stack.callback(os.close, descriptor)
                if not lock_descriptor(descriptor, shared=shared):
                    stack.enter_context(FileLock(folder / ".face_det.lock", mode=0o666))
        yield


def lock_descriptor(descriptor: int, *, shared: bool = False) -> bool:
    """Wait for a flock that lasts until the descriptor is closed; False if the file system has none."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in FLOCK_UNSUPPORTED:
            raise
        return False
    return True


def replace_without_lock(path: Path, data: bytes) -> None:
    """Write a temporary file beside `path` and rename it over `path`; the caller has locked the folder.

    Raises CannotWrite; the old file is then untouched.
    """
    temporary = write_temporary(path, data)
    try:
        with report_write_errors(path):
            temporary.replace(path)
            sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_temporary(target: Path, data: bytes) -> Path:
    """Write and fsync a temporary file beside `target`, with the target's mode and owner.

    If there is no target yet, only its owner may read the file (0600). Returns the temporary file's
    path. Raises CannotWrite.
    """
    temporary = target.with_name(f"{RESERVED_PREFIX}{secrets.token_hex(8)}.tmp")
    with report_write_errors(target):
        require_regular_file(target)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                _inherit_mode_and_owner(descriptor, target)
                file.write(data)
                file.flush()
                os.fsync(descriptor)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return temporary


def require_regular_file(path: Path) -> None:
    """Raise CannotWrite if `path` exists and is not a regular file, before it is replaced or deleted.

    A folder can't be replaced. A pipe or a device could, but its readers would then wait forever.
    """
    if path.exists() and not path.is_file():
        what = "a folder" if path.is_dir() else "a device or a pipe"
        raise CannotWrite(f"{path}: must be a file, got {what}; nothing was written")


def _inherit_mode_and_owner(descriptor: int, target: Path) -> None:
    with suppress(FileNotFoundError):
        before = target.stat()
        copy_owner(descriptor, before)
        os.fchmod(descriptor, stat.S_IMODE(before.st_mode))


def copy_owner(descriptor: int, owner: os.stat_result) -> None:
    """Give an open file or folder the owner and group in `owner`, if this process may.

    When root works for the daemon's user, it must not take files and folders away from that user.
    """
    with suppress(PermissionError):
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def read_if_present(path: Path, max_bytes: int) -> bytes | None:
    """Read one regular file without taking a lock; None if it does not exist.

    Raises DataError if it cannot be read, is not a regular file, or is larger than `max_bytes`.

    >>> read_if_present(Path("no such file"), 100) is None
    True
    """
    try:
        # O_NONBLOCK, because opening a named pipe would otherwise wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise DataError(f"{path}: must be a file, got something else")
            if found.st_size > max_bytes:
                raise DataError(f"{path}: must not be larger than {max_bytes} bytes, got {found.st_size}")
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"{path}: must be a readable file, got {error.strerror}") from error


def sync_folder(folder: Path) -> None:
    """Flush the folder's entries to disk, so that a rename survives a power cut. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder and its missing parents, readable by their owner only (0700), and fsync them.

    Each new folder gets the owner of the folder that it is made in, if this process may give it away.
    Raises OSError.
    """
    missing = [folder, *folder.parents]
    for path in reversed([path for path in missing if not path.is_dir()]):
        path.mkdir(mode=0o700, exist_ok=True)
        # O_NOFOLLOW, because somebody may have put a link there in the meantime.
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            copy_owner(descriptor, path.parent.stat())
        finally:
            os.close(descriptor)
        with suppress(PermissionError):  # a folder that we may write to but not read
            sync_folder(path.parent)


@contextmanager
def report_write_errors(path: Path, outcome: str = "nothing was changed") -> Iterator[None]:
    """Turn an OSError in a `with` block into a CannotWrite that says which file, what holds now
    (`outcome`), and what to do.

    >>> with report_write_errors(Path("model.pickle")):
    ...     raise OSError(errno.ENOSPC, "No space left on device")
    Traceback (most recent call last):
    ...
    face_det.errors.CannotWrite: model.pickle: cannot be written: No space left on device; nothing was changed; make room on that disk and try again
    """  # noqa: E501
    try:
        yield
    except OSError as error:
        advice = "".join(f"; {todo}" for numbers, todo in _ADVICE if error.errno in numbers)
        raise CannotWrite(f"{path}: cannot be written: {error.strerror}; {outcome}{advice}") from error
