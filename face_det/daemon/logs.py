"""The log lines of calls."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from typing import Any

import gevent


@contextlib.contextmanager
def log_call(log: logging.Logger, verb: str, level: int = logging.INFO) -> Iterator[dict[str, Any]]:
    """Log one line for a call, however it ends: counts, then milliseconds; never names or pixels."""
    notes: dict[str, Any] = {}
    start = time.monotonic()
    error: str | None = None
    try:
        yield notes
    except gevent.GreenletExit:
        error = "caller_gone"
        raise
    except Exception as problem:
        error = type(problem).__name__
        log.debug("%s: %s", verb, problem)
        raise
    finally:
        # Copy the notes: if the caller is gone, a thread may still be writing to them.
        fields = sorted(dict(notes).items(), key=lambda field: field[0].endswith("_ms"))
        fields = [("error", error)] * bool(error) + fields
        fields.append(("total_ms", round((time.monotonic() - start) * 1000)))
        log.log(level, "%s %s", verb, " ".join(f"{key}={value}" for key, value in fields))
