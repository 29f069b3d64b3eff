"""Writes what was seen into the database: sightings, their people, visits and events, in one transaction."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from face_det.embedders import configurable_embedder, distance_thresholds, embedder_from_fingerprint
from face_det.sightings.events import (
    AGREEING_FRAMES,
    CORROBORATED,
    SEEN,
    VISIT_BEGAN,
    VISIT_ENDED,
    Event,
    append_event,
)
from face_det.sightings.mergers import IGNORED_STATE, UNKNOWN_STATE
from face_det.sightings.people import ClusteredFace, TrackSoFar, UnknownPeople
from face_det.sightings.records import MemoryOptions, SeenFace, SeenPicture, unpack_picture
from face_det.sightings.schema import may_pass
from face_det.sightings.visits import AGREED, Track, Visit, Visits, find_track
from face_det.types import UNKNOWN, Match, Outcome

log = logging.getLogger(__name__)

Decide = Callable[
    [str, Sequence[npt.NDArray[np.float64]], "Sequence[float | None]"], "Sequence[Match] | None"
]
"""Decides who encodings with a fingerprint show, by qualities 0..1; None if they are another embedder's."""


@dataclass(slots=True)
class Recorder:
    """Records pictures; used by the writer's thread only."""

    options: MemoryOptions
    people: UnknownPeople
    visits: Visits
    decide: Decide = field(default=lambda *_: None)

    def record_packed(self, connection: sqlite3.Connection, shot: int, content: bytes) -> bool:
        """Record a packed picture; False if it cannot be recorded, which must not stop all that follow."""
        connection.execute("SAVEPOINT picture")
        try:
            self.record(connection, shot, unpack_picture(content))
            recorded = True
        except Exception as error:
            if isinstance(error, sqlite3.Error) and may_pass(error):
                raise
            connection.execute("ROLLBACK TO picture")
            self.people.reload(connection)
            self.visits.load(connection)
            log.exception("sighting %d cannot be recorded: %s", shot, error)
            recorded = False
        connection.execute("RELEASE picture")
        return recorded

    def record(self, connection: sqlite3.Connection, shot: int, seen: SeenPicture) -> None:
        """Record the faces of one picture; `shot` is its number."""
        if not seen.faces:
            self.visits.prolong(connection, seen)
            return
        visit, begun = self.visits.visit_of(connection, seen)
        for before in self.visits.replace(visit):
            self.end_visit(connection, before)
        if begun:
            began = Event(VISIT_BEGAN, seen.time, seen.camera, visit.id, recorded=seen.kept_from)
            append_event(connection, began)
        picture = None
        if self.options.frames and seen.picture is not None:
            values = (seen.picture, *(seen.image_size or (None, None)))
            picture = connection.execute(
                "INSERT INTO picture (jpeg, width, height) VALUES (?, ?, ?)", values
            ).lastrowid
        self.people.use(connection, seen.fingerprint)
        beside = [visit.followed[name] for name in seen.beside if name in visit.followed]
        taken = {track.number for track in beside}
        barred = {track.person for track in beside if track.person is not None}
        for face in seen.faces:
            track = find_track(visit, face, taken, _even_distance(seen.fingerprint))
            if track is not None:
                taken.add(track.number)
                visit.add(track, face)
            sighting = self._insert(connection, seen, face, visit, track, shot, picture)
            person = self._assign(connection, seen, face, visit, track, sighting, barred)
            if person is not None:
                barred.add(person)
            if track is not None:
                self._append_event(connection, seen, face, visit, track, sighting, person)

    def has_visits_to_end(self) -> bool:
        """Tell whether there is a visit in which nothing was seen for some time."""
        return self.visits.any_over()

    def end_visits(self, connection: sqlite3.Connection) -> None:
        """End the visits in which nothing was seen for some time."""
        for visit in self.visits.over():
            self.end_visit(connection, visit)

    def end_visit(self, connection: sqlite3.Connection, visit: Visit) -> None:
        """Mark a visit as ended, and say so."""
        connection.execute("UPDATE visit SET ended = 1 WHERE id = ?", (visit.id,))
        data = {"begun": visit.begun}
        append_event(
            connection,
            Event(VISIT_ENDED, visit.last, visit.camera, visit.id, data=data, recorded=visit.recorded),
        )

    def _insert(
        self,
        connection: sqlite3.Connection,
        seen: SeenPicture,
        face: SeenFace,
        visit: Visit,
        track: Track | None,
        shot: int,
        picture: int | None,
    ) -> int:
        encoding = None if face.encoding is None else np.asarray(face.encoding, "<f4").tobytes()
        done = connection.execute(
            "INSERT INTO sighting (time, recorded, camera, caller, frame, xmin, ymin, xmax, ymax, outcome,"
            " name, probability, reason, quality, score, norm, fingerprint, encoding, visit, track, shot,"
            " picture)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(seen.time, seen.kept_from, seen.camera, seen.caller, seen.frame),
                *(face.box.xmin, face.box.ymin, face.box.xmax, face.box.ymax),
                *(None if face.outcome is None else face.outcome.value, _enrolled_name(face)),
                *(face.probability, face.reason, face.quality, face.score, face.norm),
                *(None if encoding is None else seen.fingerprint, encoding),
                *(visit.id, 0 if track is None else track.number, shot, picture),
            ),
        )
        assert done.lastrowid is not None
        if face.thumbnail is not None:
            connection.execute("INSERT INTO thumbnail VALUES (?, ?)", (done.lastrowid, face.thumbnail))
        return done.lastrowid

    def _assign(
        self,
        connection: sqlite3.Connection,
        seen: SeenPicture,
        face: SeenFace,
        visit: Visit,
        track: Track | None,
        sighting: int,
        barred: set[int],
    ) -> int | None:
        if face.encoding is None or face.outcome is Outcome.KNOWN:
            return None
        clustered = ClusteredFace(
            sighting, seen.time, seen.kept_from, seen.camera, visit.id, face.quality, face.norm, face.encoding
        )
        if face.track is None or track is None:
            return self.people.assign(connection, clustered, barred)
        track.person = self.people.assign(
            connection, clustered, barred, TrackSoFar(track.person, face.track_frames)
        )
        return track.person

    def _append_event(
        self,
        connection: sqlite3.Connection,
        seen: SeenPicture,
        face: SeenFace,
        visit: Visit,
        track: Track,
        sighting: int,
        person: int | None,
    ) -> None:
        """Write an event if this face shows who the track is, and no event has reported it yet."""
        if person is not None:
            row = connection.execute("SELECT state, number FROM person WHERE id = ?", (person,)).fetchone()
            if row["state"] == IGNORED_STATE:
                return
            if row["state"] != UNKNOWN_STATE or row["number"] is None:
                person = None
        match = self._decide_track(seen.fingerprint, face, track)
        outcome = None if match.outcome is None else match.outcome.value
        name = match.name if match.outcome is Outcome.KNOWN else None
        if name is not None:
            what: str | int = name
        elif track.named or outcome is None or (face.track is not None and track.told):
            # Of somebody who is followed, only a name is still news.
            return
        else:
            what = person if person is not None else outcome
        # One event a visit for a person with a name or a number; for anybody else, one a track.
        told = track.told if what is outcome else visit.told
        key = ("name" if name is not None else "other", what)
        # What was decided from several pictures need not be this one's answer.
        frames = face.agreeing if (face.outcome, _enrolled_name(face)) == (match.outcome, name) else 0
        kind = self._news(visit, name, frames, is_told=key in told)
        if kind is not None:
            data = {"probability": match.probability, "quality": face.quality, "frames": frames}
            where = (seen.time, seen.camera, visit.id, sighting)
            who = (outcome, name, None if name else person, data)
            append_event(connection, Event(kind, *where, *who, recorded=seen.kept_from))
            told.add(key)
        if face.track is not None and name is None:
            track.told.add(key)
        track.named = track.named or name is not None

    def _news(self, visit: Visit, name: str | None, frames: int, *, is_told: bool) -> str | None:
        """Return the type of the event that is due, or None; note that so many frames agreed on a name."""
        first = name is not None and frames >= AGREEING_FRAMES and (AGREED, name) not in visit.told
        if first and name is not None:
            visit.told.add((AGREED, name))
        if not is_told:
            return SEEN
        return CORROBORATED if first else None

    def _decide_track(self, fingerprint: str, face: SeenFace, track: Track) -> Match:
        """Decide by all frames of the track together; one lucky frame names nobody."""
        own = Match(_enrolled_name(face), face.probability, None, face.outcome)
        if len(track.frames) == 1 or face.track is not None:
            # Whoever follows a face has decided by all its frames, of which only a few come here.
            return own
        decided = self.decide(fingerprint, [track.fused()], [track.best_quality])
        if decided is None:
            return own
        name = decided[0].name
        return decided[0] if name != UNKNOWN else Match(None, decided[0].probability, None, Outcome.UNKNOWN)


def _enrolled_name(face: SeenFace) -> str | None:
    """Return the name of somebody enrolled; Unknown is nobody's name."""
    return None if face.name == UNKNOWN else face.name


def _even_distance(fingerprint: str) -> float | None:
    try:
        return distance_thresholds(
            configurable_embedder(embedder_from_fingerprint(fingerprint))
        ).even_distance
    except KeyError:
        return None
