"""The targets for the networks, and whether a run met them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

OURS = "ours-1-fp32"
BF16 = "ours-1-bf16"
AMX = "amx_bf16"


@dataclass(frozen=True)
class Target:
    """A figure and its limit. `value` returns None if the figure was not measured.

    A contender's name in braces in the label stands for its full name in a run. `needs` is a processor
    feature without which the target does not apply.
    """

    label: str
    limit: float
    unit: str
    value: Callable[[Run], float | None]
    at_least: bool = True
    needs: str = ""

    def lacks(self, run: Run) -> bool:
        """Return True if the run's processor lacks the feature that the target needs."""
        return bool(self.needs) and self.needs not in run.content["machine"]["flags"]

    def met(self, run: Run) -> bool | None:
        """Return True if the target was met; None if it was not measured or does not apply here."""
        value = self.value(run)
        if value is None or self.lacks(run):
            return None
        return value >= self.limit if self.at_least else value <= self.limit

    def said(self, run: Run) -> str:
        """Return the label, with the baseline's full name."""
        named = {one["name"]: one["label"] for one in run.content["contenders"]}
        return self.label.format_map({"baseline-1": "a second dlib with BLAS, 1 thread", **named})

    def wanted(self) -> str:
        """Return the limit in words, such as `at least 25 x`."""
        return f"at {'least' if self.at_least else 'most'} {self.limit:g} {self.unit}"


class Run:
    """The results of engine.py, looked up by task and contender."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content
        self._cases = {(case["task"], case["contender"]): case for case in content["cases"]}

    def case(self, task: str, contender: str) -> dict[str, Any] | None:
        """Return one case; None if it was not measured."""
        return self._cases.get((task, contender))

    def median_s(self, task: str, contender: str) -> float | None:
        """Return the median of a case's times, in seconds."""
        case = self.case(task, contender)
        return None if case is None else float(case["seconds"]["median"])

    def ratio(self, task: str, ours: str, other: str) -> float | None:
        """Return how many times longer the other contender takes."""
        mine, theirs = self.median_s(task, ours), self.median_s(task, other)
        return theirs / mine if mine and theirs else None

    def share(self, task: str, contender: str, network: str) -> float | None:
        """Return the share of the cores' measured peak that a network reaches while it runs."""
        case = self.case(task, contender)
        if case is None or network not in case.get("networks", {}):
            return None
        threads = next(one["threads"] for one in self.content["contenders"] if one["name"] == contender)
        speed = float(case["networks"][network]["gflop_s"])
        return speed / float(self.content["peak"]["gflop_s"]["median"] * threads)

    def memory(self, task: str, key: str) -> float | None:
        """Return one number of a memory task."""
        case = self.case(task, OURS)
        return None if case is None else float(case["memory"][key])


def _against(label: str, task: str, wheel: float, blas: float) -> list[Target]:
    return [
        Target(f"{label}, against {{{other}}}", limit, "x", _ratio(task, OURS, other))
        for other, limit in (("wheel", wheel), ("baseline-1", blas))
    ]


def _ratio(task: str, ours: str, other: str) -> Callable[[Run], float | None]:
    return lambda run: run.ratio(task, ours, other)


def _memory(label: str, task: str) -> list[Target]:
    return [
        Target(
            f"memory held by calls on 1080p, {label}",
            500,
            "MB",
            lambda run: run.memory(task, "late_mb"),
            False,
        ),
        Target(f"memory growth, {label}", 5, "MB", lambda run: run.memory(task, "growth_mb"), False),
    ]


TARGETS = (
    *_against("CNN detector, 720p", "detect-720p-up0", 25, 9),
    *_against("CNN detector, 1080p", "detect-1080p-up0", 25, 9),
    *_against("encodings, 8 at once", "embed-8", 18, 3.5),
    *_against("encodings, 32 at once", "embed-32", 18, 3.5),
    *_against("one face: landmarks, chip, encoding", "face", 10, 2.5),
    *_against("one face, 100 jitters", "jitters", 18, 3.5),
    *_against("detect_faces, 10 frames of 1080p, upsample 1", "call", 25, 9),
    *(
        Target(f"{label}, bf16 on AMX, against {{wheel}}", limit, "x", _ratio(task, BF16, "wheel"), needs=AMX)
        for label, limit, task in (
            ("CNN detector, 720p", 60, "detect-720p-up0"),
            ("encodings, 32 at once", 80, "embed-32"),
        )
    ),
    Target(
        "CNN detector, 720p: share of one core's measured peak, inside the network, counted by definition",
        80,
        "%",
        lambda run: _percent(run.share("detect-720p-up0", OURS, "tile")),
    ),
    Target(
        "start of the daemon, networks cached", 3, "s", lambda run: run.median_s("start-warm", OURS), False
    ),
    Target("start of the daemon, none cached", 10, "s", lambda run: run.median_s("start-cold", OURS), False),
    *_memory("upsample 0", "memory-up0"),
    *_memory("upsample 1", "memory-up1"),
)


def _percent(share: float | None) -> float | None:
    return None if share is None else share * 100
