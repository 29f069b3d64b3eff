"""Compares recognisers on one open set: who is named rightly, wrongly, and how many strangers are named.

    python benchmarks/recognisers.py PHOTOS

PHOTOS holds known/NAME/* and strangers/*. Of each known person 5 photos are enrolled, with 200 strangers as
Unknown; the rest is tested. Times are of one processor core, whatever else the machine does. The output is
the table in docs/reference/recognisers.md.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from face_det.embedders import create_embedder
from face_det.engine import EngineOptions, build_engine
from face_det.errors import FaceDetError
from face_det.evaluation import (
    EncodedSplit,
    RecognitionSettings,
    collect_encodings,
    split_dataset,
    train_and_decide,
)
from face_det.gallery import EncodingCache, FaceChoice, encode_portraits
from face_det.media import load_image
from face_det.nets import Compute
from face_det.recognition import DecisionRule, dump_model

RECOGNISERS = (
    ("eigenfaces_4500", "grey"),
    ("eigenfaces", "grey"),
    ("fisherfaces_450", "grey"),
    ("fisherfaces", "grey"),
    ("lbph_70", "grey"),
    ("lbph", "grey"),
    ("template", "dlib_resnet"),
    ("template", "sface"),
    ("template", "both"),
)
ENROLLED_WITH = "both+grey"
TIMED_FACES = 50


def main() -> None:
    """Encode the photos, or take their encodings from the cache, and print a line for each recogniser."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("recognisers.cache.sqlite"))
    parser.add_argument("--tested-strangers", type=int, default=400)
    asked = parser.parse_args()
    compute = Compute(threads=1)
    options = EngineOptions(detector="auto", embedder=ENROLLED_WITH, focus_threshold=0, compute=compute)
    engine, split = build_engine(options), split_dataset(asked.photos)
    known = [photo for photo in split.tested if photo.name is not None]
    nobody = [photo for photo in split.tested if photo.name is None][: asked.tested_strangers]
    split = replace(split, tested=(*known, *nobody))
    paths = [photo.path for photo in split.photos]
    with EncodingCache(asked.cache) as cache:
        found = encode_portraits(
            paths, engine, cache, changes={}, choice=FaceChoice.ENROLLED, jobs=1, on_progress=show
        )
    encoded = collect_encodings(split, found, engine.fingerprint)
    people = len({photo.name for photo in split.enrolled})
    print(f"\n{people} people, {len(split.enrolled)} photos enrolled and {len(split.strangers)} of strangers")
    missed = encoded.no_face
    strangers = missed.get(None, 0)
    seen = len(known) - sum(missed.values()) + strangers
    print(
        f"tested, with one clear face each: {seen} photos of them, {len(nobody) - strangers} of strangers\n"
    )
    print("| classifier | embedder | right | wrong | strangers named | model | training | a face |")
    print("|---|---|---|---|---|---|---|---|")
    times = {name: embedding_ms(name, paths, compute) for name in dict.fromkeys(e for _, e in RECOGNISERS)}
    for kind, embedder in RECOGNISERS:
        print(describe(kind, embedder, encoded, times[embedder]), flush=True)


def show(done: int, total: int) -> None:
    """Say how far it is."""
    if done % 50 == 0 or done == total:
        print(f"\rencoded {done} of {total}", end="", flush=True)


def embedding_ms(name: str, paths: list[Path], compute: Compute) -> float:
    """Return the milliseconds of one core to align and encode a face."""
    embedder = create_embedder(name, compute, "fast")
    detector = build_engine(EngineOptions(detector="auto", embedder="grey", compute=compute))
    spent = faces = 0.0
    for path in paths[:TIMED_FACES]:
        rgb = load_image(path)
        for face in detector.find(rgb)[:1]:
            start = time.process_time()
            embedder.embed([embedder.align(rgb, face)])
            spent, faces = spent + time.process_time() - start, faces + 1
    return 1000 * spent / max(faces, 1)


def describe(kind: str, embedder: str, encoded: EncodedSplit, encoding_ms: float) -> str:
    """Train, test, and return the line of the table."""
    settings = RecognitionSettings(kind, embedder, DecisionRule(), thorough=False)
    start = time.process_time()
    try:
        model, predictions = train_and_decide(encoded, settings)
    except FaceDetError as error:
        return f"| {kind} | {embedder} | {error} |"
    training_s = time.process_time() - start
    counts = encoded.count(predictions)
    start = time.process_time()
    settings.predict(model, encoded)
    deciding_ms = 1000 * (time.process_time() - start) / len(encoded.photos)
    size = len(dump_model(model)[0])
    known, strangers = counts.known - counts.known_no_face, counts.strangers - counts.strangers_no_face
    shares = (counts.right / known, counts.wrong / known, counts.strangers_named / strangers)
    right, wrong, named = (f"{share:.1%}" for share in shares)
    return (
        f"| {kind} | {embedder} | {right} | {wrong} | {named} | {np.ceil(size / 1000):,.0f} kB "
        f"| {training_s:.1f} s | {encoding_ms + deciding_ms:.0f} ms |"
    )


if __name__ == "__main__":
    main()
