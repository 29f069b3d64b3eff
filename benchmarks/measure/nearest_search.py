"""Look up single faces among many encodings. argv[1] is a JSON spec; the findings go to stdout as JSON."""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lifelike
import numpy as np
import numpy.typing as npt
from stopwatch import peak_mb

from face_det.classifiers import NearestNeighbourIndex
from face_det.nets import trim_heap

PHOTOS_EACH = 4
BLOCK = 100_000

Floats32 = npt.NDArray[np.float32]
Nearest = Callable[[npt.NDArray[np.float64]], int]


def enrolled(spec: dict[str, Any]) -> tuple[Floats32, npt.NDArray[np.float64]]:
    """Return (enrolled encodings, probe encodings); half of the probes are strangers."""
    faces = lifelike.Faces()
    shaped = unit if spec["data"] == "sphere" else lambda some: some
    X = np.empty((spec["count"], lifelike.DIMENSIONS), dtype=np.float32)
    known = []
    for start in range(0, len(X), BLOCK):
        count = min(BLOCK, len(X) - start)
        middles = drawn(faces, spec["data"], -(-count // PHOTOS_EACH))
        X[start : start + count] = shaped(
            photos(faces, spec["data"], np.repeat(middles, PHOTOS_EACH, axis=0))[:count]
        )
        known.append(middles[:1])
    half = spec["asked"] // 2
    people = np.vstack([np.resize(np.vstack(known), (half, X.shape[1])), drawn(faces, spec["data"], half)])
    return X, shaped(photos(faces, spec["data"], people)).astype(np.float64)


def drawn(faces: lifelike.Faces, data: str, count: int) -> npt.NDArray[np.float64]:
    """Draw people as dlib separates them, or evenly in all directions, which no index can exploit."""
    if data == "sphere":
        return unit(faces.rng.normal(size=(count, lifelike.DIMENSIONS)))
    return faces.people(count)


def photos(faces: lifelike.Faces, data: str, people: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Draw one photo of each person; on the sphere its cosine to the person is about .8."""
    if data == "sphere":
        return people + 0.75 / np.sqrt(people.shape[1]) * faces.rng.normal(size=people.shape)
    return faces.photos(people)


def unit(some: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Scale each row to unit length."""
    return np.asarray(some / np.linalg.norm(some, axis=1, keepdims=True))


def plain(X: Floats32) -> Nearest:
    """Return the usual numpy search: the minimum of |x|^2 - 2 q x in float32."""
    squares = np.einsum("ij,ij->i", X, X)
    return lambda asked: int((squares - 2 * (X @ asked.astype(np.float32))).argmin())


def ours(X: Floats32) -> Nearest:
    """This project's nearest-neighbour index."""
    lookup = NearestNeighbourIndex().fit(X)
    return lambda asked: int(lookup.nearest(asked[None])[1][0, 0])


def truth(X: Floats32, asked: npt.NDArray[np.float64]) -> list[int]:
    """Return the nearest row for each probe by all float64 distances; ties go to the first row."""
    least = np.full(len(asked), np.inf)
    rows = np.zeros(len(asked), dtype=np.intp)
    for start in range(0, len(X), 20_000):
        block = X[start : start + 20_000].astype(np.float64)
        for index, one in enumerate(asked):
            close = np.linalg.norm(block - one, axis=1)
            if close.min() < least[index]:
                least[index], rows[index] = close.min(), start + close.argmin()
    return [int(row) for row in rows]


def main() -> None:
    """Measure the spec in argv[1] and print the findings."""
    spec = json.loads(sys.argv[1])
    X, asked = enrolled(spec)
    held = resident_mb()
    start = time.perf_counter()
    nearest = {"numpy": plain, "ours": ours}[spec["who"]](X)
    ready_s = time.perf_counter() - start
    more_mb = resident_mb() - held
    nearest(asked[0])
    seconds, worked, found = [], [], []
    for one in asked:
        start, before = time.perf_counter(), time.process_time()
        found.append(nearest(one))
        seconds.append(time.perf_counter() - start)
        worked.append(time.process_time() - before)
    checked = spec["checked"]
    step = max(1, len(asked) // checked)
    right = [row == said for row, said in zip(truth(X, asked[::step]), found[::step], strict=True)]
    answer = {
        "processor_s": statistics.median(worked),
        "build_s": ready_s,
        "encodings_mb": X.nbytes / 1e6,
        "more_mb": round(more_mb, 1),
        "checked": len(right),
        "exact": sum(right),
    }
    print(json.dumps({"seconds": seconds, "peak_mb": peak_mb(), "answer": answer}))


def resident_mb() -> float:
    """Return resident memory in MB, once freed memory is back with the system; 0 if it cannot be read."""
    trim_heap()
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize() / 1e6
    except OSError:
        return 0.0


if __name__ == "__main__":
    main()
