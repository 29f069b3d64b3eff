"""Encodes the main face of each photo, and of degraded copies of the photo.

Unlike enrolment, this uses photos with several faces: the main face is a large one near the middle.
Blurry faces are encoded too. Results are cached.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from enum import Enum
from pathlib import Path

from face_det.engine import FaceEngine
from face_det.errors import BadImage, DataError
from face_det.gallery.encoding_cache import EncodingCache, EncodingResult, OmissionReason, read_photo
from face_det.gallery.one_face import choose_dataset_face, omission_reason
from face_det.media import lacks_decoder, load_image
from face_det.types import Face, Reason, Rgb

RESULT_FORMAT = 3
"""Raise this when the meaning of a result changes, so that cached results are no longer used."""
PHOTOS_PER_CHUNK = 8
"""How many photos a thread takes at once, so that their faces share a batch."""

UNCHANGED_PHOTO = ""
"""The key of the unchanged photo, among the names of the changes."""

PhotoChange = Callable[[Rgb, Face], Rgb]
"""Changes a picture, such as by blurring it; the face is the main face of the picture."""

PortraitKey = tuple[Path, str]
"""The path of a photo, and the name of the change made to it."""


class FaceChoice(str, Enum):
    """Which face of an unchanged photo to encode. The values are part of the keys of cached results."""

    MAIN = "evaluate"
    """The one that `choose_main_face` returns."""
    ENROLLED = "only_face"
    """The one that `encode` enrols: the only one, or a clear main one."""

    def choose(self, faces: Sequence[Face], width: int, height: int) -> Face | None:
        """Return the chosen one of the faces in a photo of this size in pixels; None if there is none.

        >>> FaceChoice.ENROLLED.choose([], 250, 250) is None
        True
        """
        if self is FaceChoice.ENROLLED:
            return choose_dataset_face(faces, width, height)
        return choose_main_face(faces, width, height)


def choose_main_face(faces: Sequence[Face], width: int, height: int) -> Face | None:
    """Return the main face of a photo of this size in pixels; None if no face is large enough.

    It is the face with the largest value of its area minus twice the squared distance between its
    centre and the photo's. This is how photos of Labeled Faces in the Wild are commonly aligned.

    >>> from face_det.types import Box
    >>> corner, middle = (Face(Box(x, x, x + 50, x + 50), 1.0, 0.0, None, None) for x in (0, 100))
    >>> choose_main_face([corner, middle], 250, 250) is middle
    True
    """

    def rank(face: Face) -> float:
        box = face.box
        dx = (box.xmin + box.xmax - width) / 2
        dy = (box.ymin + box.ymax - height) / 2
        return box.width * box.height - 2 * (dx * dx + dy * dy)

    usable = [face for face in faces if face.reason is not Reason.TOO_SMALL]
    return max(usable, key=rank, default=None)


def encode_portraits(
    photos: Sequence[Path],
    engine: FaceEngine,
    cache: EncodingCache,
    *,
    changes: Mapping[str, PhotoChange] | None = None,
    choice: FaceChoice = FaceChoice.MAIN,
    jobs: int = 1,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[PortraitKey, EncodingResult]:
    """Encode each photo, and each photo after each change; return results by (path, change's name).

    The unchanged photo is always included. If it has no face, its changed copies count as having none
    either. `choice` says which face to encode in the unchanged photo. `jobs` threads share the engine.
    `on_progress` is called with (photos done, photos in total). Raises whatever the networks raise; a
    photo that cannot be read is a result.
    """
    engine = engine.with_options(replace(engine.options, focus_threshold=0.0))
    changes = dict(changes or {})
    paths = list(dict.fromkeys(photos))
    found: dict[PortraitKey, EncodingResult] = {}
    missing: list[tuple[Path, list[str]]] = []
    hashes: dict[Path, str] = {}
    for path in paths:
        try:
            sha256, data = read_photo(path)
            if lacks_decoder(data):  # not cached, because it may be installed before the next run
                raise BadImage(f"{path}: cannot be read here")
            hashes[path] = sha256
        except DataError:
            found |= {
                (path, name): EncodingResult(None, OmissionReason.BAD_IMAGE)
                for name in (UNCHANGED_PHOTO, *changes)
            }
            continue
        lacking = []
        for name in (UNCHANGED_PHOTO, *changes):
            known = cache.get(hashes[path], portrait_settings_key(engine, name, choice))
            if known is None:
                lacking.append(name)
            else:
                found[path, name] = known
        if lacking:
            missing.append((path, lacking))
    done = len(paths) - len(missing)
    on_progress(done, len(paths))
    for chunk in _encode_in_threads(missing, engine, changes, choice, jobs):
        for (path, name), result in chunk.items():
            found[path, name] = result
            cache.put(hashes[path], portrait_settings_key(engine, name, choice), result)
        done += len({path for path, _ in chunk})
        on_progress(done, len(paths))
    return found


def portrait_settings_key(engine: FaceEngine, change: str, choice: FaceChoice = FaceChoice.MAIN) -> str:
    """Return a hash of everything that a result depends on, besides the photo."""
    options = engine.options
    parts = [
        choice.value,
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
    engine: FaceEngine,
    changes: Mapping[str, PhotoChange],
    choice: FaceChoice,
    jobs: int,
) -> Iterator[dict[PortraitKey, EncodingResult]]:
    """Yield the results of a few photos at a time, as they are finished."""
    rest = iter(missing)
    in_progress: set[Future[dict[PortraitKey, EncodingResult]]] = set()
    with ThreadPoolExecutor(jobs, thread_name_prefix="evaluate") as pool:
        try:
            while True:
                while len(in_progress) <= jobs and (chunk := list(itertools.islice(rest, PHOTOS_PER_CHUNK))):
                    in_progress.add(pool.submit(_encode_chunk, chunk, engine, changes, choice))
                if not in_progress:
                    return
                done, in_progress = wait(in_progress, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _encode_chunk(
    photos: Sequence[tuple[Path, list[str]]],
    engine: FaceEngine,
    changes: Mapping[str, PhotoChange],
    choice: FaceChoice,
) -> dict[PortraitKey, EncodingResult]:
    """Encode some photos unchanged, then all changed copies of them."""
    pictures: dict[Path, Rgb] = {}
    results: dict[PortraitKey, EncodingResult] = {}
    for path, names in photos:
        try:
            pictures[path] = load_image(path)
        except DataError:
            results |= {(path, name): EncodingResult(None, OmissionReason.BAD_IMAGE) for name in names}
    unchanged = [((path, UNCHANGED_PHOTO), rgb) for path, rgb in pictures.items()]
    seen = _encode_pictures(unchanged, engine, choice)
    changed: list[tuple[PortraitKey, Rgb]] = []
    for path, names in photos:
        if path not in pictures:
            continue
        face, result = seen[path, UNCHANGED_PHOTO]
        for name in names:
            if name == UNCHANGED_PHOTO or face is None:
                results[path, name] = result
            else:
                changed.append(((path, name), changes[name](pictures[path], face)))
    return results | {
        key: result for key, (_, result) in _encode_pictures(changed, engine, FaceChoice.MAIN).items()
    }


def _encode_pictures(
    pictures: Sequence[tuple[PortraitKey, Rgb]], engine: FaceEngine, choice: FaceChoice
) -> dict[PortraitKey, tuple[Face | None, EncodingResult]]:
    """Return the chosen face of each picture, and its result."""
    all_faces = engine.faces((rgb, None) for _, rgb in pictures)
    found = {}
    for (key, rgb), faces in zip(pictures, all_faces, strict=True):
        face = choice.choose(faces, rgb.shape[1], rgb.shape[0])
        if face is not None:
            result = EncodingResult(face.encoding, None)
        else:
            result = EncodingResult(None, omission_reason(faces))
        found[key] = face, result
    return found
