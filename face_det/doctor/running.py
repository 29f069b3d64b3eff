"""Tells whether a program that reads the daemon's events runs: it has a lease on its cursor then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from face_det.doctor.checks import CheckResult, CheckState


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
