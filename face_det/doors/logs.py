"""Logging of the daemon: to stderr, one line a record."""

from __future__ import annotations

import logging
import sys


class _OneLine(logging.Formatter):
    """A traceback becomes part of its record's line: journals and greps work by lines."""

    def format(self, record: logging.LogRecord) -> str:
        return " | ".join(line for line in super().format(record).splitlines() if line.strip())


def setup(level: str) -> None:
    """Log our records from `level` ("debug", "info", ...) on, other people's from "warning"."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    set_level(level)


def set_level(level: str) -> None:
    """Change the level of our records."""
    logging.getLogger("face_det").setLevel(level.upper())
