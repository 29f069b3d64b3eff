"""Remembers faces that were answered, and answers queries about them."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from face_det.boxes import intersection_over_union
from face_det.embedders import configurable_embedder
from face_det.errors import FaceDetError
from face_det.gallery import Gallery
from face_det.recognition import NO_NEGATIVES, SAME_FACE_IOU, Negatives, Recognizer
from face_det.service import sighting_arguments as checked
from face_det.service import wire
from face_det.service.candidates import with_candidates
from face_det.service.consumers import Consumers
from face_det.sightings import (
    CAMERA_BACK,
    CAMERA_EVENTS,
    Decide,
    ErasureCounts,
    Event,
    NegativeExample,
    SeenFace,
    SeenPicture,
    SightingStore,
    append_event,
    count_negatives,
    erase_name,
    erase_unknown,
    find_picture,
    find_sighting,
    find_sightings,
    find_thumbnail,
    find_unknown_at,
    find_unknowns,
    last_camera_event,
    read_negatives,
    unknown_number,
)
from face_det.types import UNKNOWN, Box, Face, Match

log = logging.getLogger(__name__)

THUMBNAIL_PX = 240
"""The longer side of a sighting's thumbnail, at most."""
PICTURE_PX = 1280
"""The longer side of a picture that is kept, at most."""

Encoding = npt.NDArray[np.float64]
Answered = Sequence[tuple[Face, Match]]


class WholePicture(NamedTuple):
    """A whole picture to keep, as a JPEG, and the width and height in pixels of what it was made of."""

    jpeg: bytes
    image_size: tuple[int, int]


class FollowedFace(NamedTuple):
    """A face of a track: what was measured, the track's answer and name, its frames, and those that agree."""

    face: Face
    match: Match
    track: str
    frames: int
    agreeing: int


