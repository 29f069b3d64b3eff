"""Finds what is in a dataset but enrols nobody because of where it is or what it is called."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from face_det.errors import BadName
from face_det.gallery.dataset import check_person_name, is_utf8, list_entries
from face_det.media import is_picture_file

_SILENT_NAMES = {"thumbs.db", "desktop.ini", "readme", "readme.md", "readme.txt"}
_SILENT_SUFFIXES = {".pickle", ".sqlite", ".damaged"}
"""Our own files, which may lie beside the photos."""


class OverlookedReason(str, Enum):
    """Why a file or folder in the dataset enrols nobody."""

    IN_SUBFOLDER = "in_subfolder"
    """A photo in a folder within a person's folder."""
    NO_PERSON = "no_person"
    """A photo beside the people's folders instead of in one."""
    BAD_NAME = "bad_name"
    """A folder that is called what nobody may be called."""
    LINKED_FOLDER = "linked_folder"
    """A link to a folder."""
    NOT_A_PICTURE = "not_a_picture"
    """A file of another kind, such as notes or a video."""


@dataclass(frozen=True, slots=True)
class OverlookedFile:
    """A file or folder, the reason why it enrols nobody, the person if there is one, and what to do."""

    path: Path
    reason: OverlookedReason
    name: str | None
    todo: str


def list_overlooked(dataset: Path) -> Iterator[OverlookedFile]:
    """Yield everything in a dataset that `list_photos` passes over, in order of paths.

    Hidden files, what file managers leave behind, READMEs and our own files are not worth mentioning.
    A folder that cannot be read ends in nothing; `list_photos` reports it.

    >>> list(list_overlooked(Path("no such folder")))
    []
    """
    for entry in list_entries(dataset):
        if _is_silent(entry):
            continue
        if not entry.is_dir():
            yield _loose_file(entry)
        elif entry.is_symlink():
            todo = "links are not followed; put a folder there"
            yield OverlookedFile(entry, OverlookedReason.LINKED_FOLDER, entry.name, todo)
        elif (fault := _name_fault(entry.name)) is not None:
            yield OverlookedFile(entry, OverlookedReason.BAD_NAME, entry.name, fault)
        else:
            yield from _overlooked_in(entry)


def _loose_file(path: Path) -> OverlookedFile:
    if is_picture_file(path):
        todo = "in nobody's folder; move it into the folder of the person it shows"
        return OverlookedFile(path, OverlookedReason.NO_PERSON, None, todo)
    return OverlookedFile(path, OverlookedReason.NOT_A_PICTURE, None, "")


def _overlooked_in(folder: Path) -> Iterator[OverlookedFile]:
    for above, below, files in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(files):
            path = Path(above, name)
            if _is_silent(path):
                continue
            if not is_picture_file(path):
                yield OverlookedFile(path, OverlookedReason.NOT_A_PICTURE, folder.name, "")
            elif path.parent != folder:
                todo = f"in a subfolder; move it up into {folder.name}/"
                yield OverlookedFile(path, OverlookedReason.IN_SUBFOLDER, folder.name, todo)


def _is_silent(path: Path) -> bool:
    name = path.name.lower()
    return name.startswith(".") or name in _SILENT_NAMES or path.suffix.lower() in _SILENT_SUFFIXES


def _name_fault(name: str) -> str | None:
    if not is_utf8(name):
        return "the folder's name is not UTF-8; rename it"
    try:
        check_person_name(name)
    except BadName as error:
        return f"rename the folder; {error}"
    return None
