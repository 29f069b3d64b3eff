"""Fuzz the readers of bytes that others wrote: `python fuzz/run.py [TARGET ...] [--seconds 60]`.

Each target runs in a process of its own, under a limit of memory. A finding is any error but ours, an
input that takes more than 5 s, a crash, or memory beyond the limit; it is kept in fuzz/found/TARGET/, and
`python fuzz/run.py TARGET --input FILE` shows it again. With atheris (libFuzzer) mutations are led by
what they reach; where it is not installed, or with --engine own, they are made blindly from the seeds.
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

HERE = Path(__file__).resolve().parent
FOUND = HERE / "found"
PATIENCE_S = 5
MEMORY_MB = 1024
"""What a target may take beyond what its libraries have taken."""


def main() -> int:
    """Run the targets one after the other; the exit status is 1 if something was found."""
    options = arguments()
    sys.path.insert(0, str(HERE))
    if options.child or options.input:
        import child

        return child.main(options)
    from targets import TARGETS

    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        sys.exit(f"unknown target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    engine = options.engine if options.engine != "auto" else ("atheris" if has_atheris() else "own")
    print(f"{'target':14} {'engine':8} {'executions':>11} {'per second':>11} {'MB peak':>8}  found")
    rows = [one(name, engine, options) for name in options.targets or TARGETS]
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return int(any(row["found"] for row in rows))


def arguments() -> Any:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=float, default=60, help="for each target")
    parser.add_argument("--executions", type=int, default=0, help="end a target after so many")
    parser.add_argument("--engine", choices=["auto", "atheris", "own"], default="auto")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the table here, too")
    parser.add_argument("--input", type=Path, help="run one target on this file")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def has_atheris() -> bool:
    """Whether it can be imported by this Python."""
    return (
        subprocess.run([sys.executable, "-c", "import atheris"], capture_output=True, check=False).returncode
        == 0
    )


def one(name: str, engine: str, options: Any) -> dict[str, Any]:
    """Fuzz one target in a process of its own; its row of the table."""
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
    stats = dict(re.findall(r"stat::(\w+): +(\d+)", said))  # libFuzzer's own, which ends the process itself
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
