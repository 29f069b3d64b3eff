"""Sets up the daemon's logging: to stderr, one line per record."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Iterator
from typing import Any

import gevent


class _OneLine(logging.Formatter):
    """Puts a traceback on its record's line, because the journal and grep work line by line."""

    def format(self, record: logging.LogRecord) -> str:
        return " | ".join(line for line in super().format(record).splitlines() if line.strip())


def configure_logging(level: str) -> None:
    """Log our records from `level` ("debug", "info", ...) up, and those of libraries from "warning" up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    set_log_level(level)


def set_log_level(level: str) -> None:
    """Change the level from which our records are logged."""
    logging.getLogger("face_det").setLevel(level.upper())


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
