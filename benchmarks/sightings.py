"""Measure the memory of who was seen: python benchmarks/sightings.py [--count N] [--calls N PHOTOS].

The first part fills a store with N made-up sightings (1,000,000 by default) at ten cameras, nine of ten of
them of 1,000 people who are enrolled, the others of 30,000 people who are not. It asks the store: a page of
50 by camera and time, unknowns(), one more known and one more unknown face with its clustering, and the first
of each after a start. Targets: 20 ms each, and 2 kB a sighting without pictures. With --keep FOLDER the store
stays there, and filling goes on where it was stopped. --crowd N measures one face more among N unknown
people.

The second part asks a service about photos in turn with and without a memory, in one process, and compares
the medians and the 99th percentiles. Targets: 3 % and 10 % slower at most.
"""

from __future__ import annotations

import argparse
import functools
import json
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
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
from face_det.training import CLUSTER_PARAMETERS, load_mean_face
from face_det.types import Box, Outcome

ENROLLED, STRANGERS = 1_000, 30_000
KNOWN_SHARE = 0.9
"""The share of sightings that are of somebody enrolled."""
CAMERAS = 10
ROUND = 2000
TIMES = 200
SPREAD = 0.055
"""Two encodings of a person have a cosine of .72 around the mean face, as clear photos of one have."""
MEAN_FACE = np.array(load_mean_face("sface"))
"""What all encodings have in common."""
KEEP_ALL = MemoryOptions(keep_days=1e6, max_count=10**9, max_mb=1e9, unknown_keep_days=1e6)


