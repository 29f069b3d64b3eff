"""Where it stands that a restore was decided; apart, so that every command can look without loading more."""

from __future__ import annotations

import os
from pathlib import Path

STAGED = "restore"
JOURNAL = "journal.json"


def is_unfinished(state: Path) -> bool:
    """Return True if a restore was decided and not finished, as far as this user may see.

    >>> is_unfinished(Path("no such folder"))
    False
    """
    return os.path.lexists(state / STAGED / JOURNAL)
