"""Makes docs/performance.md from the results of engine.py, training.py and lookup.py.

`make bench` runs all four:

python benchmarks/render.py [benchmarks/results.json] [docs/performance.md]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import recognition_tables
from plan import PLAIN
from tables import cell as _cell
from tables import table as _table
from targets import OURS, TARGETS, Run, Target

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
TRAINING, LOOKUP = HERE / "training.json", HERE / "lookup.json"
PAGE = HERE.parent / "docs" / "performance.md"

TOP = """\
# Performance

<!-- Made by `make bench` from results.json, training.json and lookup.json in benchmarks/; to change it, edit
benchmarks/render.py. -->

This page compares dlib's two networks as this project runs them with the same networks as dlib runs
them. Both are measured in one run, on the same pictures, taking turns, each measurement in a process of
its own. Training and look-up follow, compared in the same way. `make bench` measures again;
`make bench ARGS="--baseline PYTHON"` adds a second dlib, the one installed for that interpreter. Times
depend on the machine, so a ratio means something only together with its baseline.
"""

VERDICTS = {True: "met", False: "**not met**", None: ""}

SMOKE = """
**A smoke test: small pictures, one call each. These numbers mean nothing.**
"""

NOTES = """
Networks are loaded and pictures decoded before the clock starts. The whole call is the exception: it
reads its files, this project's `detect_faces` each file once, the original's loop each file once per
label. Nobody is enrolled, so neither side classifies, and no face is rejected as too blurry, so both
encode the same faces. A process makes one call to warm up, then up to {most} calls within {budget_s:g} s; if
the first call alone takes that long, it counts.
"""


def page(content: dict[str, Any], training: dict[str, Any], lookup: dict[str, Any]) -> str:
    """Return the whole page, made from the three sets of results."""
    run = Run(content)
    smoke = SMOKE if any(one["options"]["quick"] for one in (content, training, lookup)) else ""
    more = list(recognition_tables.targets(training, lookup))
    sections = (_targets(run, more), _ratios(run), _times(run), _answers(run), _peak(run), _memory(run))
    recognition = recognition_tables.training_part(training) + recognition_tables.lookup_part(lookup)
    return TOP + smoke + "".join(sections) + _machine(run) + recognition


def _targets(run: Run, more: list[tuple[str, str, str, bool | None]]) -> str:
    """Return the targets, and an honest list of those that were missed."""
    targets = [(one.said(run), one.wanted(), _measured(one, run), one.met(run)) for one in TARGETS] + more
    rows = [(label, wanted, measured, VERDICTS[met]) for label, wanted, measured, met in targets]
    short = [
        f"- {label}: {measured}, should be {wanted}."
        for label, wanted, measured, met in targets
        if met is False
    ]
    unknown = [
        f"- {label}: {measured}, should be {wanted}."
        for label, wanted, measured, met in targets
        if met is None
    ]
    unknown += [f"- {one['contender']} was left out: {_cell(one['why'])}" for one in run.content["left_out"]]
    unknown += [
        f"- {one['task']}, {one['contender']} failed: {_cell(one['why'])}" for one in run.content["failed"]
    ]
    text = "\n## Targets\n\nOne thread, fp32 and medians, unless stated otherwise.\n\n"
    text += _table(("", "target", "measured", ""), rows)
    text += (
        "\n### What falls short\n\n" + ("\n".join(short) or "Nothing that was measured falls short.") + "\n"
    )
    return text + "\n### What was not measured\n\n" + ("\n".join(unknown) or "Nothing.") + "\n"


def _measured(target: Target, run: Run) -> str:
    value = target.value(run)
    if value is None:
        return "not measured"
    return f"{value:.3g} {target.unit}" + f", without {target.needs}" * target.lacks(run)


def _ratios(run: Run) -> str:
    """Return how many times faster, with the baseline above each column."""
    contenders = run.content["contenders"]
    pairs = [
        (ours, other)
        for other in contenders
        for ours in contenders
        if (ours["kind"], other["kind"]) == ("ours", "dlib")
        # The wheel has no threads; a dlib with BLAS is compared thread for thread.
        and (other["name"] == "wheel" or other["threads"] == ours["threads"])
    ]
    named = {one["name"]: one for one in contenders}
    if {OURS, PLAIN} <= set(named):
        pairs.append((named[OURS], named[PLAIN]))
    heads = [f"{ours['label']} against {other['label']}" for ours, other in pairs]
    rows = []
    for task, label in _tasks(run, ("embed", "face", "jitters", "detect", "call")):
        ratios = [run.ratio(task, ours["name"], other["name"]) for ours, other in pairs]
        rows.append((label, *("" if ratio is None else f"{ratio:.1f} x" for ratio in ratios)))
    return "\n## How many times faster\n\n" + _table(("", *heads), rows)


def _times(run: Run) -> str:
    """Return medians and quartiles of all tasks."""
    contenders = run.content["contenders"]
    rows = []
    for task, label in _tasks(run, ("embed", "face", "jitters", "detect", "call", "start", "daemon")):
        cases = [run.case(task, one["name"]) for one in contenders]
        rows.append((label, *("" if case is None else _spread(case["seconds"]) for case in cases)))
    text = "\n## Times\n\nIn milliseconds: the median and, in brackets, the quartiles of all calls.\n"
    return (
        text
        + NOTES.format_map(run.content["scale"])
        + "\n"
        + _table(("", *(one["label"] for one in contenders)), rows)
    )


def _answers(run: Run) -> str:
    """Return the table that shows whether all contenders gave the same answers."""
    rows = []
    for one in run.content["contenders"]:
        cases = [
            case for case in run.content["cases"] if case["contender"] == one["name"] and "against" in case
        ]
        boxes = [case["against"]["equal"] for case in cases if "equal" in case["against"]]
        plain, drawn = (
            [
                case["against"]["l2_max"]
                for case in cases
                if "l2_max" in case["against"] and (case["kind"] == "jitters") is jittered
            ]
            for jittered in (False, True)
        )
        if cases:
            rows.append(
                (
                    one["label"],
                    f"{sum(boxes)} of {len(boxes)}",
                    *(f"{max(some):.1e}" if some else "" for some in (plain, drawn)),
                    cases[0]["against"]["contender"],
                )
            )
    heads = (
        "",
        "tasks with equal boxes",
        "largest distance (L2) of an encoding",
        "the same with jitters",
        "compared with",
    )
    note = (
        "\nJitters are random, and each process has drawn different ones by the time it is compared, so\n"
        "dlib is as far from dlib. A new process that draws the same jitters gets the same encoding, to\n"
        "1e-5; a test checks that.\n"
    )
    return "\n## The same answers\n\n" + _table(heads, rows) + note


def _peak(run: Run) -> str:
    """Return how close the networks come to what the cores can do."""
    peak = run.content["peak"]
    rows = []
    for case in run.content["cases"]:
        for name in case.get("networks", {}) if case["kind"] in ("detect", "embed") else ():
            share = run.share(case["task"], case["contender"], name)
            network = case["networks"][name]
            label = next(c["label"] for c in run.content["contenders"] if c["name"] == case["contender"])
            cells = (f"{network['gflop_s']:.0f}", f"{share or 0:.0%}", f"{network['useful']:.0%}")
            rows.append((case["label"], label, *cells))
    text = f"""
