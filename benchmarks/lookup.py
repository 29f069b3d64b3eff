"""Time the search for one face among a great many encodings, beside numpy, in one run.

    python benchmarks/lookup.py             a million encodings (a few minutes, 2 GB)
    python benchmarks/lookup.py --quick     a smoke test

Everything runs on one core. In each round each contender is its own process, and the contenders alternate.
Results are checked against all distances in float64. Progress goes to stderr. The findings go to --output as
JSON. A whole run writes benchmarks/lookup.json, from which render.py makes its part of docs/performance.md;
any other run prints to stdout.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import children
import machine
import results
from children import Failed

HERE = Path(__file__).resolve().parent
DATA = ("lifelike", "sphere")
CONTENDERS = ("numpy", "ours")


def main() -> int:
    args = _arguments()
    content: dict[str, Any] = {"started": machine.now(), "load": [machine.load()]}
    found: dict[tuple[str, str], list[results.Findings]] = {}
    failed: list[dict[str, str]] = []
    with tempfile.TemporaryDirectory(prefix="face_det-benchmark-") as folder:
        around = children.environ(1, Path(folder) / "cache")
        for number in range(args.rounds):
            for data in DATA:
                for who in CONTENDERS if number % 2 else CONTENDERS[::-1]:
                    spec = {"data": data, "who": who, "count": args.count, "asked": args.asked}
                    # Checking against all distances is slow: one round is enough.
                    spec["checked"] = args.checked if number == 0 else 1
                    try:
                        findings = children.findings(
                            sys.executable, "nearest_search.py", spec, around, Path(folder)
                        )
                    except Failed as error:
                        failed.append({"data": data, "who": who, "why": str(error)})
                        _say(f"{data:9} {who:6} failed: {error}")
                        continue
                    found.setdefault((data, who), []).append(findings)
                    took = results.quartiles(findings["seconds"])
                    _say(f"{data:9} {who:6} {took['median'] * 1000:8.2f} ms  {findings['answer']}")
    content |= {
        "finished": machine.now(),
        "options": {key: getattr(args, key) for key in ("quick", "rounds", "count", "asked")},
        "machine": machine.describe(),
        "load": [*content["load"], machine.load()],
        "versions": machine.versions(),
        "failed": failed,
        "cases": [_case(data, who, some) for (data, who), some in found.items()],
    }
    if args.output:
        results.write(args.output, content)
    else:
        print(json.dumps(content, indent=1))
    return 1 if failed else 0


def _case(data: str, who: str, found: list[results.Findings]) -> dict[str, Any]:
    first = found[0]["answer"]
    return {
        "data": data,
        "who": who,
        "seconds": results.quartiles([s for one in found for s in one["seconds"]]),
        "processor_s": statistics.median(one["answer"]["processor_s"] for one in found),
        "build_s": results.quartiles([one["answer"]["build_s"] for one in found]),
        "encodings_mb": first["encodings_mb"],
        "more_mb": max(one["answer"]["more_mb"] for one in found),
        "checked": first["checked"],
        "exact": first["exact"],
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--count", type=int, default=1_000_000, help="number of encodings")
    parser.add_argument("--asked", type=int, default=200, help="faces to look up, half of them known")
    parser.add_argument("--checked", type=int, default=40, help="look-ups checked against all distances")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="few encodings, one round: a smoke test")
    parser.add_argument("--output", type=Path, help="file for the findings; a whole run writes lookup.json")
    args = parser.parse_args()
    whole = parser.parse_args([]) == args
    if args.quick:
        # Slightly more than one block of the index.
        args.count, args.rounds, args.asked, args.checked = min(args.count, 70_000), 1, 20, 10
    elif whole:
        args.output = HERE / "lookup.json"
    if min(args.rounds, args.checked) < 1 or args.asked < 2 or args.count < 1000:
        parser.error("--rounds and --checked must be 1 or more, --asked 2 or more, --count 1000 or more")
    return args


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
