"""Test the daemon under load: complete and ordered answers, times, refusals, memory, fairness, and kill -9.

python benchmarks/load.py [--quick] [--kill] [--calls N] [--output FILE]
    without --kill: many clients at once, open-loop, below and above the daemon's capacity;
    with --kill: 16 clients, while a process of the daemon is killed every few seconds.
Each writes its own part of benchmarks/load.json and keeps the other; render_load.py makes the tables.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import machine
import zerorpc
from load_calls import NOISE, PERSON, TIMEOUT_S, Calls, closed, mixed, opened, percentiles, pictures, small

HERE = Path(__file__).resolve().parent
OUTPUT = HERE / "load.json"
CLIENTS = 16
WORKERS = 2
QUEUE = 64
KILL_S = (1.0, 3.0)
BATCH = 200
SETTINGS = {
    "faceDetModel": "hog",
    "embedder": "dlib_resnet",
    "numFaceImgUpsample": 0,
    "focusMeasureThreshold": 0,
    "queueSize": QUEUE,
    "workers": WORKERS,
}


class Daemon:
    """`face-det serve` in a temporary folder, with its memory use and its clients."""

    def __init__(self, **settings: Any) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fdload"))
        endpoint = f"ipc://{self.folder}/s"
        config = self.folder / "config.json"
        config.write_text(json.dumps({"faceDetServer": {**SETTINGS, "zerorpcPipe": endpoint, **settings}}))
        self._log = (self.folder / "log").open("w+b")
        command = [sys.executable, "-m", "face_det.cli.main", "serve", "--config", str(config)]
        environ = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(command, stderr=self._log, env=environ)
        self.endpoint = endpoint
        self.paths = pictures(self.folder, _photo())
        while b"ready on" not in (self.folder / "log").read_bytes():
            if self._process.poll() is not None:
                raise SystemExit((self.folder / "log").read_text())
            time.sleep(0.05)
        self._own = self.client()

    def client(self) -> Any:
        """Connect zerorpc's own client."""
        client = zerorpc.Client(timeout=TIMEOUT_S, heartbeat=60)
        client.connect(self.endpoint)
        return client

    def status(self) -> dict[str, Any]:
        """Return the daemon's answer to `status`."""
        found: dict[str, Any] = self._own.status()
        return found

    def memory_mb(self) -> float:
        """Return resident memory of the daemon and its processes."""
        pids = [self._process.pid, *((self.status()["isolation"] or {}).get("pids", ()))]
        return sum(_rss_mb(pid) for pid in pids)

    def end(self) -> int:
        """Stop the daemon as systemd would and return its exit status."""
        self._own.close()
        self._process.terminate()
        status = self._process.wait(60)
        shutil.rmtree(self.folder)
        return status


class Strays(logging.Handler):
    """Counts replies that nobody is waiting for; a call that is answered twice leaves one."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count a log line about an event that cannot be routed, unless it is a late heartbeat."""
        line = record.getMessage()
        self.count += "unable to route" in line and "_zpc_hb" not in line


