"""A user without privileges: tests often run as root, to whom nothing is denied."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def nobody(place: Path) -> Iterator[None]:
    """Become another user if we are root, with access to our folder and the way to it."""
    me = os.geteuid()
    if me == 0:
        for folder in (place, *place.parents):
            mode = folder.stat().st_mode & 0o7777
            if not mode & 0o001:
                folder.chmod(mode | 0o055)
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(me)