@dataclass(frozen=True, eq=False)
class People:
    """Made-up people: `enrolled` of them have names, the others are strangers."""

    directions: np.ndarray
    enrolled: int

    @classmethod
    def make_up(cls, enrolled: int, strangers: int) -> People:
        """Return people in all directions, float32 of length 1, shape (people, 128)."""
        found = np.random.default_rng(1).normal(size=(enrolled + strangers, 128))
        found /= np.linalg.norm(found, axis=1, keepdims=True)
        return cls(found.astype(np.float32), enrolled)

    def see(self, number: int, known: bool | None, start: float) -> SeenPicture:
        """Return the picture of that number, with one face; pictures are two seconds apart.

        It depends on nothing but the number, so that filling can go on after a stop. Whether the face is
        somebody's who is known is drawn, too, if `known` is None.
        """
        draws, noise = _draw(number // ROUND)
        share, enrolled, stranger, quality = draws[number % ROUND].tolist()
        if known is None:
            known = share < KNOWN_SHARE
        strangers = len(self.directions) - self.enrolled
        who = int(enrolled * self.enrolled) if known else self.enrolled + int(stranger * strangers)
        encoding = self.directions[who] + noise[number % ROUND]
        encoding = MEAN_FACE + encoding * (1 - MEAN_FACE @ MEAN_FACE) ** 0.5 / np.linalg.norm(encoding)
        face = SeenFace(
            box=Box(500, 200, 580, 290),
            score=0.9,
            outcome=Outcome.KNOWN if known else Outcome.UNKNOWN,
            name=f"person {who}" if known else None,
            probability=0.99,
            reason=None,
            quality=0.85 + 0.15 * quality,
            norm=12.5,
            encoding=np.asarray(encoding, np.float32),
            thumbnail=None,
        )
        camera = f"camera {number % CAMERAS}"
        return SeenPicture(
            start + 2.0 * number, camera, "uid 33", f"/events/{number}.jpg", "sface:1", (face,)
        )


@functools.lru_cache(maxsize=1)
def _draw(block: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw for ROUND pictures four numbers in 0..1 each, and how the face differs from its person's mean."""
    rng = np.random.default_rng([2, block])
    return rng.random((ROUND, 4)), rng.normal(size=(ROUND, 128)) * SPREAD


class Pictures:
    """Pictures one after the other, from that number on."""

    def __init__(self, people: People, first: int, start: float) -> None:
        self._people, self._start, self.number = people, start, first

    def next(self, known: bool | None = None) -> SeenPicture:
        """Return the next picture; of somebody known or not as given or, by default, at random."""
        self.number += 1
        return self._people.see(self.number, known, self._start)


def open_store(folder: Path) -> SightingStore:
    """Open a store, and wait until it is."""
    store = SightingStore(folder, KEEP_ALL, SYSTEM_CLOCKS)
    store.open()
    flush(store)
    return store


def flush(store: SightingStore) -> None:
    """Wait until everything is recorded, however busy the machine is."""
    store.write(lambda connection: None, timeout_s=3600)


def spans_ms(ask: Callable[[], object], times: int = TIMES) -> str:
    """Return how long something takes and how much of the processor, over all threads, as text."""
    spans, busy = [], []
    for _ in range(times):
        start, started = time.perf_counter(), time.process_time()
        ask()
        busy.append((time.process_time() - started) * 1000)
        spans.append((time.perf_counter() - start) * 1000)
    wall, cpu = (
        f"median {np.median(each):.2f}, 99th percentile {np.percentile(each, 99):.2f}"
        for each in (spans, busy)
    )
    return f"{wall} ms; of CPU {cpu} ms"


def memory_mb() -> int:
    """Return how much memory the process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 2**20


def fill(store: SightingStore, pictures: Pictures, count: int) -> None:
    """Record pictures until there are so many, and print how it goes."""
    begun, first = time.process_time(), pictures.number
    while pictures.number < count:
        store.record(pictures.next())
        if pictures.number % ROUND == 0:
            # The spool refuses what nobody has read for too long.
            flush(store)
        if pictures.number % (10 * ROUND) == 0:
            each_ms = (time.process_time() - begun) / (pictures.number - first) * 1000
            print(
                f"{pictures.number} sightings, {memory_mb()} MB of memory, {each_ms:.2f} ms of CPU each, "
                f"{stored_bytes(store.folder) / pictures.number:.0f} bytes each",
                file=sys.stderr,
                flush=True,
            )
    flush(store)


def stored_bytes(folder: Path) -> int:
    """Return the size of the store's files."""
    return sum(path.stat().st_size for path in folder.iterdir())


def measure_store(count: int, folder: Path) -> None:
    """Fill a store and print how quickly it answers."""
    folder.mkdir(parents=True, exist_ok=True)
    store = open_store(folder)
    first, oldest = store.read(
        lambda db: db.execute("SELECT ifnull(max(shot), 0), min(time) FROM sighting").fetchone()
    )
    start = time.time() - 2.0 * count if oldest is None else oldest - 2.0
    pictures = Pictures(People.make_up(ENROLLED, STRANGERS), first, start)
    fill(store, pictures, count)
    store.close(600)
    print(f"{stored_bytes(folder) / max(count, first):.0f} bytes a sighting")
    measure_questions(open_store(folder), pictures, start)


def measure_questions(store: SightingStore, pictures: Pictures, start: float) -> None:
    """Print how quickly a store answers that was just opened, and how quickly it takes what is new."""

    def insert(known: bool) -> None:
        store.record(pictures.next(known))
        flush(store)

    print(json.dumps(store.status()), f"{memory_mb()} MB of memory")
    print(f"the first known face after a start: {spans_ms(lambda: insert(True), 1)}")
    print(f"the first unknown face after a start: {spans_ms(lambda: insert(False), 1)}")
    print(f"one more known face, until it is committed: {spans_ms(lambda: insert(True))}")
    print(f"one more unknown face, until it is committed: {spans_ms(lambda: insert(False))}")
    count = pictures.number
    queries = {
        "page by camera and time": SightingQuery(
            camera="camera 3", since=start + count, until=start + 2 * count
        ),
        "page by camera and name": SightingQuery(camera="camera 3", name="person 7"),
        "page by outcome": SightingQuery(outcome="uncertain"),
        "page of one unknown person": SightingQuery(unknown=7),
    }
    for what, query in queries.items():

        def ask(query: SightingQuery = query) -> object:
            return store.read(lambda db: find_sightings(db, query))

        print(f"{what}: {spans_ms(ask)}")
    print(f"unknowns(): {spans_ms(lambda: store.read(find_unknowns))}")
    print(f"{memory_mb()} MB of memory")
    store.close(600)


def measure_crowd(strangers: int, folder: Path) -> None:
    """Print how quickly one more unknown face is taken among that many unknown people."""
    store, people = open_store(folder), People.make_up(0, strangers)

    def crowd(connection: sqlite3.Connection) -> None:
        for who, direction in enumerate(people.directions, 1):
            seen = direction + MEAN_FACE / (1 - MEAN_FACE @ MEAN_FACE) ** 0.5
            row = (
                who,
                who,
                "sface:1",
                1,
                CLUSTER_PARAMETERS["sface"].prepare(seen).tobytes(),
                1,
                1,
                *4 * [time.time()],
            )
            connection.execute(
                "INSERT INTO person (id, number, fingerprint, shaping, sum, sightings, visits, first, last,"
                " recorded, best_quality) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )

    store.write(crowd, timeout_s=3600)
    store.close(600)
    measure_questions(open_store(folder), Pictures(people, 0, time.time()), time.time())


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
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the store there, and go on with it")
    parser.add_argument(
        "--crowd", type=int, default=0, metavar="N", help="unknown people who are there already"
    )
    parser.add_argument("--calls", type=int, default=400, metavar="N", help="calls with and without a memory")
    parser.add_argument("photos", type=Path, nargs="?", help="a folder of photos to ask about")
    given = parser.parse_args()
    print(json.dumps(machine.describe()))
    with tempfile.TemporaryDirectory() as name:
        if given.count:
            measure_store(given.count, given.keep or Path(name) / "store")
        if given.crowd:
            measure_crowd(given.crowd, Path(name) / "crowd")
        if given.photos is not None:
            measure_calls(given.photos, given.calls, Path(name))


if __name__ == "__main__":
    main()
