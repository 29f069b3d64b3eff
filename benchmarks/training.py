"""Time training beside the original's searches, in one run on the same encodings and folds.

    python benchmarks/training.py                       everything (half an hour)
    python benchmarks/training.py --quick               a smoke test
    python benchmarks/training.py --encodings FILE      on your own file, as `face-det encode` writes it

Each training is its own process, with one thread for each of --jobs; ours and the original's alternate.
Progress goes to stderr. The findings go to --output as JSON. A whole run writes benchmarks/training.json,
from which render.py makes its part of docs/performance.md; any other run prints to stdout.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import children
import machine
import results
from children import Failed

HERE = Path(__file__).resolve().parent
PHOTOS = 4960
"""The number of photos that the original's authors had, in five classes."""
MANY, CROWD = 100_000, 10_000
"""Numbers of photos and people for the recipes that do not search."""


@dataclass(frozen=True)
class Training:
    """One training: the kind, whose code, and the numbers of photos and people (0: the household)."""

    kind: str
    who: str
    photos: int
    people: int = 0


def main() -> int:
    args = _arguments()
    schedule = _schedule(args)
    found: dict[Training, list[results.Findings]] = {}
    failed: list[dict[str, str]] = []
    content: dict[str, Any] = {"started": machine.now(), "load": [machine.load()]}
    with tempfile.TemporaryDirectory(prefix="face_det-benchmark-") as folder:
        for at, training in enumerate(schedule, 1):
            place = f"[{at}/{len(schedule)}] {training.kind:9} {training.who:9}"
            try:
                findings = _measured(training, args, Path(folder))
            except Failed as error:
                failed.append({"kind": training.kind, "who": training.who, "why": str(error)})
                _say(f"{place} failed: {error}")
                continue
            found.setdefault(training, []).append(findings)
            answer = findings["answer"]
            _say(
                f"{place} {findings['seconds'][0]:9.2f} s, of processors {answer['processor_s']:9.2f} s, "
                f"accuracy {answer['accuracy']}"
            )
    content |= {
        "finished": machine.now(),
        "options": {
            "quick": args.quick,
            "rounds": args.rounds,
            "jobs": args.jobs,
            "own": bool(args.encodings),
        },
        "machine": machine.describe(),
        "load": [*content["load"], machine.load()],
        "versions": machine.versions(),
        "failed": failed,
        "cases": [_case(training, some) for training, some in found.items()],
    }
    if args.output:
        results.write(args.output, content)
    else:
        print(json.dumps(content, indent=1))
    _say(table(content))
    return 1 if failed else 0


def table(content: dict[str, Any]) -> str:
    """Render a line for each search: the seconds of both, the ratio, the accuracies."""
    lines = []
    for kind in ("svm", "xgb"):
        mine, theirs = (case(content, kind, who) for who in ("ours", "original"))
        if mine and theirs:
            took, other = mine["seconds"]["median"], theirs["seconds"]["median"]
            lines.append(
                f"{kind}: {other:.1f} s -> {took:.1f} s, {other / took:.1f} x; "
                f"accuracy {theirs['accuracy']:.4f} -> {mine['accuracy']:.4f}"
            )
    return "\n".join(lines)


def case(content: dict[str, Any], kind: str, who: str) -> dict[str, Any] | None:
    """Return one case, or None if it was not measured."""
    return next((one for one in content["cases"] if (one["kind"], one["who"]) == (kind, who)), None)


def _schedule(args: argparse.Namespace) -> list[Training]:
    """Schedule the original once, between two rounds of ours, and the quick recipes at the end."""
    schedule = []
    for number in range(args.rounds):
        for kind in args.kinds:
            schedule.append(Training(kind, "ours", args.photos))
            if number == (args.rounds - 1) // 2:
                schedule.append(Training(kind, "original", args.photos))
    if not args.encodings:
        many, crowd = (2000, 200) if args.quick else (MANY, CROWD)
        schedule += [Training(kind, "ours", many, crowd) for kind in args.at_once for _ in range(args.rounds)]
    return schedule


def _measured(training: Training, args: argparse.Namespace, folder: Path) -> results.Findings:
    spec = {
        "kind": training.kind,
        "who": training.who,
        "photos": training.photos,
        "people": training.people,
        "jobs": args.jobs,
        "encodings": args.encodings and str(args.encodings.resolve()),
        "quick": args.quick,
        "accuracy": not training.people,
    }
    around = children.environ(1, folder / "cache")
    return children.findings(sys.executable, "classifier_search.py", spec, around, folder)


def _case(training: Training, found: list[results.Findings]) -> dict[str, Any]:
    return {
        "kind": training.kind,
        "who": training.who,
        **found[-1]["answer"],
        "processor_s": statistics.median(one["answer"]["processor_s"] for one in found),
        "seconds": results.quartiles([one["seconds"][0] for one in found]),
        "peak_mb": max(one["peak_mb"] for one in found),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    parser.add_argument("--photos", type=int, default=PHOTOS, help="number of random encodings")
    parser.add_argument("--encodings", type=Path, help="a file of encodings, instead of random ones")
    parser.add_argument("--jobs", type=int, default=cores, help="cores for each training")
    parser.add_argument(
        "--rounds", type=int, default=2, help="rounds of face_det; the original takes part in one"
    )
    parser.add_argument("--kinds", nargs="*", default=["svm", "xgb"], help="classifiers to search for")
    parser.add_argument(
        "--at-once", nargs="*", default=["nearest", "template"], help="recipes that do not search"
    )
    parser.add_argument("--quick", action="store_true", help="few photos and candidates: a smoke test")
    parser.add_argument("--output", type=Path, help="file for the findings; a whole run writes training.json")
    args = parser.parse_args()
    if args.quick:
        args.photos, args.rounds = min(args.photos, 100), 1
    elif not args.output and parser.parse_args([]) == args:
        args.output = HERE / "training.json"
    if min(args.rounds, args.jobs) < 1 or args.photos < 50:
        parser.error("--rounds and --jobs must be 1 or more, --photos 50 or more")
    return args


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
