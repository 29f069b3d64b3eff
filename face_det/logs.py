"""How a program of ours logs: to stderr, one line per record."""

from __future__ import annotations

import logging
import sys


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
