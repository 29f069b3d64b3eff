"""Encodes the faces of photos, and of degraded copies of them; and chooses each photo's portrait.

Unlike enrolment, this can use photos with several faces: the main face is a large one near the middle.
Blurry faces are encoded too. Results are cached.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TypeVar

from face_det.detectors import DETECTORS
from face_det.engine import FaceEngine
from face_det.errors import DataError
from face_det.gallery.encoding_cache import EncodingCache, EncodingResult, OmissionReason, read_photo
from face_det.gallery.one_face import choose_dataset_face, omission_reason, unreadable_reason
from face_det.gallery.photo_faces import PhotoFaces, get_faces, put_faces
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


_Result = TypeVar("_Result")


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


def choose_portrait(found: PhotoFaces, choice: FaceChoice = FaceChoice.MAIN) -> EncodingResult:
    """Return the encoding of the chosen one of a photo's faces, or why there is none.

    >>> choose_portrait(PhotoFaces(250, 250, ())).reason.value
    'no_face'
    """
    if found.reason is not None:
        return EncodingResult(None, found.reason)
    face = choice.choose(found.faces, found.width, found.height)
    if face is None:
        return EncodingResult(None, omission_reason(found.faces))
    return EncodingResult(face.encoding, None)


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
    return _look_at(
        photos,
        _Looking(engine, dict(changes or {}), choice, jobs),
        choice.value,
        cache.get,
        cache.put,
        lambda name, seen: choose_portrait(seen, choice if name == UNCHANGED_PHOTO else FaceChoice.MAIN),
        on_progress,
    )


def find_faces(
    photos: Sequence[Path],
    engine: FaceEngine,
    cache: EncodingCache,
    *,
    changes: Mapping[str, PhotoChange] | None = None,
    jobs: int = 1,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[PortraitKey, PhotoFaces]:
    """Find and encode all faces of each photo, and of each photo after each change made around its main face.

    Everything else is as in `encode_portraits`, and `choose_portrait` turns a result into one of its results.
    """
    return _look_at(
        photos,
        _Looking(engine, dict(changes or {}), FaceChoice.MAIN, jobs),
        "all_faces",
        functools.partial(get_faces, cache),
        functools.partial(put_faces, cache),
        lambda name, seen: seen,
        on_progress,
    )


@dataclass(frozen=True, slots=True)
class _Looking:
    """How photos are looked at: by which engine, after which changes around which face, in `jobs` threads."""

    engine: FaceEngine
    changes: Mapping[str, PhotoChange]
    choice: FaceChoice
    jobs: int


def _look_at(
    photos: Sequence[Path],
    how: _Looking,
    kind: str,
    get: Callable[[str, str], _Result | None],
    put: Callable[[str, str, _Result], None],
    make: Callable[[str, PhotoFaces], _Result],
    on_progress: Callable[[int, int], None],
) -> dict[PortraitKey, _Result]:
    """Return the results of this kind, made from the faces of each photo unless the cache has them.

    `get` and `put` take the hash of the photo and of the settings; `make` takes the change's name.
    """
    names = (UNCHANGED_PHOTO, *how.changes)
    engine = how.engine.with_options(replace(how.engine.options, focus_threshold=0.0))
    keys = {name: portrait_settings_key(engine, name, kind) for name in names}
    paths = list(dict.fromkeys(photos))
    found: dict[PortraitKey, _Result] = {}
    missing: list[tuple[Path, list[str]]] = []
    hashes: dict[Path, str] = {}
    for path in paths:
        sha256, unreadable = _hash_photo(path)
        if unreadable is not None:  # not cached, because the next run may be able to read it
            found |= {(path, name): make(name, PhotoFaces(0, 0, (), unreadable)) for name in names}
            continue
        hashes[path] = sha256
        known = {name: get(sha256, keys[name]) for name in names}
        found |= {(path, name): result for name, result in known.items() if result is not None}
        if lacking := [name for name, result in known.items() if result is None]:
            missing.append((path, lacking))
    done = len(paths) - len(missing)
    on_progress(done, len(paths))
    for chunk in _encode_in_threads(missing, replace(how, engine=engine)):
        for (path, name), seen in chunk.items():
            found[path, name] = make(name, seen)
            put(hashes[path], keys[name], found[path, name])
        done += len({path for path, _ in chunk})
        on_progress(done, len(paths))
    return found


def _hash_photo(path: Path) -> tuple[str, OmissionReason | None]:
    """Return the photo's sha256 in hex, or the reason why it cannot be read here."""
    try:
        sha256, data = read_photo(path)
    except DataError as error:
        return "", unreadable_reason(error)
    return sha256, OmissionReason.NO_DECODER if lacks_decoder(data) else None


def portrait_settings_key(engine: FaceEngine, change: str, kind: str = FaceChoice.MAIN.value) -> str:
    """Return a hash of everything that a result of this kind depends on, besides the photo."""
    options = engine.options
    parts = [
        kind,
        RESULT_FORMAT,
        DETECTORS.identify(options.detector),
        engine.fingerprint,
        options.upsample,
        options.jitters,
        options.min_face_px,
        options.compute.precision,
        change,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _encode_in_threads(
    missing: Sequence[tuple[Path, list[str]]], how: _Looking
) -> Iterator[dict[PortraitKey, PhotoFaces]]:
    """Yield the faces of a few photos at a time, as they are finished."""
    rest = iter(missing)
    in_progress: set[Future[dict[PortraitKey, PhotoFaces]]] = set()
    with ThreadPoolExecutor(how.jobs, thread_name_prefix="evaluate") as pool:
        try:
            while True:
                while len(in_progress) <= how.jobs and (
                    chunk := list(itertools.islice(rest, PHOTOS_PER_CHUNK))
                ):
                    in_progress.add(pool.submit(_encode_chunk, chunk, how))
                if not in_progress:
                    return
                done, in_progress = wait(in_progress, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _encode_chunk(photos: Sequence[tuple[Path, list[str]]], how: _Looking) -> dict[PortraitKey, PhotoFaces]:
    """Encode some photos unchanged, then all changed copies of them."""
    pictures: dict[Path, Rgb] = {}
    results: dict[PortraitKey, PhotoFaces] = {}
    for path, names in photos:
        try:
            pictures[path] = load_image(path)
        except DataError as error:
            unreadable = PhotoFaces(0, 0, (), unreadable_reason(error))
            results |= {(path, name): unreadable for name in names}
    unchanged = [((path, UNCHANGED_PHOTO), rgb) for path, rgb in pictures.items()]
    seen = _encode_pictures(unchanged, how.engine)
    changed: list[tuple[PortraitKey, Rgb]] = []
    for path, names in photos:
        if path not in pictures:
            continue
        here = seen[path, UNCHANGED_PHOTO]
        face = how.choice.choose(here.faces, here.width, here.height)
        for name in names:
            if name == UNCHANGED_PHOTO:
                results[path, name] = here
            elif face is None:
                results[path, name] = replace(here, reason=omission_reason(here.faces))
            else:
                changed.append(((path, name), how.changes[name](pictures[path], face)))
    return results | _encode_pictures(changed, how.engine)


def _encode_pictures(
    pictures: Sequence[tuple[PortraitKey, Rgb]], engine: FaceEngine
) -> dict[PortraitKey, PhotoFaces]:
    """Return the faces of each picture."""
    all_faces = engine.faces((rgb, None) for _, rgb in pictures)
    return {
        key: PhotoFaces(rgb.shape[1], rgb.shape[0], faces)
        for (key, rgb), faces in zip(pictures, all_faces, strict=True)
    }