class Memory:
    """The sightings behind the verbs. It adds to the store, and reads from it."""

    def __init__(self, store: SightingStore) -> None:
        self.store = store
        self.consumers = Consumers(store)
        self._handing_over = threading.Lock()
        self._forgotten: set[str] = set()
        self._recognizer: Recognizer | None = None
        self._camera_events: dict[str, str | None] = {}
        self._noting_cameras = threading.Lock()

    def follow(self, recognizer: Recognizer, encodings: Path) -> None:
        """Use this recognizer's decisions from now on; `encodings` is the file with those of the enrolled."""
        model = "none" if recognizer.model is None else recognizer.model.fingerprint
        if recognizer.model is not None:
            with self._handing_over:
                self._forgotten -= {checked.composed(name) for name in recognizer.model.labels}
        self._recognizer = recognizer
        decided_by = f"{recognizer.engine.fingerprint} {model} {self._last_negative()}"
        self.store.use(_decider(recognizer), lambda: _enrolled(recognizer, encodings), decided_by)

    def _last_negative(self) -> int:
        try:
            return self.store.read(count_negatives)
        except FaceDetError:
            return 0

    def negatives(self, fingerprint: str) -> Negatives:
        """Return the faces that users marked as not somebody's, as far as this embedder encoded them."""
        try:
            found = self.store.read(read_negatives)
        except FaceDetError as error:
            log.error("what users marked as wrong is not used: %s", error)
            return NO_NEGATIVES
        ours = [one for one in found if one.fingerprint == fingerprint]
        by_name: dict[str, list[NegativeExample]] = {}
        for one in ours:
            if one.name is not None:
                by_name.setdefault(one.name, []).append(one)
        ignored = [one for one in ours if one.name is None]
        return Negatives.of(
            {name: _rows(some) for name, some in by_name.items()},
            _rows(ignored) if ignored else None,
            fingerprint=fingerprint,
            qualities={name: [one.quality for one in some] for name, some in by_name.items()},
            everyone_qualities=[one.quality for one in ignored],
        )

    def remember_batch(
        self,
        images: Sequence[Any],
        answers: Mapping[tuple[int, int], wire.PersonAnswer],
        fingerprint: str,
        caller: str,
        pictures: Mapping[str, WholePicture],
    ) -> None:
        """Remember the faces of a detect_faces call, each face of an image once.

        An image may name its `camera`, `frame` and `time`; the frame is its path otherwise.
        """
        faces: dict[int, list[tuple[Face, Match]]] = {}
        first: dict[str, int] = {}
        for (index, _), answer in answers.items():
            # The same image may be listed several times.
            faces.setdefault(first.setdefault(images[index]["image"], index), []).extend(_own_first(answer))
        for index, found in faces.items():
            image = images[index]
            camera, frame, time = (_text(image, "camera"), _text(image, "frame"), image.get("time"))
            known = time if checked.is_time(time) else self.store.now()
            path = str(image["image"])
            self._hand_over(known, camera, caller, frame or path, fingerprint, found, pictures.get(path))

    def remember_faces(
        self,
        found: Answered,
        options: Mapping[str, Any],
        frame: str | None,
        fingerprint: str,
        caller: str,
        picture: WholePicture | None,
    ) -> None:
        """Remember the faces of a `recognize` call, unless its options say not to."""
        if options.get("remember") is False:
            return
        time = options.get("time")
        self._hand_over(
            self.store.now() if time is None else float(time),
            *(options.get("camera") or None, caller, options.get("frame") or frame),
            *(fingerprint, found, picture),
        )

    def remember_followed(
        self,
        where: SeenPicture,
        found: Sequence[FollowedFace],
        picture: WholePicture | None = None,
    ) -> None:
        """Remember faces that are followed, as those of a picture.

        `where` says when and where they were seen, by whose encodings, and who was seen beside them. With
        nobody in `found`, it only says that those are still to be seen.
        """
        faces = tuple(_seen(*one) for one in found)
        self._hand_over_faces(where, faces, picture)

    def unknowns_at(self, seen: Sequence[tuple[int, float, Box]], caller: str) -> dict[int, int]:
        """Return the numbers of the unknown people whom tracks of this caller show, by track.

        `seen` has tracks with the times and boxes of faces that were handed over, which are recorded first.
        """
        self.store.flush()

        def read(connection: sqlite3.Connection) -> dict[int, int]:
            found: dict[int, list[int]] = {}
            for track, time, box in seen:
                number = find_unknown_at(connection, time, caller, box)
                if number is not None:
                    found.setdefault(track, []).append(number)
            return {track: max(numbers, key=numbers.count) for track, numbers in found.items()}

        return self.store.read(read)

    def sightings(self, query: object = None) -> dict[str, Any]:
        """Return a page of sightings, newest first; see docs/reference/rpc.md."""
        wanted = checked.parse_query(query)

        def read(connection: sqlite3.Connection) -> dict[str, Any]:
            page = find_sightings(connection, wanted)
            return {**page, "items": with_candidates(connection, page["items"], self._recognizer)}

        return self.store.read(read)

    def sighting(self, identifier: object) -> dict[str, Any]:
        """Return everything that is kept of a sighting, except its pictures; raises UnknownSighting."""
        number = checked.require_id(identifier)

        def read(connection: sqlite3.Connection) -> dict[str, Any]:
            (item,) = with_candidates(connection, [find_sighting(connection, number)], self._recognizer)
            return item

        return self.store.read(read)

    def thumbnail(self, identifier: object) -> bytes:
        """Return the face of a sighting as a JPEG; raises UnknownSighting."""
        number = checked.require_id(identifier)
        return self.store.read(lambda connection: find_thumbnail(connection, number))

    def picture(self, identifier: object) -> bytes:
        """Return the whole picture of a sighting as a JPEG; raises UnknownSighting if it was not kept."""
        number = checked.require_id(identifier)
        return self.store.read(lambda connection: find_picture(connection, number))

    def unknowns(self) -> list[dict[str, Any]]:
        """Return the unknown people who have a number, most often seen first."""
        return self.store.read(find_unknowns)

    def forget(self, name: str, recognizer: Recognizer | None = None) -> ErasureCounts:
        """Erase all sightings of a person or, if `name` is an id such as unknown-3, of an unknown person.

        If `recognizer` knows the person, sightings without a name that it recognises go too, whatever users
        marked as not this person's. Calls that are still being answered may know the name; it is not kept
        until it is enrolled again.
        """
        decide = None
        if recognizer is not None and recognizer.model is not None and name in recognizer.model.labels:
            decide = _decider(replace(recognizer, negatives=NO_NEGATIVES))
        with self._handing_over:
            self._forgotten.add(checked.composed(name))
        store, number, now = self.store, unknown_number(name), self.store.now()

        def erase(connection: sqlite3.Connection) -> ErasureCounts:
            erased = erase_name(connection, store.people, name, now, decide)
            if number is not None and not erased.sightings:
                erased = erase_unknown(connection, store.people, number, now) or erased
            return erased

        return store.erase(erase)

    def note(self, kind: str, name: str | None, data: dict[str, Any]) -> None:
        """Write an event that is of no camera, without waiting for it."""
        event = Event(kind, self.store.now(), name=name, data=data)
        self.store.post(lambda connection: append_event(connection, event))

    def note_of(self, event: Event) -> None:
        """Write an event, without waiting for it, unless it names somebody who was just forgotten."""
        with self._handing_over:
            if event.name is None or checked.composed(event.name) not in self._forgotten:
                self.store.post(lambda connection: append_event(connection, event))

    def welcome(self, name: str) -> None:
        """Remember somebody again who was forgotten and is enrolled anew."""
        with self._handing_over:
            self._forgotten.discard(checked.composed(name))

    def note_cameras(self, states: Mapping[str, tuple[str, str | None]]) -> None:
        """Write an event for each camera whose state is new: by name, its state, and the reason or None.

        What was written before the daemon was started counts, so that a restart is no news.
        """
        with self._noting_cameras:
            for camera, (state, reason) in states.items():
                self._note_camera(camera, CAMERA_EVENTS.get(state), reason)

    def _note_camera(self, camera: str, kind: str | None, reason: str | None) -> None:
        if camera not in self._camera_events:
            self._camera_events[camera] = self.store.read(
                lambda connection: last_camera_event(connection, camera)
            )
        if kind is None or kind == (self._camera_events[camera] or CAMERA_BACK):
            return
        data = {} if reason is None else {"reason": reason}
        event = Event(kind, self.store.now(), camera=camera, data=data)
        self.store.write(lambda connection: append_event(connection, event))
        self._camera_events[camera] = kind

    def _hand_over(
        self,
        time: float,
        camera: str | None,
        caller: str,
        frame: str | None,
        fingerprint: str,
        found: Answered,
        picture: WholePicture | None,
    ) -> None:
        where = SeenPicture(time, camera, caller, frame, fingerprint, ())
        self._hand_over_faces(where, _distinct(found), picture)

    def _hand_over_faces(
        self, where: SeenPicture, faces: tuple[SeenFace, ...], picture: WholePicture | None
    ) -> None:
        with self._handing_over:
            gone = self._forgotten
            kept = tuple(face for face in faces if not (face.name and checked.composed(face.name) in gone))
            if kept or where.beside:
                # Nor may a whole picture show somebody who was just forgotten.
                jpeg, size = picture if picture is not None and len(kept) == len(faces) else (None, None)
                now = self.store.now()
                self.store.record(replace(where, faces=kept, picture=jpeg, recorded=now, image_size=size))


