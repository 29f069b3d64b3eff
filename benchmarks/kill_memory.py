"""Kill a daemon again and again while it is called: python benchmarks/kill_memory.py [--calls N].

Four clients ask a daemon with a memory about pictures of somebody enrolled, each call in a visit of its own.
Every few seconds the daemon is killed (SIGKILL) and started again. In the end, each call that was answered
`known` must have exactly one event, no call may have two, and the database must have been sound after each
kill. With SIGINT or SIGTERM, it ends early and reports on the calls so far. The daemon is the real one, with
a real model; only its engine returns one face, which was found once, so that a call takes a few milliseconds.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import gevent
import numpy as np
import zerorpc

from face_det.budget import Budget
from face_det.config import load_config
from face_det.engine import EngineOptions, EngineResult, View
from face_det.service import build_service
from face_det.types import Box, Face

REPOSITORY = Path(__file__).parents[1]
CLIENTS = 4
SECONDS = (2.0, 6.0)
"""How long a daemon lives, at least and at most."""
GAP_S = 1000.0
"""Between the times of two calls: more than a visit's gap."""
NAME = "Barack Obama"


class OneFaceEngine:
    """An engine that sees the same face in every picture."""

    runtime = "one face"

    def __init__(self, options: EngineOptions, seen: Any) -> None:
        self.options = options
        self.fingerprint = str(seen["fingerprint"])
        self._face = Face(
            Box(10, 10, 90, 100),
            0.9,
            200.0,
            None,
            seen["encoding"],
            norm=float(seen["norm"]),
            quality=0.99,
            thumbnail=b"\xff\xd8\xff" * 1000,
        )

    def run(self, views: Iterable[View], budget: Budget | None = None) -> EngineResult:
        """Return the face for each view."""
        return EngineResult([(self._face,) for _ in views], 0.0, 0.0)

    def isolation(self) -> None:
        """Return None: there are no processes."""


def serve(config: Path, face: Path) -> None:
    """Run the daemon around the engine; never returns."""
    from face_det.daemon import run_daemon

    seen = np.load(face)
    assembly = importlib.import_module("face_det.service.assembly")
    assembly._engine_builder = lambda config: lambda options: OneFaceEngine(options, seen)  # type: ignore[assignment, return-value]
    run_daemon(
        lambda: load_config(config, {}),
        lambda config, before: build_service(config, before, remember=True),
        os.environ,
    )


def prepare(folder: Path) -> Path:
    """Enrol somebody with the real engine, and keep the face of another photo; return the configuration."""
    spec = importlib.util.spec_from_file_location("photos", REPOSITORY / "scripts" / "photos.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["photos"] = module
    spec.loader.exec_module(module)
    photos = module.photos()
    config = folder / "config.json"
    settings = {"zerorpcPipe": f"ipc://{folder}/s", "sightings": {"keepDays": 36_500}, "logLevel": "error"}
    config.write_text(json.dumps({"faceDetServer": settings}))
    service = build_service(load_config(config, {}))
    service.add_face(NAME, str(photos["obama"]))
    engine = service._recognizer.engine
    from face_det.media import load_image

    rgb = load_image(photos["obama2"])
    (face,) = engine.faces([(rgb, None)])[0][:1]
    np.savez(folder / "face.npz", encoding=face.encoding, norm=face.norm, fingerprint=engine.fingerprint)
    from PIL import Image

    Image.fromarray(rgb).resize((100, 110)).save(folder / "picture.jpg")
    return config


class Soak:
    """The clients, and what they were answered."""

    def __init__(self, folder: Path, calls: int) -> None:
        self.folder = folder
        self.calls = calls
        self.asked = 0
        self.answered: set[int] = set()
        self.kills = 0
        self._start = time.time() - GAP_S * calls

    def stop(self) -> None:
        """Make no more calls."""
        self.calls = min(self.calls, self.asked)

    def call(self) -> None:
        """Call until all calls are made, or the daemon is gone."""
        client = zerorpc.Client(timeout=60, heartbeat=None)
        client.connect(f"ipc://{self.folder}/s")
        try:
            while self.asked < self.calls:
                self.asked += 1
                number = self.asked
                options = {
                    "camera": f"c{number % 20}",
                    "frame": str(number),
                    "time": self._start + GAP_S * number,
                }
                (face,) = client.recognize(str(self.folder / "picture.jpg"), options)
                if face["face"] == NAME:
                    self.answered.add(number)
        finally:
            client.close()

    def run(self) -> None:
        """Start and kill daemons until all calls are made; let the last one end in peace."""
        me = [sys.executable, __file__, "--serve", str(self.folder)]
        for number in (signal.SIGINT, signal.SIGTERM):
            gevent.signal_handler(number, self.stop)
        while True:
            # Out of the terminal's group: Ctrl-C is for this process.
            daemon = subprocess.Popen(me, start_new_session=True)
            while not (self.folder / "s").exists():
                gevent.sleep(0.05)
            workers = [gevent.spawn(self.call) for _ in range(CLIENTS)]
            gevent.joinall(workers, timeout=random.uniform(*SECONDS))
            if self.asked >= self.calls and all(worker.ready() for worker in workers):
                daemon.send_signal(signal.SIGTERM)
                daemon.wait()
                return
            daemon.kill()
            daemon.wait()
            gevent.killall(workers)
            (self.folder / "s").unlink(missing_ok=True)
            self.kills += 1
            self.check_sound()
            if self.kills % 10 == 0:
                self.report("not yet stored")

    def check_sound(self) -> None:
        """Fail if the database is not sound."""
        connection = sqlite3.connect(self.folder / "state" / "sightings.sqlite")
        found = connection.execute("PRAGMA quick_check").fetchone()[0]
        connection.close()
        if found != "ok":
            raise SystemExit(f"after kill {self.kills}: {found}")

    def report(self, missing: str = "lost") -> bool:
        """Print what was found; return whether nothing was lost, and nothing twice.

        While no daemon runs, what was answered last may still wait in the spool: then `missing` says so.
        """
        connection = sqlite3.connect(self.folder / "state" / "sightings.sqlite")
        told = Counter(
            int(frame)
            for (frame,) in connection.execute(
                "SELECT frame FROM event JOIN sighting ON sighting.id = event.sighting"
                " WHERE event.type = 'seen' AND event.outcome = 'known'"
            )
        )
        sightings = Counter(int(frame) for (frame,) in connection.execute("SELECT frame FROM sighting"))
        lost, twice = self.answered - {*told}, [frame for frame, count in told.items() if count > 1]
        repeated = [frame for frame, count in sightings.items() if count > 1]
        print(
            f"{self.asked} calls, {len(self.answered)} answered, {self.kills} kills; events {missing}: "
            f"{len(lost)}, twice: {len(twice)}; sightings twice: {len(repeated)}; database sound every time",
            flush=True,
        )
        return not (lost or twice or repeated)


def main() -> None:
    """Run the soak, or the daemon for it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=100_000, metavar="N")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve is not None:
        serve(given.serve / "config.json", given.serve / "face.npz")
        return
    with tempfile.TemporaryDirectory(prefix="km") as name:
        prepare(Path(name))
        soak = Soak(Path(name), given.calls)
        soak.run()
        if not soak.report():
            raise SystemExit(1)


if __name__ == "__main__":
    main()
