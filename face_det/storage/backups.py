"""Names the copies of other programs' files that are kept before theirs is replaced."""

from __future__ import annotations

from pathlib import Path

BACKUP_SUFFIX = ".before-face_det"
"""Ends the names of copies of files that another program wrote, the original above all."""


def backup_path(path: Path) -> Path:
    """Return where the copy of another program's file is kept.

    >>> backup_path(Path("face_labels.pickle")).name
    'face_labels.pickle.before-face_det'
    """
    return path.with_name(path.name + BACKUP_SUFFIX)


def explain_way_back(copy: Path) -> str:
    """Return the command that puts a copy back in its place.

    >>> explain_way_back(Path("/srv/face_labels.pickle.before-face_det"))
    "to go back: mv '/srv/face_labels.pickle.before-face_det' '/srv/face_labels.pickle'"
    """
    return f"to go back: mv '{copy}' '{str(copy).removesuffix(BACKUP_SUFFIX)}'"
