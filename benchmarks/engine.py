"""Compare the speed of the networks with dlib's own, in one run on the same pictures.

    python benchmarks/engine.py                             everything, dlib's wheel once (half an hour)
    python benchmarks/engine.py --baseline ~/blas/bin/python    add a second dlib, such as one built with BLAS
    python benchmarks/engine.py --quick                     a smoke test
    python benchmarks/engine.py --only 'detect-720p'        a part: a pattern on "task contender"

Each measurement runs in its own process; measurements that are compared alternate over several rounds.
Progress goes to stderr. The findings go to --output as JSON. A whole run writes benchmarks/results.json, from
which render.py makes docs/performance.md; a partial run prints to stdout.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import children
import daemon_start
import machine
import plan
import results
from children import Failed, environ

HERE = Path(__file__).resolve().parent
PEAK_SIDE = {False: 4096, True: 512}


def main() -> int:
    args = _arguments()
    scale = plan.QUICK if args.quick else plan.Scale()
    with tempfile.TemporaryDirectory(prefix="face_det-benchmark-") as folder:
        run = Run(args, scale, Path(folder))
        try:
            run.prepare()
            run.measure()
        except Failed as error:
            print(f"benchmark: {error}", file=sys.stderr)
            return 1
    if not args.output:
        print(json.dumps(run.content(), indent=1))
    for failure in run.failed:
        print(f"benchmark: {failure['task']} {failure['contender']}: {failure['why']}", file=sys.stderr)
    return 1 if run.failed else 0


class Run:
    """One run: its contenders, the findings so far, and where they are written."""

    def __init__(self, args: argparse.Namespace, scale: plan.Scale, folder: Path) -> None:
        self.args = args
        self.scale = scale
        self.folder = folder
        self.cache = folder / "cache"
        self.tasks = plan.tasks(scale)
        self.contenders: list[plan.Contender] = []
        self.left_out: list[dict[str, str]] = []
        self.failed: list[dict[str, str]] = []
        self.found = results.Collected()
        self.peaks: list[tuple[float, str]] = []
        self.machine = machine.describe()
        self.about: dict[str, Any] = {}
        self.started = _now()
        self.load = [machine.load()]

    def prepare(self) -> None:
        """Make the pictures and check which contenders are available. Raises Failed."""
        _say("pictures ...")
        command = [sys.executable, HERE / "frames.py", self.folder, json.dumps(asdict(self.scale))]
        children.output(list(map(str, command)), environ(1, self.cache), self.folder)
        for contender in plan.contenders(self.scale, self.args.baseline):
            _say(f"{contender.name} ...")
            try:
                about = self._child(contender, plan.Task("about", "about", ""))["answer"]
            except Failed as error:
                if not contender.optional:
                    raise Failed(f"{contender.name}, run by {contender.python}: {error}") from error
                self.left_out.append({"contender": contender.name, "why": str(error)})
                continue
            self.about[contender.name] = about
            self.contenders.append(replace(contender, label=_label(contender, about)))

    def measure(self) -> None:
        """Measure all rounds and write the output after each one. Raises Failed if nothing matches --only."""
        schedule = list(
            plan.schedule(
                self.tasks,
                self.contenders,
                rounds=self.args.rounds,
                baseline_rounds=self.args.baseline_rounds,
                full=self.args.full,
                only=self.args.only,
            )
        )
        if not schedule:
            raise Failed(f"--only: must match a task and a contender, got {self.args.only!r}")
        for number in range(self.args.rounds):
            self._peak()
            for at, (turn, task, contender) in enumerate(schedule, 1):
                if turn == number:
                    self._one(f"[{at}/{len(schedule)}]", task, contender)
            self.load.append(machine.load())
            if self.args.output:
                results.write(self.args.output, self.content())

    def content(self) -> dict[str, Any]:
        """Return the findings so far, as JSON values."""
        return {
            "started": self.started,
            "finished": _now(),
            "options": {
                key: value for key, value in vars(self.args).items() if key not in ("output", "baseline")
            },
            "scale": asdict(self.scale),
            "machine": self.machine,
            "load": self.load,
            "versions": machine.versions(),
            "peak": {"gflop_s": results.quartiles([speed for speed, _ in self.peaks])}
            | {"blas": sorted({blas for _, blas in self.peaks})},
            "contenders": [
                {"name": one.name, "label": one.label, "kind": one.kind, "threads": one.threads}
                | {"about": self.about[one.name]}
                for one in self.contenders
            ],
            "left_out": self.left_out,
            "failed": self.failed,
            "cases": self.found.cases(self.tasks, self.contenders),
        }

    def _one(self, place: str, task: plan.Task, contender: plan.Contender) -> None:
        try:
            findings = (
                self._daemon(task, contender) if task.kind == "daemon" else self._child(contender, task)
            )
        except Failed as error:
            self.failed.append({"task": task.name, "contender": contender.name, "why": str(error)})
            _say(f"{place} {task.name:20} {contender.name:14} failed: {error}")
            return
        self.found.add(task, contender, findings)
        took = results.quartiles([findings["ready_s"]] if task.kind == "start" else findings["seconds"])
        _say(f"{place} {task.name:20} {contender.name:14} {took['median'] * 1000:10.1f} ms  n={took['n']}")

    def _child(self, contender: plan.Contender, task: plan.Task) -> results.Findings:
        budget_s = 0.0 if task.kind in ("memory", "start", "about") else self.scale.budget_s
        spec = {"kind": task.kind, **task.fields, "settings": contender.settings, "folder": str(self.folder)}
        spec |= {"budget_s": budget_s, "most": self.scale.most}
        around = environ(contender.threads, self.cache)
        return children.findings(contender.python, contender.script, spec, around, self.folder)

    def _peak(self) -> None:
        """Measure the peak of one core once a round, because the machine may be busy at times."""
        spec = {"side": PEAK_SIDE[self.args.quick], "budget_s": max(self.scale.budget_s, 0.2), "most": 30}
        around = environ(1, self.cache)
        found = children.findings(sys.executable, "peak.py", spec, around, self.folder)
        speed, blas = found["answer"]["flop"] / min(found["seconds"]) / 1e9, found["answer"]["blas"]
        self.peaks.append((speed, blas))
        _say(f"one core's peak: {speed:.1f} GFLOP/s, {blas}")

    def _daemon(self, task: plan.Task, contender: plan.Contender) -> results.Findings:
        with tempfile.TemporaryDirectory(dir=self.folder) as empty:
            cache = Path(empty) if task.fields["cold"] else self.cache
            try:
                seconds = daemon_start.measure(
                    cache, contender.settings, environ(contender.threads, self.cache)
                )
            except RuntimeError as error:
                raise Failed(str(error)) from error
        return {"seconds": [seconds], "answer": []}


def _label(contender: plan.Contender, about: dict[str, Any]) -> str:
    """Return a descriptive label: dlib's version and the BLAS it was built with, or our runtimes."""
    if contender.kind == "ours":
        return f"{contender.label} ({'+'.join(dict.fromkeys(about.values()))})"
    wheel = "wheel, " if contender.name == "wheel" else ""
    blas = f"built with {about['blas']}" if about["blas"] else "no BLAS"
    _, comma, threads = contender.label.partition(",")
    return f"dlib {about['dlib']} {wheel}{blas}{comma}{threads}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--baseline", metavar="PYTHON", help="interpreter with a second dlib to compare with")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of face_det")
    parser.add_argument("--baseline-rounds", type=int, default=1, help="rounds in which dlib takes part")
    parser.add_argument(
        "--full", action="store_true", help="include tasks that take dlib more than a minute a picture"
    )
    parser.add_argument("--quick", action="store_true", help="small pictures, one call each: a smoke test")
    parser.add_argument("--only", metavar="PATTERN", help='regular expression on "task contender"')
    parser.add_argument("--output", type=Path, help="file for the findings; a whole run writes results.json")
    args = parser.parse_args()
    if args.baseline and os.sep in args.baseline:
        # Not resolved: a virtual environment's interpreter is a symlink and depends on its own location.
        args.baseline = str(Path(args.baseline).absolute())
    if args.quick:
        args.rounds = 1
    elif not (args.only or args.output):
        args.output = HERE / "results.json"
    if args.rounds < 1 or args.baseline_rounds < 1:
        parser.error("--rounds and --baseline-rounds must be 1 or more")
    return args


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
