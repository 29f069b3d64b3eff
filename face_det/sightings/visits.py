"""Visits and tracks: faces of one camera close in time, and those among them that are one person's."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from face_det.recognition import fuse_encodings
from face_det.sightings.events import AGREEING_FRAMES
from face_det.sightings.records import SeenFace, SeenPicture

FRAMES_PER_TRACK = 24
"""Of each track, the encodings of so many of the best frames are kept in memory."""
TRACKS_PER_VISIT = 64
MAX_VISIT_S = 3600.0
"""A visit that has lasted so long ends, even if somebody is always to be seen: one event a day is too few."""
SIDE_BY_SIDE = 4
"""So many visits of one place may be open: of sources with one camera's name whose clocks differ, say."""

Told = tuple[str, "str | int"]
"""`("name", NAME)` for somebody enrolled, `(AGREED, NAME)` once several frames agreed on that, or
`("other", ...)` with an unknown person's row or an outcome."""
AGREED = "agreed"

Vector = npt.NDArray[np.float64]


@dataclass(eq=False, slots=True)
class Track:
    """What is known of one person's faces in one visit. `number` tells it from others of the visit."""

    number: int
    frames: list[tuple[float, Vector]] = field(default_factory=list)
    """The quality and the encoding of each, best first; 1 where the quality is not known."""
    best_quality: float = 0.0
    named: bool = False
    """True if an event said who it is."""
    told: set[Told] = field(default_factory=set)
    """The outcomes without a name of which an event was written."""
    person: int | None = None
    """The row of the unknown person that a followed track belongs to."""
    _fused: Vector | None = None

    def add(self, face: SeenFace) -> None:
        """Take account of a face."""
        assert face.encoding is not None
        self.frames.append((1.0 if face.quality is None else face.quality, np.asarray(face.encoding, float)))
        self.frames.sort(key=lambda frame: -frame[0])
        del self.frames[FRAMES_PER_TRACK:]
        self.best_quality = max(self.best_quality, face.quality or 0.0)
        self._fused = None

    def fused(self) -> Vector:
        """Return one encoding for all frames, the clearer ones counting more (`fuse_encodings`)."""
        if self._fused is None:
            self._fused = fuse_encodings(*zip(*self.frames, strict=True))
        return self._fused


@dataclass(eq=False, slots=True)
class Visit:
    """Faces that one camera saw close in time. `place` is the camera or, without one, the caller.

    `followed` has the tracks of faces that a caller follows, by its name for them.
    """

    id: int
    place: str
    camera: str | None
    begun: float
    last: float
    recorded: float
    """When the last face was handed over."""
    touched: float
    """When the last face was recorded, on the monotonic clock."""
    tracks: list[Track] = field(default_factory=list)
    next_number: int = 1
    told: set[Told] = field(default_factory=set)
    """The names and unknown people of whom an event was written."""
    followed: dict[str, Track] = field(default_factory=dict)
    _rows: Vector = field(default_factory=lambda: np.empty((0, 0)))
    """The fused encodings of the tracks, each in the row of its number modulo TRACKS_PER_VISIT."""

    def begin_track(self) -> Track:
        """Begin a track; the oldest of very many is forgotten."""
        track = Track(self.next_number)
        self.next_number += 1
        self.tracks.append(track)
        del self.tracks[:-TRACKS_PER_VISIT]
        return track

    def add(self, track: Track, face: SeenFace) -> None:
        """Take account of a face of a track."""
        track.add(face)
        self._keep_row(track)

    def follow(self, name: str, track: Track) -> None:
        """Take faces of the caller's track `name` for this track's from now on."""
        self.followed[name] = track
        while len(self.followed) > TRACKS_PER_VISIT:
            del self.followed[next(iter(self.followed))]

    def nearest_track(self, encoding: Vector, taken: Collection[int]) -> tuple[Track, float] | None:
        """Return the track nearest to an encoding, and how far away it is, or None; not one of `taken`."""
        if not self.tracks:
            return None
        if self._rows.shape[1] != len(encoding):
            self._rows = np.full((TRACKS_PER_VISIT, len(encoding)), np.inf)
            for track in self.tracks:
                self._keep_row(track)
        apart = self._rows - encoding
        squares = np.einsum("ij,ij->i", apart, apart)
        oldest = self.next_number - TRACKS_PER_VISIT
        squares[[number % TRACKS_PER_VISIT for number in taken if number >= oldest]] = np.inf
        nearest = int(squares.argmin())
        if squares[nearest] == np.inf:
            return None
        track = next(track for track in reversed(self.tracks) if track.number % TRACKS_PER_VISIT == nearest)
        return track, float(squares[nearest]) ** 0.5

    def _keep_row(self, track: Track) -> None:
        if self._rows.shape[1]:
            fused = track.fused()
            # Of another embedder there may be some, from before it was changed.
            fits = len(fused) == self._rows.shape[1]
            self._rows[track.number % TRACKS_PER_VISIT] = fused if fits else np.inf


