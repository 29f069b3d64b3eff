"""A user without rights of their own: nothing is denied to root, as whom tests often run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def nobody(place: Path) -> Iterator[None]:
    """As somebody else, if we are root, with the way to a folder of ours and into it open to them."""
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
