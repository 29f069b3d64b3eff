"""One photo into quarantine or out of it: nothing is overwritten, and a kill in between loses nothing."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from face_det.errors import CannotWrite
from face_det.identity import atomic

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What os.link answers where the file system has no hard links (FAT, some network shares)."""
OUTCOME = "it is where it was"
"""What holds of a photo that could not be moved."""


class Taken(Exception):
    """Another file stands where one is to be put."""


def is_there(path: Path) -> bool:
    """Whether there is a file, or a link wherever it leads."""
    return os.path.lexists(path)


def put_aside(source: Path, place: Path) -> None:
    """Rename into a folder that nobody else has: there is nothing to be overwritten. Raises CannotWrite."""
    with atomic.reporting(source, OUTCOME):
        _rename(source, place)


def put_back(source: Path, target: Path) -> None:
    """Rename, and make the folder if it is gone; done again after a kill, it ends well.

    Raises Taken where another file stands, CannotWrite for what else is in the way.
    """
    if target.parent.is_symlink():
        advice = "links are not followed; put a folder there"
        raise CannotWrite(f"{source}: cannot be put back: {target.parent} is a link, and {advice}")
    with atomic.reporting(source, OUTCOME):
        atomic.make_folder(target.parent)
        try:
            os.link(source, target, follow_symlinks=False)
        except FileExistsError:
            if not _same(source, target):
                _over_nothing(source, target)
                return
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _over_nothing(source, target)
            return
        source.unlink()
        atomic.sync(target.parent)
        atomic.sync(source.parent)


def _over_nothing(source: Path, target: Path) -> None:
    """Reserve the name, then rename over what is ours: an empty file, which also a kill may leave."""
    with suppress(FileExistsError):
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    if target.is_symlink() or not target.is_file() or target.stat().st_size:
        raise Taken
    _rename(source, target)


def _rename(source: Path, target: Path) -> None:
    source.replace(target)
    atomic.sync(target.parent)
    atomic.sync(source.parent)


def _same(one: Path, other: Path) -> bool:
    """Whether both are names of one file, which is what a kill between link and unlink leaves."""
    left, right = one.lstat(), other.lstat()
    return (left.st_dev, left.st_ino) == (right.st_dev, right.st_ino)
