"""Photos -> encodings of the person whom each photo is about, also of the photo made worse.

Other than in enrolment, a photo with several faces is used: the one that is large and near the middle
is taken to be meant. There is no focus gate. What was computed once is in the cache.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

from face_det.engine import Engine
from face_det.errors import DataError
from face_det.faces import Face, Reason, Rgb
from face_det.identity.cache import Cache, Omission, Outcome, read_photo
from face_det.media import image

FORMAT = 2
"""Counts up when an outcome comes to mean something else, so that kept ones are not used any more."""
TOGETHER = 8
"""Photos that a thread takes at once, so that their faces share a batch."""

PLAIN = ""
"""The photo as it is, among the changes."""

Change = Callable[[Rgb, Face], Rgb]
"""Makes a picture worse; the face is where the one that is meant lies."""

Choose = Callable[[Sequence[Face], int, int], "Face | None"]
"""The face that is meant, of those in a picture of so many pixels' width and height."""

Key = tuple[Path, str]
"""A photo, and the name of what was done to it."""


def main_face(faces: Sequence[Face], width: int, height: int) -> Face | None:
    """The face that a photo of this size is about; None if no face is large enough.

    The largest area less twice the squared distance between the middles of face and photo: the
    rule by which pictures of LFW are commonly aligned.
    """

    def rank(face: Face) -> float:
        box = face.box
        dx = (box.xmin + box.xmax - width) / 2
        dy = (box.ymin + box.ymax - height) / 2
        return box.width * box.height - 2 * (dx * dx + dy * dy)

    usable = [face for face in faces if face.reason is not Reason.TOO_SMALL]
    return max(usable, key=rank, default=None)


def only_face(faces: Sequence[Face], width: int, height: int) -> Face | None:
    """The only face that is large enough, as enrolment has it; None if there are more, or none."""
    usable = [face for face in faces if face.reason is not Reason.TOO_SMALL]
    return usable[0] if len(usable) == 1 else None


def encode(
    photos: Sequence[Path],
    engine: Engine,
    cache: Cache,
    *,
    changes: Mapping[str, Change] | None = None,
    choose: Choose = main_face,
    jobs: int = 1,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[Key, Outcome]:
    """The outcome of each photo, and of each photo after each change, by (path, name of the change).

    The plain photo is always among them; of a photo without a face, nor is one in what is made of it.
    `jobs` threads share the engine. `on_progress` gets (photos done, photos in all). Raises what the
    networks raise; a photo that cannot be read is an outcome.
    """
    engine = Engine.sharing(engine, replace(engine.options, focus_threshold=0.0))
    changes = dict(changes or {})
    paths = list(dict.fromkeys(photos))
    found: dict[Key, Outcome] = {}
    missing: list[tuple[Path, list[str]]] = []
    hashes: dict[Path, str] = {}
    for path in paths:
        try:
            hashes[path] = read_photo(path)[0]
        except DataError:
            found |= {(path, name): Outcome(None, Omission.BAD_IMAGE) for name in (PLAIN, *changes)}
            continue
        lacking = []
        for name in (PLAIN, *changes):
            known = cache.get(hashes[path], settings(engine, name, choose))
            if known is None:
                lacking.append(name)
            else:
                found[path, name] = known
        if lacking:
            missing.append((path, lacking))
    done = len(paths) - len(missing)
    on_progress(done, len(paths))
    for chunk in _in_threads(missing, engine, changes, choose, jobs):
        for (path, name), outcome in chunk.items():
            found[path, name] = outcome
            cache.put(hashes[path], settings(engine, name, choose), outcome)
        done += len({path for path, _ in chunk})
        on_progress(done, len(paths))
    return found


def settings(engine: Engine, change: str, choose: Choose = main_face) -> str:
    """A key for everything an outcome depends on, besides the photo."""
    options = engine.options
    parts = [
        "evaluate" if choose is main_face else choose.__name__,
        FORMAT,
        options.detector,
        engine.fingerprint,
        options.upsample,
        options.jitters,
        options.min_face_px,
        options.compute.precision,
        change,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _in_threads(
    missing: Sequence[tuple[Path, list[str]]],
    engine: Engine,
    changes: Mapping[str, Change],
    choose: Choose,
    jobs: int,
) -> Iterator[dict[Key, Outcome]]:
    """The outcomes of a few photos at a time, in the order in which they get done."""
    rest = iter(missing)
    under_way: set[Future[dict[Key, Outcome]]] = set()
    with ThreadPoolExecutor(jobs, thread_name_prefix="evaluate") as pool:
        try:
            while True:
                while len(under_way) <= jobs and (chunk := list(itertools.islice(rest, TOGETHER))):
                    under_way.add(pool.submit(_chunk, chunk, engine, changes, choose))
                if not under_way:
                    return
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _chunk(
    photos: Sequence[tuple[Path, list[str]]],
    engine: Engine,
    changes: Mapping[str, Change],
    choose: Choose,
) -> dict[Key, Outcome]:
    """Look at some photos as they are, then at all that is to be made of them."""
    pictures: dict[Path, Rgb] = {}
    outcomes: dict[Key, Outcome] = {}
    for path, names in photos:
        try:
            pictures[path] = image.load(path)
        except DataError:
            outcomes |= {(path, name): Outcome(None, Omission.BAD_IMAGE) for name in names}
    plain = [((path, PLAIN), rgb) for path, rgb in pictures.items()]
    seen = _look(plain, engine, choose)
    worse: list[tuple[Key, Rgb]] = []
    for path, names in photos:
        if path not in pictures:
            continue
        face, outcome = seen[path, PLAIN]
        for name in names:
            if name == PLAIN or face is None:
                outcomes[path, name] = outcome
            else:
                worse.append(((path, name), changes[name](pictures[path], face)))
    return outcomes | {key: outcome for key, (_, outcome) in _look(worse, engine, main_face).items()}


def _look(
    pictures: Sequence[tuple[Key, Rgb]], engine: Engine, choose: Choose
) -> dict[Key, tuple[Face | None, Outcome]]:
    """The face that each picture is about, and its outcome."""
    all_faces = engine.faces((rgb, None) for _, rgb in pictures)
    found = {}
    for (key, rgb), faces in zip(pictures, all_faces, strict=True):
        face = choose(faces, rgb.shape[1], rgb.shape[0])
        if face is not None:
            outcome = Outcome(face.encoding, None)
        else:
            outcome = Outcome(None, _why_not(faces))
        found[key] = face, outcome
    return found


def _why_not(faces: Sequence[Face]) -> Omission:
    if not faces:
        return Omission.NO_FACE
    small = all(face.reason is Reason.TOO_SMALL for face in faces)
    return Omission.TOO_SMALL if small else Omission.SEVERAL_FACES
