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
from face_det.gallery.encoding_cache import EncodingCache, EncodingResult, OmissionReason, read_photo
from face_det.media import load_image
from face_det.types import Face, Reason, Rgb

RESULT_FORMAT = 2
"""Counts up when an outcome comes to mean something else, so that kept ones are not used any more."""
PHOTOS_PER_CHUNK = 8
"""Photos that a thread takes at once, so that their faces share a batch."""

UNCHANGED_PHOTO = ""
"""The photo as it is, among the changes."""

PhotoChange = Callable[[Rgb, Face], Rgb]
"""Makes a picture worse; the face is where the one that is meant lies."""

FaceChoice = Callable[[Sequence[Face], int, int], "Face | None"]
"""The face that is meant, of those in a picture of so many pixels' width and height."""

PortraitKey = tuple[Path, str]
"""A photo, and the name of what was done to it."""


def choose_main_face(faces: Sequence[Face], width: int, height: int) -> Face | None:
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


def choose_only_face(faces: Sequence[Face], width: int, height: int) -> Face | None:
    """The only face that is large enough, as enrolment has it; None if there are more, or none."""
    usable = [face for face in faces if face.reason is not Reason.TOO_SMALL]
    return usable[0] if len(usable) == 1 else None


def encode_portraits(
    photos: Sequence[Path],
    engine: Engine,
    cache: EncodingCache,
    *,
    changes: Mapping[str, PhotoChange] | None = None,
    choose: FaceChoice = choose_main_face,
    jobs: int = 1,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[PortraitKey, EncodingResult]:
    """The outcome of each photo, and of each photo after each change, by (path, name of the change).

    The plain photo is always among them; of a photo without a face, nor is one in what is made of it.
    `jobs` threads share the engine. `on_progress` gets (photos done, photos in all). Raises what the
    networks raise; a photo that cannot be read is an outcome.
    """
    engine = Engine.sharing(engine, replace(engine.options, focus_threshold=0.0))
    changes = dict(changes or {})
    paths = list(dict.fromkeys(photos))
    found: dict[PortraitKey, EncodingResult] = {}
    missing: list[tuple[Path, list[str]]] = []
    hashes: dict[Path, str] = {}
    for path in paths:
        try:
            hashes[path] = read_photo(path)[0]
        except DataError:
            found |= {
                (path, name): EncodingResult(None, OmissionReason.BAD_IMAGE)
                for name in (UNCHANGED_PHOTO, *changes)
            }
            continue
        lacking = []
        for name in (UNCHANGED_PHOTO, *changes):
            known = cache.get(hashes[path], portrait_settings_key(engine, name, choose))
            if known is None:
                lacking.append(name)
            else:
                found[path, name] = known
        if lacking:
            missing.append((path, lacking))
    done = len(paths) - len(missing)
    on_progress(done, len(paths))
    for chunk in _encode_in_threads(missing, engine, changes, choose, jobs):
        for (path, name), outcome in chunk.items():
            found[path, name] = outcome
            cache.put(hashes[path], portrait_settings_key(engine, name, choose), outcome)
        done += len({path for path, _ in chunk})
        on_progress(done, len(paths))
    return found


def portrait_settings_key(engine: Engine, change: str, choose: FaceChoice = choose_main_face) -> str:
    """A key for everything an outcome depends on, besides the photo."""
    options = engine.options
    parts = [
        "evaluate" if choose is choose_main_face else choose.__name__,
        RESULT_FORMAT,
        options.detector,
        engine.fingerprint,
        options.upsample,
        options.jitters,
        options.min_face_px,
        options.compute.precision,
        change,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _encode_in_threads(
    missing: Sequence[tuple[Path, list[str]]],
    engine: Engine,
    changes: Mapping[str, PhotoChange],
    choose: FaceChoice,
    jobs: int,
) -> Iterator[dict[PortraitKey, EncodingResult]]:
    """The outcomes of a few photos at a time, in the order in which they get done."""
    rest = iter(missing)
    under_way: set[Future[dict[PortraitKey, EncodingResult]]] = set()
    with ThreadPoolExecutor(jobs, thread_name_prefix="evaluate") as pool:
        try:
            while True:
                while len(under_way) <= jobs and (chunk := list(itertools.islice(rest, PHOTOS_PER_CHUNK))):
                    under_way.add(pool.submit(_encode_chunk, chunk, engine, changes, choose))
                if not under_way:
                    return
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _encode_chunk(
    photos: Sequence[tuple[Path, list[str]]],
    engine: Engine,
    changes: Mapping[str, PhotoChange],
    choose: FaceChoice,
) -> dict[PortraitKey, EncodingResult]:
    """Look at some photos as they are, then at all that is to be made of them."""
    pictures: dict[Path, Rgb] = {}
    outcomes: dict[PortraitKey, EncodingResult] = {}
    for path, names in photos:
        try:
            pictures[path] = load_image(path)
        except DataError:
            outcomes |= {(path, name): EncodingResult(None, OmissionReason.BAD_IMAGE) for name in names}
    plain = [((path, UNCHANGED_PHOTO), rgb) for path, rgb in pictures.items()]
    seen = _encode_pictures(plain, engine, choose)
    worse: list[tuple[PortraitKey, Rgb]] = []
    for path, names in photos:
        if path not in pictures:
            continue
        face, outcome = seen[path, UNCHANGED_PHOTO]
        for name in names:
            if name == UNCHANGED_PHOTO or face is None:
                outcomes[path, name] = outcome
            else:
                worse.append(((path, name), changes[name](pictures[path], face)))
    return outcomes | {
        key: outcome for key, (_, outcome) in _encode_pictures(worse, engine, choose_main_face).items()
    }


def _encode_pictures(
    pictures: Sequence[tuple[PortraitKey, Rgb]], engine: Engine, choose: FaceChoice
) -> dict[PortraitKey, tuple[Face | None, EncodingResult]]:
    """The face that each picture is about, and its outcome."""
    all_faces = engine.faces((rgb, None) for _, rgb in pictures)
    found = {}
    for (key, rgb), faces in zip(pictures, all_faces, strict=True):
        face = choose(faces, rgb.shape[1], rgb.shape[0])
        if face is not None:
            outcome = EncodingResult(face.encoding, None)
        else:
            outcome = EncodingResult(None, _omission_reason(faces))
        found[key] = face, outcome
    return found


def _omission_reason(faces: Sequence[Face]) -> OmissionReason:
    if not faces:
        return OmissionReason.NO_FACE
    small = all(face.reason is Reason.TOO_SMALL for face in faces)
    return OmissionReason.TOO_SMALL if small else OmissionReason.SEVERAL_FACES
