"""Details for a list of people: best photo, quality, and who looks alike. No network runs."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from face_det.engine import FaceEngine
from face_det.enrolment import Paths
from face_det.errors import DataError
from face_det.gallery import (
    EncodingCache,
    Gallery,
    WrongPhoto,
    find_wrong_photos,
    known_faces,
    list_photos,
    photo_name,
    read_photo,
)
from face_det.types import UNKNOWN

HASHED_PER_CALL = 500
"""How many new photos a call reads at most; the next call goes on."""
LOOK_ALIKES = 3

State = tuple[int, int]
"""Time and size of a file, which show whether it has changed."""


class PeopleDetails:
    """Caches results about photos and people as long as their files are unchanged."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._lock = threading.Lock()
        self._hashes: dict[Path, tuple[State, str]] = {}
        self._qualities: dict[tuple[str, str], float | None] = {}
        self._wrong: tuple[object, dict[str, dict[int, WrongPhoto]]] = (None, {})
        self._alike: tuple[object, dict[str, list[dict[str, Any]]]] | None = None

    def add_to(self, people: Sequence[Mapping[str, Any]], engine: FaceEngine) -> list[dict[str, Any]]:
        """Return the people with `cover`, `quality` and `lookAlikes` of each."""
        photos = list_photos(self._paths.dataset)
        with self._lock, EncodingCache(self._paths.cache) as cache:
            alike = self._look_alikes(engine)
            reading = HASHED_PER_CALL
            answer = []
            for one in people:
                rated: list[tuple[float, Path]] = []
                for path in photos.get(one["name"], []):
                    sha256, read = self._hash(path, may_read=reading > 0)
                    reading -= read
                    quality = self._quality(sha256, engine, cache) if sha256 else None
                    if quality is not None:
                        rated.append((quality, path))
                first = next(iter(photos.get(one["name"], [])), None)
                cover = max(rated, key=lambda pair: pair[0])[1] if rated else first
                answer.append(
                    {
                        **one,
                        "cover": None if cover is None else photo_name(cover),
                        "quality": statistics.median(quality for quality, _ in rated) if rated else None,
                        "lookAlikes": alike.get(one["name"], []),
                    }
                )
        return answer

    def wrong_photos(self, name: str, gallery: Gallery) -> dict[int, WrongPhoto]:
        """Return the photos that probably show somebody else, by their places among the person's rows."""
        state = hash((*gallery.names, gallery.of(gallery.embedders[0]).tobytes()))
        with self._lock:
            if self._wrong[0] != state:
                self._wrong = state, {}
            known = self._wrong[1]
            if name not in known:
                rows = [row for row, owner in enumerate(gallery.names) if owner == name]
                places = {row: place for place, row in enumerate(rows)}
                known[name] = {places[one.row]: one for one in find_wrong_photos(gallery, name)}
            return known[name]

    def _hash(self, path: Path, *, may_read: bool) -> tuple[str | None, bool]:
        """Return the photo's sha256, if it is known or may be read, and whether it was read."""
        try:
            state = path.stat().st_mtime_ns, path.stat().st_size
            known = self._hashes.get(path)
            if known is not None and known[0] == state:
                return known[1], False
            if not may_read:
                return None, False
            sha256 = read_photo(path)[0]
        except (OSError, DataError):
            return None, False
        self._hashes[path] = state, sha256
        return sha256, True

    def _quality(self, sha256: str, engine: FaceEngine, cache: EncodingCache) -> float | None:
        key = sha256, engine.fingerprint
        if key not in self._qualities:
            found = known_faces(sha256, engine, cache)
            if found is None:
                return None  # not looked at yet
            face = found[1]
            self._qualities[key] = None if face is None or face.quality is None else float(face.quality)
        return self._qualities[key]

    def _look_alikes(self, engine: FaceEngine) -> dict[str, list[dict[str, Any]]]:
        """Return who is most similar to each person, by the cosine of the centres of their encodings."""
        try:
            found = self._paths.encodings.stat()
        except OSError:
            return {}
        state = found.st_mtime_ns, found.st_size, found.st_ino, engine.options.embedder
        if self._alike is None or self._alike[0] != state:
            gallery = Gallery.load(self._paths.encodings)
            self._alike = state, _compare_centres(gallery, engine.options.embedder)
        return self._alike[1]


def _compare_centres(gallery: Gallery, embedder: str) -> dict[str, list[dict[str, Any]]]:
    people = [name for name in gallery.people if name != UNKNOWN]
    if embedder not in gallery.embedders or len(people) < 2:
        return {}
    rows = gallery.of(embedder)
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    owners = np.array(gallery.names, dtype=object)
    centres = np.array([rows[owners == name].mean(axis=0) for name in people])
    centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-9)
    answer = {}
    for index, name in enumerate(people):
        similarity = centres @ centres[index]
        nearest = [other for other in np.argsort(-similarity, kind="stable") if other != index]
        answer[name] = [
            {"name": people[other], "similarity": round(float(similarity[other]), 4)}
            for other in nearest[:LOOK_ALIKES]
        ]
    return answer
