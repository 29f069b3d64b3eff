"""Finds the pictures in a folder, whatever they are called."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from face_det.media.allowed_paths import FORBIDDEN
from face_det.media.formats import is_picture_file


@dataclass(frozen=True, slots=True)
class FolderContent:
    """The files in a folder and below: pictures, other files, and what could not be read with the reason.

    All are sorted.
    """

    pictures: tuple[Path, ...]
    others: tuple[Path, ...]
    unreadable: tuple[tuple[Path, str], ...]


def find_pictures(folder: Path) -> FolderContent:
    """Find the pictures in a folder and the folders below it, by content; see `is_picture_file`.

    Hidden files and folders are passed over, links to folders and /proc, /dev and /sys are not entered.
    A folder that cannot be read, or vanishes meanwhile, spoils nothing: it is listed as unreadable.

    >>> find_pictures(Path("no such folder")).unreadable
    ((PosixPath('no such folder'), 'No such file or directory'),)
    """
    pictures: list[Path] = []
    others: list[Path] = []
    unreadable: list[tuple[Path, str]] = []

    def note(error: OSError) -> None:
        unreadable.append((Path(os.fsdecode(error.filename)), error.strerror or str(error)))

    for above, below, files in os.walk(folder, onerror=note):
        below[:] = [name for name in below if not name.startswith(".") and not _is_kernels(Path(above, name))]
        for name in files:
            if not name.startswith("."):
                path = Path(above, name)
                (pictures if is_picture_file(path) else others).append(path)
    return FolderContent(tuple(sorted(pictures)), tuple(sorted(others)), tuple(sorted(unreadable)))


def _is_kernels(folder: Path) -> bool:
    return Path(os.path.realpath(folder)) in FORBIDDEN
