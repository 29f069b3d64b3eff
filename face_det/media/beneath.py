"""Files opened beneath allowed folders, so that nobody can change where the way leads while it is walked.

A path that has been checked may lead elsewhere a moment later: a folder on the way is swapped for a link.
So the way is walked again, folder by folder, from the allowed one and without following any link.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

_STEP = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
"""O_PATH: folders that may be passed through, but not listed, are no obstacle."""
_KERNEL = ("/proc", "/sys")


class Outside(Exception):
    """A path that is in none of the allowed folders."""


def opened(path: Path, roots: Sequence[Path]) -> tuple[int, str]:
    """A descriptor of the folder that a file is in, and the file's name in it; the caller closes it.

    `path` is real: absolute, without links and "..". Raises Outside; OSError where a folder is not
    there, or is a link.
    """
    root = next((root for root in map(os.path.realpath, roots) if path.is_relative_to(root)), None)
    if root is None or ".." in path.parts:
        raise Outside
    *folders, name = path.relative_to(root).parts or (".",)
    descriptor = os.open(root, _STEP)
    try:
        for folder in folders:
            inner = os.open(folder, _STEP | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, name


def is_of_the_kernel(device: int) -> bool:
    """Whether that is the file system of /proc or /sys, by whatever path one came to it."""
    disk = os.stat("/").st_dev  # noqa: PTH116
    for mount in _KERNEL:
        try:
            found = os.stat(mount).st_dev  # noqa: PTH116
        except OSError:
            continue
        if device == found != disk:
            return True
    return False