def _decider(recognizer: Recognizer) -> Decide:
    """Return the store's function for deciding encodings, such as those fused from several frames."""

    def decide(
        fingerprint: str, encodings: Sequence[Encoding], qualities: Sequence[float | None]
    ) -> list[Match] | None:
        if recognizer.engine.fingerprint != fingerprint:
            return None
        nowhere = Box(0, 0, 0, 0)
        faces = [
            Face(nowhere, 0.0, 0.0, None, encoding, quality=quality)
            for encoding, quality in zip(encodings, qualities, strict=True)
        ]
        return recognizer.match(faces, range(len(faces)))

    return decide


def _enrolled(recognizer: Recognizer, path: Path) -> dict[str, list[Encoding]]:
    """Return the encodings of everybody enrolled, by name, as the recognizer's embedder makes them."""
    gallery = Gallery.load(path)
    embedder = configurable_embedder(recognizer.engine.options.embedder)
    found: dict[str, list[Encoding]] = {}
    if embedder in gallery.embedders:
        for name, row in zip(gallery.names, gallery.of(embedder), strict=True):
            if name != UNKNOWN:
                found.setdefault(name, []).append(row)
    return found


def _rows(examples: Sequence[NegativeExample]) -> npt.NDArray[np.float64]:
    return np.array([one.encoding for one in examples])


def _text(image: Mapping[Any, Any], key: str) -> str | None:
    value = image.get(key)
    return value if isinstance(value, str) and value else None


def _own_first(answer: wire.PersonAnswer) -> Answered:
    if answer.own is None:
        return answer.faces
    own = answer.faces[answer.own]
    return (own, *(pair for index, pair in enumerate(answer.faces) if index != answer.own))


def _distinct(found: Answered) -> tuple[SeenFace, ...]:
    """Return each face once: boxes of people overlap, and both then hold the same faces."""
    kept: list[tuple[Face, Match]] = []
    for face, match in sorted(found, key=lambda pair: pair[1].name is None):
        if all(intersection_over_union(face.box, other.box) < SAME_FACE_IOU for other, _ in kept):
            kept.append((face, match))
    return tuple(_seen(face, match) for face, match in kept)


def _seen(face: Face, match: Match, track: str | None = None, frames: int = 1, agreeing: int = 1) -> SeenFace:
    encoding = None if face.encoding is None else np.asarray(face.encoding, np.float32)
    reason = None if match.reason is None else match.reason.value
    return SeenFace(
        box=face.box,
        score=float(face.score),
        outcome=match.outcome,
        name=match.name,
        probability=match.probability,
        reason=reason,
        quality=face.quality,
        norm=face.norm,
        encoding=encoding,
        thumbnail=face.thumbnail,
        track=track,
        track_frames=frames,
        agreeing=agreeing,
    )
