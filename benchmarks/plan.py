"""What is measured, with which contenders, and how often."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Scale:
    """The size of a run."""

    heights: tuple[int, ...] = (240, 480, 720, 1080)
    upsamples: tuple[int, ...] = (0, 1)
    batches: tuple[int, ...] = (1, 8, 32)
    jitters: int = 100
    call_frames: int = 10
    call_height: int = 1080
    person: tuple[int, int] = (400, 900)
    memory_calls: int = 200
    threads: tuple[int, ...] = (1, 2)
    budget_s: float = 3.0
    most: int = 30


QUICK = Scale(
    heights=(160,),
    batches=(1, 2),
    jitters=3,
    call_frames=2,
    call_height=240,
    person=(120, 200),
    memory_calls=4,
    threads=(1,),
    budget_s=0.0,
    most=1,
)
"""A smoke test: just enough to see that everything runs."""

PLAIN = "ours-1-onnxruntime"
"""face_det on ONNX Runtime alone, one thread: the baseline for our own compiled kernels."""


@dataclass(frozen=True)
class Contender:
    """An implementation to measure. `kind` is "dlib" or "ours", `settings` are options of our networks.

    An optional contender is left out where it is unavailable.
    """

    name: str
    label: str
    kind: str
    python: str = sys.executable
    threads: int = 1
    settings: dict[str, Any] = field(default_factory=dict)
    optional: bool = False

    @property
    def script(self) -> str:
        """The script in measure/ that measures it."""
        return {"dlib": "dlib_networks.py", "ours": "our_networks.py"}[self.kind]


@dataclass(frozen=True)
class Task:
    """A task to measure; `kind` names the function that runs it, `fields` are its parameters."""

    name: str
    kind: str
    label: str
    fields: dict[str, Any] = field(default_factory=dict, hash=False)


def contenders(scale: Scale, baseline: str | None) -> list[Contender]:
    """List dlib's wheel, a second dlib if given, and face_det in each form that may be available."""
    found = [Contender("wheel", "dlib's wheel", "dlib")]
    if baseline:
        found += [
            Contender(f"baseline-{n}", f"second dlib, {_threads(n)}", "dlib", baseline, n)
            for n in scale.threads
        ]
    label = f"face_det, {_threads(1)}, fp32, without its own kernels"
    found.append(Contender(PLAIN, label, "ours", settings={"threads": 1, "runtime": "onnxruntime"}))
    for precision in ("fp32", "bf16"):
        # Only OpenVINO computes in bf16.
        extra = {} if precision == "fp32" else {"precision": precision, "runtime": "openvino"}
        found += [
            Contender(
                f"ours-{n}-{precision}",
                f"face_det, {_threads(n)}, {precision}",
                "ours",
                threads=n,
                settings={"threads": n, **extra},
                optional=precision != "fp32",
            )
            for n in scale.threads
        ]
    return found


def tasks(scale: Scale) -> list[Task]:
    """List all tasks, quick ones first."""
    found = [
        Task(f"embed-{n}", "embed", f"encodings, {n} chip{'s' * (n > 1)} at once", {"batch": n})
        for n in scale.batches
    ]
    found += [
        Task("face", "face", "one face: landmarks, chip, encoding"),
        Task("jitters", "jitters", f"one face, {scale.jitters} jitters", {"jitters": scale.jitters}),
    ]
    found += [
        Task(
            f"detect-{height}p-up{upsample}",
            "detect",
            f"CNN detector, {height}p, upsample {upsample}",
            {"picture": f"frame-{height}p.png", "upsample": upsample},
        )
        for upsample in scale.upsamples
        for height in scale.heights
    ]
    width, height = scale.person
    call = (
        f"detect_faces, {scale.call_frames} frames of {scale.call_height}p,"
        f" a person of {width} x {height} px in each, upsample 1"
    )
    found += [
        Task("call", "call", call),
        Task("start", "start", "start of the process until its networks are loaded"),
        Task("start-warm", "daemon", "start of the daemon until it answers", {"cold": False}),
        Task("start-cold", "daemon", "the same, with no networks cached", {"cold": True}),
    ]
    found += [
        Task(
            f"memory-up{upsample}",
            "memory",
            f"{scale.memory_calls} calls of recognize, {max(scale.heights)}p, upsample {upsample}",
            {
                "picture": f"frame-{max(scale.heights)}p.png",
                "calls": scale.memory_calls,
                "upsample": upsample,
            },
        )
        for upsample in scale.upsamples
    ]
    return found


def applies(task: Task, contender: Contender, full: bool) -> bool:
    """Decide whether a contender runs a task; dlib skips the slowest one unless `full`."""
    if task.kind in ("daemon", "memory"):
        return contender.name == "ours-1-fp32"
    if task.kind == "start":
        return contender.kind == "dlib" and contender.threads == 1
    return full or contender.kind == "ours" or task.name != "detect-1080p-up1"


def rounds_of(task: Task, contender: Contender, rounds: int, baseline_rounds: int) -> int:
    """Return the number of rounds in which a contender runs a task."""
    if task.kind == "memory":
        return 1
    return rounds if contender.kind == "ours" else min(baseline_rounds, rounds)


def schedule(
    all_tasks: list[Task],
    all_contenders: list[Contender],
    *,
    rounds: int,
    baseline_rounds: int,
    full: bool,
    only: str | None,
) -> Iterator[tuple[int, Task, Contender]]:
    """Yield (round, task, contender); contenders that are compared run side by side, rotating each round.

    Contenders with fewer rounds take part in rounds spread over the whole run.
    """
    for number in range(rounds):
        for task in all_tasks:
            turn = number % len(all_contenders)
            for contender in all_contenders[turn:] + all_contenders[:turn]:
                if only and not re.search(only, f"{task.name} {contender.name}"):
                    continue
                times = rounds_of(task, contender, rounds, baseline_rounds)
                if applies(task, contender, full) and number in {at * rounds // times for at in range(times)}:
                    yield number, task, contender


def _threads(n: int) -> str:
    return f"{n} thread{'s' * (n > 1)}"
