"""Puts the tables made from load.json into docs/reliability.md, between two marks.

python benchmarks/render_load.py [benchmarks/load.json] [docs/reliability.md]
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from tables import table

HERE = Path(__file__).resolve().parent
LOAD, PAGE = HERE / "load.json", HERE.parent / "docs" / "reliability.md"
BEGIN, END = "<!-- load: made by benchmarks/render_load.py from load.json -->", "<!-- end of load -->"
FLAT = 0.05
"""The share by which memory may grow and still count as flat."""


def section(content: dict[str, Any]) -> str:
    """Return the marks, with the tables between them."""
    parts = [_load(content["load"])] if "load" in content else []
    parts += [_kill(content["kill"])] if "kill" in content else []
    return f"{BEGIN}\n\n" + "\n".join(parts) + f"\n{END}\n"


def _load(part: dict[str, Any]) -> str:
    rows = [
        (
            one["stage"],
            f"{one['calls']} ({one['calls_per_s']}/s)",
            f"{one['answered']} / {one['refused']} / {one['wrong']} / {sum(one['lost'].values())}",
            f"{one['p50_ms']} / {one['p95_ms']} / {one['p99_ms']}",
            f"{one['queue_depth_most']}",
            f"{one['memory_early_mb']:.0f} -> {one['memory_late_mb']:.0f}{_grown(one)}",
        )
        for one in part["stages"]
    ]
    heads = ("isolation: load", "calls", "answered / `Busy` / wrong / lost", "p50 / p95 / p99 ms")
    fair = part["fairness"]
    alone, beside = fair["alone"], fair["beside"]
    settings, clients = part["settings"], part["stages"][0]["clients"]
    singles = (
        f"p95 is {alone['p95_ms']} ms alone, and {beside['p95_ms']} ms beside another client's batches of"
    )
    answers = f"{beside['answered']} of {beside['calls']} calls were answered"
    slowest = f"the slowest after {beside['most_ms']} ms"
    return f"""\
{clients} zerorpc clients at once on {_where(part)};
`hog` on pictures of 96 px, in batches of 1, 2, 5 and 20; {settings["workers"]} workers and
{settings["queueSize"]} places in the queue. Every answer is compared with the one the picture gets on its
own: it must be complete, in order, and with its own ids. Open-loop calls arrive at random times, whether or
not the previous ones have been answered; a call's time counts from when it was due. 3600 calls are an hour
of an uploader that calls once a second. Memory is that of the daemon and its processes, as the median of a
stage's second quarter and of its last. Node: {part["node"]}.

{table((*heads, "longest queue", "MB, early -> late"), rows)}
With one worker and a client that sends single pictures, {singles} {fair["batch"]}; {answers}, {slowest}.
"""


def _grown(one: dict[str, Any]) -> str:
    # A stage of seconds says nothing about memory.
    if one["seconds"] < 30:
        return ""
    return ", flat" if one["memory_late_mb"] <= one["memory_early_mb"] * (1 + FLAT) else ", **grown**"


def _kill(part: dict[str, Any]) -> str:
    rows = [
        ("calls", f"{part['calls']} of {part['asked_for']} planned, with {part['pictures']} pictures"),
        ("clients", str(part["clients"])),
        ("kill -9 of a process", f"{part['killed']}, of which {part['crashed']} ended the process"),
        ("answered", str(part["answered"])),
        ("lost, or answered with an error", str(sum(part["lost"].values()) + part["refused"])),
        ("answered twice", str(part["answered_twice"])),
        ("wrong", str(part["wrong"])),
        (
            "p50 / p95 / p99 / longest",
            f"{part['p50_ms']} / {part['p95_ms']} / {part['p99_ms']} / {part['most_ms']} ms",
        ),
        ("seconds", f"{part['seconds']:.0f}"),
        ("exit code of the daemon", str(part["exit"])),
    ]
    return f"""\
### kill -9

`isolation: process` on {_where(part)}. The calls are small, so that there can be many: nine
in ten have one picture, and half of the labels show nobody. Every 1 to 3 s one of the processes is
killed. Each call carries ids that must come back.

{table(("", ""), rows)}"""


def _where(part: dict[str, Any]) -> str:
    smoke = ", **a smoke test, whose numbers say nothing**" if part["quick"] else ""
    about = part["machine"]
    return f"{about['usable_cores']} cores ({about['cpu']}; load average {part['load']}){smoke}"


def main() -> None:
    """Read, render, write."""
    given = [Path(argument) for argument in sys.argv[1:3]]
    source, page = given + [LOAD, PAGE][len(given) :]
    text = page.read_text("utf-8")
    made = section(json.loads(source.read_text("utf-8")))
    if BEGIN in text:
        text = re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}\n", lambda _: made, text, flags=re.S)
    else:
        text = text.replace("\n## Load\n", "\n## Load\n\n" + made, 1)
    page.write_text(text, "utf-8")
    print(page)


if __name__ == "__main__":
    main()
