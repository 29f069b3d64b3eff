"""Encodes the photos in dataset/NAME/, each photo only once."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from face_det.detectors import DETECTORS
from face_det.engine import EngineOptions, FaceEngine, build_engine
from face_det.errors import DataError
from face_det.gallery import encode_pool
from face_det.gallery.dataset import list_photos
from face_det.gallery.encode_pool import encode_photo
from face_det.gallery.encoding_cache import EncodingCache, EncodingResult, OmissionReason, read_photo
from face_det.gallery.gallery import Gallery
from face_det.gallery.overlooked import OverlookedFile, OverlookedReason, list_overlooked

RESULT_FORMAT = 2
"""Raise this when the meaning of a result changes, so that cached results are no longer used."""


@dataclass(frozen=True, slots=True)
class OmittedPhoto:
    """A photo that is not used, the reason, and the person's name."""

    path: Path
    reason: OmissionReason
    name: str


@dataclass(frozen=True, slots=True)
class PersonPhotoCounts:
    """How many photos of a person were encoded now, came from the cache, or were left out."""

    name: str
    encoded: int
    reused: int
    left_out: int


@dataclass(frozen=True, eq=False, slots=True)
class EncodeReport:
    """The gallery of a dataset, and what happened to its photos.

    `encoded` and `reused` count the photos in the gallery; `people` is sorted by name, as the gallery is.
    `main_faces` are photos in the gallery that show several faces, of which the main one was taken.
    `overlooked` are files that were not even looked at.
    """

    gallery: Gallery
    encoded: int
    reused: int
    left_out: tuple[OmittedPhoto, ...]
    people: tuple[PersonPhotoCounts, ...]
    main_faces: tuple[Path, ...] = ()
    overlooked: tuple[OverlookedFile, ...] = ()

    @property
    def unused(self) -> tuple[OmittedPhoto | OverlookedFile, ...]:
        """All photos and folders that are not used, but not files of other kinds."""
        others = [item for item in self.overlooked if item.reason is not OverlookedReason.NOT_A_PICTURE]
        return (*self.left_out, *others)

    def count_left_out(self) -> dict[str, int]:
        """Return the number of unused photos and folders for each reason."""
        return dict(Counter(item.reason.value for item in self.unused))


@dataclass(frozen=True, slots=True)
class _DatasetPhoto:
    name: str
    path: Path


def encode_dataset(
    dataset: Path,
    cache: EncodingCache,
    options: EngineOptions,
    *,
    jobs: int,
    on_progress: Callable[[int, int], None],
    engine: FaceEngine | None = None,
) -> EncodeReport:
    """Encode every photo that shows exactly one face, unless its encoding is in the cache.

    Blurry faces are encoded too. `jobs` processes share the work; if it is 1, this process does it,
    with `engine` if there is one, which must have been built from `options`. `on_progress` is called
    with (photos done, photos in total). An interrupt loses no finished work. Raises DataError for a
    dataset that cannot be read, and whatever the engine's networks raise.
    """
    people = list_photos(dataset, warn=False)
    photos = [_DatasetPhoto(name, path) for name, paths in people.items() for path in paths]
    overlooked = tuple(list_overlooked(dataset))
    if not photos:
        return replace(_make_report([], {}, set(), ""), overlooked=overlooked)
    options = replace(options, focus_threshold=0.0)
    engine = build_engine(options) if engine is None else engine.with_options(options)
    settings = _settings_key(options, engine.fingerprint)
    hashes = {photo: _hash_photo(photo.path) for photo in photos}
    results = {sha256: known for sha256 in set(hashes.values()) if (known := cache.get(sha256, settings))}
    results[""] = EncodingResult(None, OmissionReason.BAD_IMAGE)
    new = {sha256: photo.path for photo, sha256 in reversed(hashes.items()) if sha256 not in results}
    done = sum(sha256 in results for sha256 in hashes.values())
    on_progress(done, len(photos))
    weights = Counter(hashes.values())
    with contextlib.closing(_encode_new(new, options, jobs, engine)) as computed:
        for listed, read, result in computed:
            results[listed] = result
            if read is not None:
                cache.put(read, settings, result)
            done += weights[listed]
            on_progress(done, len(photos))
    cache.keep_only(hashes.values())
    found = {photo: results[hashes[photo]] for photo in photos}
    report = _make_report(photos, found, _computed_paths(new, hashes), engine.fingerprint)
    return replace(report, overlooked=overlooked)


def _encode_new(
    new: dict[str, Path], options: EngineOptions, jobs: int, engine: FaceEngine
) -> Generator[tuple[str, str | None, EncodingResult], None, None]:
    """Yield (listed sha256, sha256 of the bytes read, result) for each new photo as it is finished."""
    tasks = sorted(new.items(), key=lambda item: item[1])
    if jobs > 1:
        one_thread = replace(options.compute, threads=1)
        yield from encode_pool.encode_in_processes(tasks, replace(options, compute=one_thread), jobs)
    else:
        for sha256, path in tasks:
            yield (sha256, *encode_photo(engine, path))


def _settings_key(options: EngineOptions, fingerprint: str) -> str:
    """Return a hash of everything that a result depends on, besides the photo."""
    parts = [
        RESULT_FORMAT,
        DETECTORS.identify(options.detector),
        fingerprint,
        options.upsample,
        options.jitters,
        options.min_face_px,
    ]
    # A gallery may mix precisions, but a run must return the one that was configured.
    parts.append(options.compute.precision)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _hash_photo(path: Path) -> str:
    """Return the photo's sha256 in hex, or "" if it cannot be read."""
    try:
        return read_photo(path)[0]
    except DataError:
        return ""


def _computed_paths(new: dict[str, Path], hashes: dict[_DatasetPhoto, str]) -> set[Path]:
    """Return the photos that were computed; a second copy of the same content was not."""
    return {photo.path for photo, sha256 in hashes.items() if new.get(sha256) == photo.path}


def _make_report(
    photos: Sequence[_DatasetPhoto],
    results: dict[_DatasetPhoto, EncodingResult],
    computed: set[Path],
    fingerprint: str,
) -> EncodeReport:
    names, encodings, left_out = [], [], []
    tallies: dict[str, Counter[str]] = {}
    for photo in photos:
        tally = tallies.setdefault(photo.name, Counter())
        result = results[photo]
        if result.encoding is None:
            assert result.reason is not None
            left_out.append(OmittedPhoto(photo.path, result.reason, photo.name))
            tally["left_out"] += 1
        else:
            names.append(photo.name)
            encodings.append(result.encoding)
            tally["encoded" if photo.path in computed else "reused"] += 1
    return EncodeReport(
        Gallery.from_rows(encodings, names, fingerprint),
        sum(tally["encoded"] for tally in tallies.values()),
        sum(tally["reused"] for tally in tallies.values()),
        tuple(left_out),
        tuple(
            PersonPhotoCounts(name, tally["encoded"], tally["reused"], tally["left_out"])
            for name, tally in tallies.items()
        ),
        tuple(photo.path for photo in photos if results[photo].main_face),
    )
