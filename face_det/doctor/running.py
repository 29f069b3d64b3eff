"""Tells whether a program that reads the daemon's events runs, with a lease on its cursor, and gets on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from face_det.doctor.checks import CheckResult, CheckState

STUCK_S = 60.0
"""Waiting events are no fault if one was handled this recently."""


def find_stuck(about: Mapping[str, Any], reader: str) -> str | None:
    """Say that events wait for a `reader` that handles none; None if it gets on.

    `about` is what the daemon's status says of its cursor.
    """
    ago = time.time() - about.get("moved", 0.0)
    # If it handled one in the future, the clock has been set back since.
    if not about.get("behind") or abs(ago) <= STUCK_S:
        return None
    last = "none since the clock was set back" if ago < 0 else f"the last one {ago:.0f} s ago"
    return f"{about['behind']} events wait for {reader}, which handled {last}"


def check_running(
    check: str, command: str, cursors: Sequence[str], status: Mapping[str, Any] | None
) -> Iterator[CheckResult]:
    """Warn if no program uses some of these cursors; `status` is the daemon's, None if it does not run."""
    if status is None:
        return
    consumers = (status.get("sightings") or {}).get("consumers") or {}
    idle = [name for name in cursors if not consumers.get(name, {}).get("owner")]
    if not idle:
        hosts = ", ".join(sorted({consumers[name]["owner"] for name in cursors}))
        yield CheckResult(check, CheckState.OK, f"{command} runs on {hosts}")
        return
    text = f"{command} does not run: no program uses {', '.join(idle)}"
    yield CheckResult(check, CheckState.WARNING, text, f"start it: {command}, or face-det up")
