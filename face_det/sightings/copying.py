"""Copies the database of sightings while it is in use."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from face_det.errors import CannotWrite
from face_det.sightings.schema import DATABASE_NAME


def copy_sightings(folder: Path, target: Path) -> bool:
    """Copy the sightings in a folder, in one consistent state, to a new file that only its owner may read.

    Returns False if there are none. Raises CannotWrite if they cannot be; the new file is then removed.

    >>> copy_sightings(Path("no such folder"), Path("copy"))
    False
    """
    source = folder / DATABASE_NAME
    if not source.is_file():
        return False
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with (
            contextlib.closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as reader,
            contextlib.closing(sqlite3.connect(target)) as writer,
        ):
            reader.backup(writer)
            # In its own file alone: a copy has no log beside it.
            writer.execute("PRAGMA journal_mode = DELETE")
    except (sqlite3.Error, OSError) as error:
        target.unlink(missing_ok=True)
        raise CannotWrite(f"{target}: the sightings cannot be copied: {error}") from error
    return True
