"""How a program of ours logs: to stderr, one line per record."""

from __future__ import annotations

import logging
import sys

_MAX_LINE = 16_000
"""Characters. No record of ours needs more, and clients decide what is in some of them."""


class _OneLine(logging.Formatter):
    """Puts a record on one line of text, because the journal and grep work line by line.

    The lines of a traceback are joined, and what a terminal would obey rather than show is escaped.
    """

    def format(self, record: logging.LogRecord) -> str:
        whole = super().format(record)
        text = whole[:_MAX_LINE]
        line = " | ".join(line for line in text.splitlines() if line.strip())
        if not line.isprintable():
            line = "".join(
                each if each.isprintable() else each.encode("unicode_escape").decode() for each in line
            )
        return line if len(text) == len(whole) else f"{line}..."


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