class Visits:
    """The open visits, in memory and in the database; used by the writer's thread only.

    A place may have several: two sources with one camera's name may differ in their times by more than the
    gap. If each picture ended the other's visit, both would report the same people again and again.
    """

    def __init__(self, gap_s: float, monotonic: Callable[[], float]) -> None:
        self.gap_s = gap_s
        self._monotonic = monotonic
        self._open: dict[str, list[Visit]] = {}

    def load(self, connection: sqlite3.Connection) -> None:
        """Continue the visits that were open when the daemon ended."""
        self._open.clear()
        for row in connection.execute("SELECT * FROM visit WHERE ended = 0 ORDER BY id").fetchall():
            visit = Visit(
                row["id"],
                row["place"],
                row["camera"],
                row["begun"],
                row["last"],
                row["recorded"],
                self._monotonic(),
            )
            self._load_tracks(connection, visit)
            self._open.setdefault(visit.place, []).append(visit)

    def visit_of(self, connection: sqlite3.Connection, seen: SeenPicture) -> tuple[Visit, bool]:
        """Return the visit that a picture belongs to, and whether it began with it.

        A picture from before or after each by more than the gap begins another one, also where the clock was
        set back.
        """
        place = _place_of(seen)
        for visit in reversed(self._open.get(place, [])):
            if self._continues(visit, seen.time):
                self._extend(connection, visit, seen)
                return visit, False
        done = connection.execute(
            "INSERT INTO visit (place, camera, begun, last, recorded) VALUES (?, ?, ?, ?, ?)",
            (place, seen.camera, seen.time, seen.time, seen.kept_from),
        )
        assert done.lastrowid is not None
        fresh = Visit(
            done.lastrowid, place, seen.camera, seen.time, seen.time, seen.kept_from, self._monotonic()
        )
        return fresh, True

    def prolong(self, connection: sqlite3.Connection, seen: SeenPicture) -> None:
        """Keep the open visit going while somebody who is followed in it is still to be seen."""
        for visit in reversed(self._open.get(_place_of(seen), [])):
            followed = any(name in visit.followed for name in seen.beside)
            if followed and self._continues(visit, seen.time):
                self._extend(connection, visit, seen)
                return

    def _extend(self, connection: sqlite3.Connection, visit: Visit, seen: SeenPicture) -> None:
        visit.begun, visit.last = min(visit.begun, seen.time), max(visit.last, seen.time)
        visit.touched, visit.recorded = self._monotonic(), seen.kept_from
        connection.execute(
            "UPDATE visit SET begun = ?, last = ?, recorded = ? WHERE id = ?",
            (visit.begun, visit.last, visit.recorded, visit.id),
        )

    def _continues(self, visit: Visit, time: float) -> bool:
        return self._is_near(visit, time) and time - visit.begun <= MAX_VISIT_S

    def _is_near(self, visit: Visit, time: float) -> bool:
        return visit.begun - self.gap_s <= time <= visit.last + self.gap_s

    def replace(self, visit: Visit) -> list[Visit]:
        """Make this the current visit of its place, and return the open ones that it ends.

        These are one that it continues because that has lasted too long, and the longest unused of too many.
        """
        others = [one for one in self._open.get(visit.place, []) if one is not visit]
        ended = [one for one in others if self._is_near(one, visit.begun)]
        kept = [one for one in others if one not in ended]
        surplus = max(0, len(kept) + 1 - SIDE_BY_SIDE)
        self._open[visit.place] = [*kept[surplus:], visit]
        return [*ended, *kept[:surplus]]

    def any_over(self) -> bool:
        """Tell whether `over` would return any."""
        now = self._monotonic()
        return any(self._is_over(visit, now) for visits in self._open.values() for visit in visits)

    def over(self) -> list[Visit]:
        """Remove and return the visits in which nothing was seen for longer than the gap."""
        now = self._monotonic()
        over = [one for visits in self._open.values() for one in visits if self._is_over(one, now)]
        for visit in over:
            self._open[visit.place].remove(visit)
            if not self._open[visit.place]:
                del self._open[visit.place]
        return over

    def _is_over(self, visit: Visit, now: float) -> bool:
        return now - visit.touched > self.gap_s

    def _load_tracks(self, connection: sqlite3.Connection, visit: Visit) -> None:
        tracks: dict[int, Track] = {}
        rows = connection.execute(
            "SELECT track, quality, encoding FROM sighting WHERE visit = ? ORDER BY id DESC LIMIT 500",
            (visit.id,),
        )
        for row in rows.fetchall():
            track = tracks.setdefault(row["track"], Track(row["track"]))
            if row["encoding"] is not None:
                quality = 1.0 if row["quality"] is None else row["quality"]
                track.frames.append((quality, np.frombuffer(row["encoding"], "<f4").astype(float)))
                track.best_quality = max(track.best_quality, row["quality"] or 0.0)
        for track in tracks.values():
            track.frames.sort(key=lambda frame: -frame[0])
            del track.frames[FRAMES_PER_TRACK:]
        for row in connection.execute(
            "SELECT event.outcome, event.name, event.person, event.data, sighting.track FROM event"
            " JOIN sighting ON sighting.id = event.sighting"
            " WHERE event.visit = ? AND event.type IN ('seen', 'corroborated')",
            (visit.id,),
        ).fetchall():
            track = tracks.get(row["track"], Track(0))
            if row["name"] is not None:
                visit.told.add(("name", row["name"]))
                if json.loads(row["data"] or "{}").get("frames", 0) >= AGREEING_FRAMES:
                    visit.told.add((AGREED, row["name"]))
                track.named = True
            elif row["person"] is not None:
                visit.told.add(("other", row["person"]))
            elif row["outcome"] is not None:
                track.told.add(("other", row["outcome"]))
        # Of all sightings, not only of those that were loaded.
        most = connection.execute("SELECT ifnull(max(track), 0) FROM sighting WHERE visit = ?", (visit.id,))
        visit.next_number = int(most.fetchone()[0]) + 1
        oldest = visit.next_number - TRACKS_PER_VISIT
        visit.tracks = [tracks[at] for at in sorted(tracks) if at >= oldest and tracks[at].frames]


def _place_of(seen: SeenPicture) -> str:
    return f"camera {seen.camera}" if seen.camera is not None else f"caller {seen.caller}"


def find_track(visit: Visit, face: SeenFace, taken: set[int], even_distance: float | None) -> Track | None:
    """Return the track of the visit that a face continues, or a new one; None for a face without encoding.

    `taken` holds the tracks of the other faces of the picture, which are other people. Two encodings nearer
    than `even_distance` are likelier one person's than two people's; None if that is not known. A face that
    the caller follows stays with its track, whatever it looks like meanwhile.
    """
    if face.encoding is None:
        return None
    track = None if face.track is None else visit.followed.get(face.track)
    if track is None and even_distance is not None:
        found = visit.nearest_track(np.asarray(face.encoding, float), taken)
        track = found[0] if found is not None and found[1] <= even_distance else None
    track = visit.begin_track() if track is None else track
    if face.track is not None:
        visit.follow(face.track, track)
    return track
