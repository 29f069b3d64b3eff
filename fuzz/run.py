"""Fuzz the readers of untrusted bytes: `python fuzz/run.py [TARGET ...] [--seconds 60]`.

Each target runs in its own process with a memory limit. A finding is any error that is not ours, an input
that takes more than 5 s, a crash, or memory beyond the limit. Findings are kept in fuzz/found/TARGET/;
`python fuzz/run.py TARGET --input FILE` reproduces one. With atheris (libFuzzer) coverage guides the
mutations; if it is not installed, or with --engine own, the seeds are mutated at random.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import child
from targets import TARGETS

FOUND = Path(__file__).resolve().parent / "found"


def main() -> int:
    """Run the targets one after the other; the exit status is 1 if there is a finding."""
    options = parse_arguments()
    if options.child or options.input:
        return child.main(options)
    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        sys.exit(f"unknown target {', '.join(sorted(unknown))}; targets are {', '.join(TARGETS)}")
    engine = options.engine if options.engine != "auto" else ("atheris" if has_atheris() else "own")
    print(f"{'target':14} {'engine':8} {'executions':>11} {'per second':>11} {'MB peak':>8}  found")
    rows = [fuzz_target(name, engine, options) for name in options.targets or TARGETS]
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return int(any(row["found"] for row in rows))


def parse_arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=float, default=60, help="time for each target")
    parser.add_argument("--executions", type=int, default=0, help="stop a target after this many inputs")
    parser.add_argument("--engine", choices=["auto", "atheris", "own"], default="auto")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="also write the table to this file")
    parser.add_argument("--input", type=Path, help="run one target on this file")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def has_atheris() -> bool:
    """Return True if this Python can import atheris."""
    return (
        subprocess.run([sys.executable, "-c", "import atheris"], capture_output=True, check=False).returncode
        == 0
    )


def fuzz_target(name: str, engine: str, options: argparse.Namespace) -> dict[str, Any]:
    """Fuzz one target in its own process and return its row of the table."""
    kept = FOUND / name
    kept.mkdir(parents=True, exist_ok=True)
    current, result = kept / ".current", kept / ".result"
    result.unlink(missing_ok=True)
    command = [
        *(sys.executable, __file__, name, "--child", kept, "--engine", engine, "--seed", options.seed),
        *("--seconds", options.seconds, "--executions", options.executions),
    ]
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            list(map(str, command)),
            capture_output=True,
            timeout=options.seconds + 120,
            env=environ,
            check=False,
        )
        status, said = done.returncode, done.stderr.decode("utf-8", "replace")
    except subprocess.TimeoutExpired as error:
        status, said = -signal.SIGKILL, (error.stderr or b"").decode("utf-8", "replace") + "\nhangs"
    row: dict[str, Any] = {"target": name, "engine": engine, "found": ""}
    row.update(json.loads(result.read_text()) if result.exists() else {"executions": 0, "seconds": 0.0})
    # libFuzzer ends the process itself, before the record is written; it prints its own statistics.
    stats = dict(re.findall(r"stat::(\w+): +(\d+)", said))
    if stats:
        row["executions"], row["seconds"] = int(stats["number_of_executed_units"]), options.seconds
        row["peak_mb"] = int(stats["peak_rss_mb"])
    if status != 0:
        row["found"] = row["found"] or f"exit status {status}"
        if current.exists():
            current.replace(kept / f"ended-{os.getpid()}")
    current.unlink(missing_ok=True)
    rate = row["executions"] / row["seconds"] if row["seconds"] else 0
    print(
        f"{name:14} {engine:8} {row['executions']:11,} {rate:11,.0f} "
        f"{row.get('peak_mb', 0):8,.0f}  {row['found'] or '-'}",
        flush=True,
    )
    if row["found"]:
        print(said[-3000:], file=sys.stderr)
    return row


if __name__ == "__main__":
    sys.exit(main())
