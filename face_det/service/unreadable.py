"""Logs which images could not be read, without flooding the log if they are many."""

from __future__ import annotations

import logging
import threading
import time

from face_det.errors import BadImage

log = logging.getLogger(__name__)

LINES = 10
"""At most this many lines are written in PERIOD_S."""
PERIOD_S = 60.0


class UnreadableLog:
    """One warning for each unreadable image, up to LINES in PERIOD_S; then one that counts the rest."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun = float("-inf")
        self._written = 0
        self._suppressed = 0

    def add(self, error: BadImage) -> None:
        """Log the error of one image, which says which image it is and what is wrong with it."""
        with self._lock:
            if time.monotonic() - self._begun >= PERIOD_S:
                if self._suppressed:
                    log.warning("%d more images could not be read in the meantime", self._suppressed)
                self._begun, self._written, self._suppressed = time.monotonic(), 0, 0
            if self._written == LINES:
                self._suppressed += 1
                return
            self._written += 1
        log.warning("cannot read an image: %s", error)
