"""Memory that is free, but kept for later by the C library."""

from __future__ import annotations

import ctypes

_MALLOC_TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None)


def trim_heap() -> None:
    """Return it to the system; half a millisecond, but what is taken again is filled with zeros anew.

    glibc keeps holes of every size in its heap when pictures of every size were there: twice the
    memory after a thousand. Other libraries do not, or do as they like.
    """
    if _MALLOC_TRIM is not None:
        _MALLOC_TRIM(0)
