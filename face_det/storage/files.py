"""What storage.py is made of: locks on folders, temporary files, reading and renaming one file."""

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
TEMPORARY_NAME = re.compile(re.escape(RESERVED_PREFIX) + r"[0-9a-f]{16}\.tmp")
FLOCK_UNSUPPORTED = {errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
"""What flock on a folder answers where the file system cannot do it (NFS, SMB)."""

_ADVICE = (
    ({errno.ENOSPC, errno.EDQUOT, errno.EFBIG}, "make room on that disk and try again"),
    ({errno.EROFS}, "mount it writable, or choose another place in config.json"),
    ({errno.EACCES, errno.EPERM}, "let the user that runs face-det write there"),
)


@contextmanager
def lock_folders(folders: Iterable[Path], *, shared: bool = False) -> Iterator[None]:
    """A flock on each folder, always in the same order, so that two holders cannot block each other.

    A folder needs no lock file for that, and a reader no right to write. Where the file system
    cannot do it, a lock file in the folder stands in.
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
    """Wait for a flock, held until the descriptor is closed; False where the file system has none."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in FLOCK_UNSUPPORTED:
            raise
        return False
    return True


def replace_without_lock(path: Path, data: bytes) -> None:
    """Write beside `path` and rename over it; the caller holds the folder."""
    temporary = write_temporary(path, data)
    try:
        with report_write_errors(path):
            temporary.replace(path)
            sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_temporary(target: Path, data: bytes) -> Path:
    """The content in a temporary file beside `target`, on disk, with the target's mode and owner.

    For a target that is not there yet, the file is its owner's only. Raises CannotWrite.
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
    """Raise CannotWrite if something else stands where a file is to be replaced or deleted.

    A folder cannot be; a pipe or a device could, and whoever reads it would wait for ever.
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
    """Give what is open to the owner of something else, if we may.

    Root who works for the daemon's user must not take its files and folders away from it.
    """
    with suppress(PermissionError):
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def read_if_present(path: Path, max_bytes: int) -> bytes | None:
    """The content, or None if the file is not there. Raises DataError as storage.read_all does."""
    try:
        # Not blocking: a named pipe would keep us waiting for its writer.
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
        raise DataError(f"{path}: must be a file that can be read, got {error.strerror}") from error


def sync_folder(folder: Path) -> None:
    """Have the folder's entries on disk, so that a rename outlives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing: what is made is its owner's only (0700).

    The owner is that of the folder it lies in, if we may give it away. On disk when this returns.
    Raises OSError.
    """
    missing = [folder, *folder.parents]
    for path in reversed([path for path in missing if not path.is_dir()]):
        path.mkdir(mode=0o700, exist_ok=True)
        # Not through a link that somebody may have put there meanwhile.
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            copy_owner(descriptor, path.parent.stat())
        finally:
            os.close(descriptor)
        with suppress(PermissionError):  # a folder that may be written and not read
            sync_folder(path.parent)


@contextmanager
def report_write_errors(path: Path, outcome: str = "what was there before still is") -> Iterator[None]:
    """An OSError as a CannotWrite of one line: which file, what holds now, and what to do."""
    try:
        yield
    except OSError as error:
        advice = "".join(f"; {todo}" for numbers, todo in _ADVICE if error.errno in numbers)
        raise CannotWrite(f"{path}: cannot be written: {error.strerror}; {outcome}{advice}") from error
