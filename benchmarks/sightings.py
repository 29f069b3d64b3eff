"""Measure the memory of who was seen: python benchmarks/sightings.py [--count N] [--calls N PHOTOS].

The first part fills a store with N made-up sightings (1,000,000 by default) of 20,000 people at ten cameras,
half of them enrolled, and asks it: a page of 50 by camera and time, unknowns(), and one more sighting with
its clustering. Targets: 20 ms each, and 2 kB a sighting without pictures.

The second part asks a service about photos in turn with and without a memory, in one process, and compares
the medians and the 99th percentiles. Targets: 3 % and 10 % slower at most.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import machine
import numpy as np

from face_det.config import Config, Sightings
from face_det.service import Service, build_service
from face_det.sightings import (
    SYSTEM_CLOCKS,
    MemoryOptions,
    SeenFace,
    SeenPicture,
    SightingQuery,
    SightingStore,
    find_sightings,
    find_unknowns,
)
from face_det.types import Box, Outcome

PEOPLE = 20_000
CAMERAS = 10
ROUND = 2000
TIMES = 50
KEEP_ALL = MemoryOptions(keep_days=1e6, max_count=10**9, max_mb=1e9, unknown_keep_days=1e6)


def made_up(count: int, start: float) -> Iterator[SeenPicture]:
    """Yield pictures of one face each, two seconds apart."""
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(PEOPLE, 128))
    for number in range(count):
        who = int(rng.integers(PEOPLE))
        known = who < PEOPLE // 2
        encoding = centres[who] / np.linalg.norm(centres[who]) + rng.normal(size=128) * 0.05
        face = SeenFace(
            box=Box(500, 200, 580, 290),
            score=0.9,
            outcome=Outcome.KNOWN if known else Outcome.UNKNOWN,
            name=f"person {who}" if known else None,
            probability=0.99,
            reason=None,
            quality=0.95,
            norm=12.5,
            encoding=np.asarray(encoding / np.linalg.norm(encoding), np.float32),
            thumbnail=None,
        )
        camera = f"camera {number % CAMERAS}"
        yield SeenPicture(start + 2.0 * number, camera, "uid 33", f"/events/{number}.jpg", "sface:1", (face,))


def median_ms(ask: Callable[[], object]) -> str:
    """Return the median and the largest of some times, in ms, as text."""
    spans = []
    for _ in range(TIMES):
        start = time.perf_counter()
        ask()
        spans.append((time.perf_counter() - start) * 1000)
    return f"{statistics.median(spans):.2f} ms (at most {max(spans):.2f})"


def measure_store(count: int, folder: Path) -> None:
    """Fill a store and print how quickly it answers."""
    store = SightingStore(folder, KEEP_ALL, SYSTEM_CLOCKS)
    store.open()
    start = time.time() - 2.0 * count
    pictures = made_up(count + 2 * TIMES, start)
    begun = time.process_time()
    for number, seen in enumerate(itertools.islice(pictures, count), 1):
        store.record(seen)
        if number % ROUND == 0:
            # The spool refuses what nobody has read for too long.
            store.flush()
        if number % (50 * ROUND) == 0:
            memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            print(f"{number} sightings, {memory_mb} MB of memory", file=sys.stderr, flush=True)
    store.flush()
    print(
        f"recording: {(time.process_time() - begun) / count * 1000:.2f} ms of CPU each, clustering included"
    )
    queries = {
        "page by camera and time": SightingQuery(
            camera="camera 3", since=start + count, until=start + 2 * count
        ),
        "page by camera and name": SightingQuery(camera="camera 3", name="person 7"),
        "page by outcome": SightingQuery(outcome="uncertain"),
        "page of one unknown person": SightingQuery(unknown=7),
    }
    for what, query in queries.items():
        print(f"{what}: {median_ms(lambda query=query: store.read(lambda db: find_sightings(db, query)))}")
    print(f"unknowns(): {median_ms(lambda: store.read(find_unknowns))}")

    def insert() -> None:
        store.record(next(pictures))
        store.flush()

    print(f"one more sighting, until it is committed: {median_ms(insert)}")
    store.close()
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{size / count:.0f} bytes a sighting")


def measure_calls(photos: Path, calls: int, folder: Path) -> None:
    """Ask two services, with and without a memory, about the same photos in turn, and print the ratio."""
    paths = sorted(photos.rglob("*.jpg"))[:50]
    services = [_service(folder / "off", None), _service(folder / "on", Sightings())]
    whole = {"ymin": 0, "xmin": 0, "ymax": 1e5, "xmax": 1e5}
    spans: list[list[float]] = [[], []]
    for number in range(calls):
        path = paths[number % len(paths)]
        images = [{"image": str(path), "labels": [{"name": "person", "box": whole}]}]
        for which in (0, 1) if number % 2 else (1, 0):
            start = time.perf_counter()
            services[which].detect_faces(images)
            spans[which].append((time.perf_counter() - start) * 1000)
    for service in services:
        if service.memory is not None:
            print(json.dumps(service.memory.store.status()))
            service.memory.store.close()
    off, on = (np.array(one) for one in spans)
    print(f"median {np.median(off):.2f} -> {np.median(on):.2f} ms: {np.median(on / off) - 1:+.1%} in pairs")
    print(f"p99 {np.percentile(off, 99):.2f} -> {np.percentile(on, 99):.2f} ms")


def _service(folder: Path, sightings: Sightings | None) -> Service:
    folder.mkdir()
    names = ("model", "labels", "encodings", "dataset", "state")
    places: dict[str, Any] = {
        "model_path": folder / names[0],
        "label_path": folder / names[1],
        "encodings_path": folder / names[2],
        "dataset_path": folder / names[3],
        "state_path": folder / names[4],
    }
    return build_service(Config(**places, sightings=sightings), remember=True)


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1_000_000, metavar="N", help="sightings; 0: none")
    parser.add_argument("--calls", type=int, default=400, metavar="N", help="calls with and without a memory")
    parser.add_argument("photos", type=Path, nargs="?", help="a folder of photos to ask about")
    given = parser.parse_args()
    print(json.dumps(machine.describe()))
    with tempfile.TemporaryDirectory() as name:
        if given.count:
            measure_store(given.count, Path(name) / "store")
        if given.photos is not None:
            measure_calls(given.photos, given.calls, Path(name))


if __name__ == "__main__":
    main()
