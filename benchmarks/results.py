"""Summarises findings as medians and checks that all contenders agree."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from plan import Contender, Task

FORMAT = 1

Findings = dict[str, Any]
"""The findings of one process: seconds, ready_s, peak_mb, answer, and sometimes networks."""


def quartiles(values: Sequence[float]) -> dict[str, float]:
    """Return the median, first and third quartile (inclusive method), and the count."""
    q1, median, q3 = (
        statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3
    )
    return {"median": median, "q1": q1, "q3": q3, "n": len(values)}


class Collected:
    """The findings of every task and contender over all rounds."""

    def __init__(self) -> None:
        self._found: dict[tuple[Task, str], list[Findings]] = {}

    def add(self, task: Task, contender: Contender, findings: Findings) -> None:
        """Add the findings of one process."""
        self._found.setdefault((task, contender.name), []).append(findings)

    def cases(self, tasks: list[Task], contenders: list[Contender]) -> list[dict[str, Any]]:
        """Summarise the findings in the order of tasks and contenders; the first dlib is the reference."""
        summaries = []
        for task in tasks:
            there = [one for one in contenders if (task, one.name) in self._found]
            reference = next((one.name for one in there if one.kind == "dlib"), None)
            for contender in there:
                found = self._found[task, contender.name]
                summary: dict[str, Any] = {"task": task.name, "kind": task.kind, "label": task.label}
                summary |= {"contender": contender.name, "rounds": len(found), **_summary(task, found)}
                if task.kind != "start" and reference not in (None, contender.name):
                    answer = self._found[task, reference][-1]["answer"]
                    summary["against"] = {"contender": reference, **agreement(found[-1]["answer"], answer)}
                summaries.append(summary)
        return summaries


def _summary(task: Task, found: list[Findings]) -> dict[str, Any]:
    # A start makes no calls; only its readiness is timed.
    pooled = [s for one in found for s in ([one["ready_s"]] if task.kind == "start" else one["seconds"])]
    summary: dict[str, Any] = {"seconds": quartiles(pooled)}
    if "ready_s" in found[0]:
        summary["ready_s"] = statistics.median(one["ready_s"] for one in found)
        summary["peak_mb"] = max(one["peak_mb"] for one in found)
    if task.kind in ("detect", "call"):
        summary["faces"] = len(found[-1]["answer"])
    if task.kind == "memory":
        summary["memory"] = memory(found[-1]["answer"])
    runs: dict[str, list[list[float]]] = {}
    for one in found:
        for name, more in one.get("networks", {}).items():
            runs.setdefault(name, []).extend(more)
    if runs and task.kind != "memory":
        summary["networks"] = {name: _speed(of_it) for name, of_it in runs.items()}
    return summary


def _speed(runs: list[list[float]]) -> dict[str, float]:
    """Return medians over the runs of a network: GFLOP a second and the useful share."""
    return {
        "gflop_s": statistics.median(flop / took for took, flop, _ in runs) / 1e9,
        "useful": statistics.median(useful / flop for _, flop, useful in runs),
        "runs": len(runs),
    }


def memory(held_mb: list[float]) -> dict[str, Any]:
    """Compare the median memory of the second and the last quarter of the calls.

    Single calls say little, because freed memory returns to the system at varying times.
    """
    quarter = len(held_mb) // 4
    early, late = statistics.median(held_mb[quarter : 2 * quarter]), statistics.median(held_mb[-quarter:])
    growth = round(late - early, 1)
    return {
        "calls": len(held_mb),
        "early_mb": early,
        "late_mb": late,
        "growth_mb": growth,
        "most_mb": max(held_mb),
    }


def agreement(answer: Any, reference: Any) -> dict[str, Any]:
    """Compare two answers: boxes must be equal and in order; for encodings the largest L2 distance."""
    if len(answer) != len(reference):
        return {"equal": False}
    if answer and isinstance(answer[0][0], float):
        return {"l2_max": max(math.dist(one, other) for one, other in zip(answer, reference, strict=True))}
    return {"equal": answer == reference}


def write(path: Path, content: dict[str, Any]) -> None:
    """Write the file atomically, so that an interrupted run keeps the previous findings."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps({"format": FORMAT, **content}, indent=1) + "\n", "utf-8")
    part.replace(path)
