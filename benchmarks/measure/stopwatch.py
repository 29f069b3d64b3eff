"""The shared part of every measuring process. Standard library only, because other interpreters run it."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

Prepared = tuple[Callable[[], Any], Callable[[Any], Any]]
"""The call to time, and a function that turns its result into comparable JSON values."""


def measure(call: Callable[[], Any], budget_s: float, most: int) -> tuple[list[float], Any]:
    """Return the seconds of one or more calls, and the last result.

    The first call is a warm-up and does not count, unless it alone takes the whole budget.
    """
    took, result = _timed(call)
    if took >= budget_s:
        return [took], result
    seconds: list[float] = []
    while len(seconds) < most and sum(seconds) < budget_s:
        took, result = _timed(call)
        seconds.append(took)
    return seconds, result


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def peak_mb() -> float:
    """Return the peak memory of this process in MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)


def main(prepare: Callable[[dict[str, Any]], Prepared], more: Callable[[], dict[str, Any]] = dict) -> None:
    """Measure the JSON spec in argv[1] and print the findings as JSON; `more` adds to them."""
    spec = json.loads(sys.argv[1])
    call, describe = prepare(spec)
    ready_s = time.time() - spec["spawned"]
    seconds, result = measure(call, spec["budget_s"], spec["most"])
    findings = {"seconds": seconds, "ready_s": ready_s, "peak_mb": peak_mb(), "answer": describe(result)}
    print(json.dumps({**findings, **more()}))