## Share of the peak

One core multiplies float32 matrices at {peak["gflop_s"]["median"]:.0f} GFLOP/s at most (numpy,
{", ".join(peak["blas"])}, one thread; the best product of each round, then the median of the rounds). The
networks' operations are counted from their graphs. Some are on weights of zero that only fill up vectors;
they cost the processor time but do nothing for us, so the last column shows the share of useful ones. The
count follows the definition of a convolution, however it is computed. So a share can exceed 100 %: with
Winograd's filtering our own kernels (`native`) do 16 to 36 % of the multiplications that are counted, and
bf16 has a different peak.

"""
    heads = ("", "by", "GFLOP/s inside the network", "share of the cores' peak", "useful operations")
    return text + _table(heads, rows)


def _memory(run: Run) -> str:
    """Return peak memory of each contender, and what one process holds in the long run."""
    contenders = run.content["contenders"]
    rows = []
    for task, label in _tasks(run, ("embed", "face", "jitters", "detect", "call")):
        cases = [run.case(task, one["name"]) for one in contenders]
        rows.append((label, *("" if case is None else f"{case['peak_mb']:.0f}" for case in cases)))
    text = "\n## Memory\n\nPeak memory of a process, in MB.\n\n"
    text += _table(("", *(one["label"] for one in contenders)), rows)
    held = [
        (case["label"], *(f"{case['memory'][key]:.0f}" for key in ("early_mb", "late_mb", "most_mb")))
        for case in run.content["cases"]
        if case["kind"] == "memory"
    ]
    text += "\nMemory held by one process after each of many calls, in MB; medians for the quarters.\n\n"
    return text + _table(("", "second quarter", "last quarter", "after any call"), held)


def _machine(run: Run) -> str:
    content = run.content
    about, load = content["machine"], content["load"]
    versions = ", ".join(f"{name} {version}" for name, version in content["versions"].items())
    rows = [
        ("processor", f"{about['cpu']}, {about['usable_cores']} of {about['cores']} cores"),
        ("features", ", ".join(about["flags"])),
        ("memory", f"{about['memory_gb']} GB"),
        ("system", about["system"]),
        ("versions", versions),
        *((f"`{one['name']}`", one["label"]) for one in content["contenders"]),
        ("run", f"{content['started']} to {content['finished']}"),
        (
            "rounds",
            f"{content['options']['rounds']}, with dlib in {content['options']['baseline_rounds']} of them",
        ),
        ("load", f"{load[0]} before, {max(load)} at most (the benchmark itself makes 1 to 2)"),
    ]
    return "\n## Machine\n\n" + _table(("", ""), rows)


def _tasks(run: Run, kinds: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the (name, label) of each task that at least one contender ran, in order."""
    return list(
        {case["task"]: case["label"] for case in run.content["cases"] if case["kind"] in kinds}.items()
    )


def _spread(seconds: dict[str, float]) -> str:
    median, q1, q3 = (_ms(seconds[key]) for key in ("median", "q1", "q3"))
    return median if seconds["n"] == 1 else f"{median} ({q1} to {q3})"


def _ms(seconds: float) -> str:
    ms = seconds * 1000
    return f"{ms:.0f}" if ms >= 100 else f"{ms:.3g}"


def main() -> None:
    """Read, render, write."""
    given = [Path(argument) for argument in sys.argv[1:3]]
    source, target = given + [RESULTS, PAGE][len(given) :]
    found = [json.loads(path.read_text("utf-8")) for path in (source, TRAINING, LOOKUP)]
    target.write_text(page(*found), "utf-8")
    print(target)


if __name__ == "__main__":
    main()