def watched(daemon: Daemon, work: Callable[[], None]) -> dict[str, Any]:
    """Run the work; return its duration, and the memory and queue depth sampled twice a second."""
    samples: list[tuple[float, int]] = []

    def sample() -> None:
        while True:
            samples.append((daemon.memory_mb(), daemon.status()["queue_depth"]))
            gevent.sleep(0.5)

    sampler = gevent.spawn(sample)
    begun = time.monotonic()
    work()
    seconds = time.monotonic() - begun
    sampler.kill()
    memory = [megabytes for megabytes, _ in samples]
    quarter = max(1, len(memory) // 4)
    return {
        "seconds": round(seconds, 1),
        "queue_depth_most": max((depth for _, depth in samples), default=0),
        "memory_early_mb": round(statistics.median(memory[quarter : 2 * quarter] or memory), 1),
        "memory_late_mb": round(statistics.median(memory[-quarter:]), 1),
    }


def stage(
    daemon: Daemon, name: str, run: Callable[[Calls, list[Any]], None], clients: int = CLIENTS
) -> dict[str, Any]:
    """Put one kind of load on a daemon and count the outcome of every call."""
    calls, made = Calls(daemon.paths), [daemon.client() for _ in range(clients)]
    calls.learn(made[0])
    watch = watched(daemon, lambda: run(calls, made))
    for client in made:
        client.close()
    count = sum(calls.outcomes.values())
    found = {
        "stage": name,
        "clients": clients,
        "calls": count,
        "calls_per_s": round(count / watch["seconds"], 1),
        "pictures": calls.images,
        "answered": calls.outcomes.pop("answered", 0),
        "refused": calls.outcomes.pop("Busy", 0),
        "wrong": calls.outcomes.pop("wrong", 0),
        "lost": dict(calls.outcomes),
        **percentiles(calls.seconds),
        **watch,
    }
    for line in calls.wrong:
        print("wrong:", line, file=sys.stderr)
    print(json.dumps(found), file=sys.stderr)
    return found


def load(quick: bool, count: int) -> dict[str, Any]:
    """Measure full speed, then open-loop load at half and at twice that rate, then fairness."""
    stages = []
    for isolation in ("none", "process"):
        daemon = Daemon(isolation=isolation)
        end = time.monotonic() + (1 if quick else 10)
        top = stage(
            daemon,
            f"{isolation}: as fast as possible",
            lambda calls, clients, end=end: closed(calls, clients, mixed, lambda _: time.monotonic() > end),
        )
        stages.append(top)
        for share, of in ((0.5, count), (2.0, max(50, count // 6))):
            rate = top["calls_per_s"] * share
            stages.append(
                stage(
                    daemon,
                    f"{isolation}: {share:g} of that rate, open-loop",
                    lambda calls, clients, rate=rate, of=of: opened(calls, clients, mixed, rate, of),
                )
            )
        daemon.end()
    return {"stages": stages, "fairness": fairness(quick)}


def fairness(quick: bool) -> dict[str, Any]:
    """Time one client's single pictures, alone and beside another client's batches of 200; one worker."""
    daemon = Daemon(workers=1, callTimeout=0)
    singles = 20 if quick else 200

    def single(calls: Calls, clients: list[Any]) -> None:
        closed(calls, clients, lambda _: [NOISE], lambda begun: begun >= singles)

    alone = stage(daemon, "single pictures alone", single, 1)
    done = [0]

    def batches() -> None:
        calls, client = Calls(daemon.paths), daemon.client()
        calls.learn(client)
        while True:
            assert calls.make(client, "batch", [PERSON] * BATCH) == "answered"
            done[0] += 1

    other = gevent.spawn(batches)
    while daemon.status()["running"] == 0:
        gevent.sleep(0.01)
    beside = stage(daemon, f"single pictures beside batches of {BATCH}", single, 1)
    other.kill()
    daemon.end()
    return {"batch": BATCH, "batches_done": done[0], "alone": alone, "beside": beside}


def kill(quick: bool, count: int, most_s: float) -> dict[str, Any]:
    """Make `count` small calls from 16 clients, or as many as fit in `most_s`, while processes are killed."""
    daemon, strays, dice = Daemon(isolation="process"), Strays(), random.Random(3)
    logging.getLogger("zerorpc.channel").addHandler(strays)
    killed = [0]

    def killer() -> None:
        while True:
            gevent.sleep(dice.uniform(*KILL_S))
            pids = daemon.status()["isolation"]["pids"]
            if pids:
                os.kill(dice.choice(pids), signal.SIGKILL)
                killed[0] += 1

    end = time.monotonic() + most_s
    killing = gevent.spawn(killer)
    found = stage(
        daemon,
        "kill -9",
        lambda calls, clients: closed(
            calls, clients, small, lambda begun: begun >= count or time.monotonic() > end
        ),
    )
    killing.kill()
    status = daemon.status()
    counters = status["counters"]
    found |= {
        "asked_for": count,
        "killed": killed[0],
        "crashed": status["isolation"]["crashed"],
        "answered_twice": strays.count,
        "done_in_daemon": counters["done"],
        "failed_in_daemon": counters["failed"],
        "exit": daemon.end(),
    }
    return found


def _photo() -> Path:
    path = HERE.parent / "scripts" / "photos.py"
    spec = importlib.util.spec_from_file_location("photos", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["photos"] = module
    spec.loader.exec_module(module)
    found: Path = module.photos()["obama2"]
    return found


def _rss_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _node() -> str:
    """What the page says about the Node client."""
    if shutil.which("node") is None:
        return "not tested, because node is not installed"
    done = subprocess.run(["node", "-e", "require('zerorpc')"], capture_output=True, check=False)
    return (
        "not tested" if done.returncode == 0 else "not tested, because its zerorpc package is not installed"
    )


def main() -> None:
    """Measure, write the findings, and print the file's name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke test")
    parser.add_argument("--kill", action="store_true", help="kill -9 the daemon's processes during the load")
    parser.add_argument("--calls", type=int, help="default: 3600, or 100000 with --kill; quick: 60 and 300")
    parser.add_argument("--most", type=float, default=1800, help="seconds that --kill may take (%(default)s)")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    given = parser.parse_args()
    count = given.calls or (
        (300 if given.quick else 100_000) if given.kill else (60 if given.quick else 3600)
    )
    begun = machine.now()
    found = kill(given.quick, count, given.most) if given.kill else load(given.quick, count)
    about = {"machine": machine.describe(), "versions": machine.versions(), "load": machine.load()}
    options = {"quick": given.quick, "settings": SETTINGS, "node": _node()}
    part = {"started": begun, "finished": machine.now(), **about, **options, **found}
    content = json.loads(given.output.read_text("utf-8")) if given.output.exists() else {}
    content["kill" if given.kill else "load"] = part
    given.output.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    print(given.output)


if __name__ == "__main__":
    main()
