"""Unknown people: which sightings are one person's, and the numbers by which they are called.

A person is a row of the table `person`. The first clear face founds one, without a number; a number, as in
`unknown-3`, is minted when the person is seen again. Numbers and ids are never used twice. Where two people
turn out to be one, the older number survives and the other one leads to it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from face_det.embedders import configurable_embedder, count_dimensions, embedder_from_fingerprint
from face_det.sightings.clusters import Clusters
from face_det.sightings.mergers import (
    UNKNOWN_STATE,
    follow_mergers,
    list_cameras,
    merge_people,
    who_survives,
)
from face_det.sightings.next_number import mint_number
from face_det.training import ClusterParameters, cluster_parameters

Enrolled = Mapping[str, Sequence[npt.NDArray[np.float64]]]
"""The encodings of everybody enrolled."""


@dataclass(frozen=True, eq=False, slots=True)
class ClusteredFace:
    """What is needed to assign a sighting to a person."""

    sighting: int
    time: float
    recorded: float
    camera: str | None
    visit: int
    quality: float | None
    norm: float | None
    encoding: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TrackSoFar:
    """The track of a face that is followed: its unknown person so far, and its number of pictures."""

    person: int | None
    frames: int


NOT_FOLLOWED = TrackSoFar(None, 1)
SETTLED_FRAMES = 3
"""A face that was followed through so many pictures is as sure to be somebody as one seen twice."""


class UnknownPeople:
    """Assigns sightings to unknown people; used by the writer's thread only, within its transactions."""

    def __init__(self, number_after_visits: int = 1) -> None:
        self.number_after_visits = number_after_visits
        self._fingerprint = ""
        self._dimensions = 0
        self._clusters: Clusters | None = None
        self._enrolled: Enrolled = {}

    def use(self, connection: sqlite3.Connection, fingerprint: str) -> None:
        """Load the people whose encodings have this fingerprint, unless they are loaded."""
        if fingerprint != self._fingerprint:
            self.reload(connection, fingerprint)

    def begin(self, connection: sqlite3.Connection) -> None:
        """Load the people who were seen last, before the first face has to wait for that."""
        latest = connection.execute(
            "SELECT fingerprint FROM person ORDER BY recorded DESC LIMIT 1"
        ).fetchone()
        if latest is not None and not self._fingerprint:
            self.use(connection, latest["fingerprint"])
            if self._clusters is not None:
                self._clusters.nearest(np.zeros(self._dimensions))

    def reload(self, connection: sqlite3.Connection, fingerprint: str | None = None) -> None:
        """Load the people again: somebody was merged, split, named, ignored or forgotten."""
        self._fingerprint = self._fingerprint if fingerprint is None else fingerprint
        parameters = cluster_parameters(self._fingerprint)
        if parameters is None:
            self._clusters = None
            return
        self._dimensions = count_dimensions(
            configurable_embedder(embedder_from_fingerprint(self._fingerprint))
        )
        rows = connection.execute(
            "SELECT id, shaping, sum FROM person WHERE fingerprint = ? AND shaping > 0 AND state != 'merged'"
            " ORDER BY recorded DESC, id DESC LIMIT 100000",
            (self._fingerprint,),
        ).fetchall()
        rows.reverse()
        sums = np.frombuffer(b"".join(row["sum"] for row in rows), "<f4")
        ids, counts = [row["id"] for row in rows], [row["shaping"] for row in rows]
        self._clusters = Clusters(parameters, ids, counts, sums.reshape(len(ids), -1) if ids else ())
        self._attract()

    def forget(self, people: Iterable[int]) -> None:
        """Take no further faces for these people, who are forgotten."""
        for person in people:
            if self._clusters is not None and person in self._clusters:
                self._clusters.drop(person)

    def set_enrolled(self, enrolled: Enrolled) -> None:
        """Tell who is enrolled, with their encodings: faces most like them found no unknown person."""
        self._enrolled = enrolled
        self._attract()

    def assign(
        self,
        connection: sqlite3.Connection,
        face: ClusteredFace,
        barred: Collection[int],
        track: TrackSoFar = NOT_FOLLOWED,
    ) -> int | None:
        """Assign a sighting to a person, perhaps a new one; None if it belongs to nobody who is known of.

        `barred` holds the people to whom the other faces of the picture belong. A face that is followed
        founds nobody while its track has a person, however different it looks.
        """
        clusters = self._clusters
        if clusters is None or len(face.encoding) != self._dimensions:
            return None
        found = clusters.nearest(face.encoding, barred)
        before = None if track.person is None else self._still_unknown(connection, track.person)
        shapes = clusters.may_shape(face.norm, face.quality)
        if found is not None and found[0] < 0:
            return None
        person = found[0] if found is not None else before if before not in barred else None
        if person is not None:
            if shapes:
                clusters.join(person, face.encoding)
        elif shapes:
            person = self._found(connection, face)
        else:
            return None
        connection.execute(
            "UPDATE sighting SET person = ?, shapes = ? WHERE id = ?", (person, int(shapes), face.sighting)
        )
        count_sighting(connection, person, face)
        if shapes:
            self._save_sum(connection, person)
            person = self._merge_alike(connection, person, barred)
        if before is not None and before != person:
            person = self._merge_stray(connection, before, person)
        self.mint(connection, person, settled=track.frames >= SETTLED_FRAMES)
        return person

    def mint(self, connection: sqlite3.Connection, person: int, *, settled: bool = False) -> int | None:
        """Return the person's number, and give one to somebody who was seen often enough.

        Somebody `settled` was followed through several pictures, of which one may be all that is remembered.
        """
        row = connection.execute("SELECT * FROM person WHERE id = ?", (person,)).fetchone()
        seen_again = row["shaping"] >= 2 or (settled and row["shaping"] >= 1)
        often = seen_again and row["visits"] >= self.number_after_visits
        if row["number"] is None and row["state"] == UNKNOWN_STATE and often:
            return mint_number(connection, person)
        return None if row["number"] is None else int(row["number"])

    def _found(self, connection: sqlite3.Connection, face: ClusteredFace) -> int:
        done = connection.execute("INSERT INTO person (fingerprint) VALUES (?)", (self._fingerprint,))
        assert done.lastrowid is not None
        assert self._clusters is not None
        self._clusters.found(done.lastrowid, face.encoding)
        return done.lastrowid

    def _merge_alike(self, connection: sqlite3.Connection, person: int, barred: Collection[int]) -> int:
        """Merge the person with others, not `barred`, who turn out to be the same; return who survives."""
        assert self._clusters is not None
        for other, _ in self._clusters.mergeable(person):
            kept = None if other in barred else who_survives(connection, person, other)
            if kept is not None:
                absorbed = other if kept == person else person
                merge_people(connection, kept, absorbed)
                self._clusters.merge(kept, absorbed)
                self._save_sum(connection, kept)
                return self._merge_alike(connection, kept, barred)
        return person

    def _still_unknown(self, connection: sqlite3.Connection, person: int) -> int | None:
        """Return whom a track's person has become: somebody whom faces can join, or None."""
        row = follow_mergers(connection, "id", person)
        if row is None or self._clusters is None or row["id"] not in self._clusters:
            return None
        return int(row["id"])

    def _merge_stray(self, connection: sqlite3.Connection, before: int, person: int) -> int:
        """Merge whom a track founded with whom it turns out to show, unless that is known by a number."""
        assert self._clusters is not None
        row = connection.execute("SELECT number FROM person WHERE id = ?", (before,)).fetchone()
        kept = None if row["number"] is not None else who_survives(connection, before, person)
        if kept is None or before not in self._clusters:
            return person
        absorbed = before if kept == person else person
        merge_people(connection, kept, absorbed)
        self._clusters.merge(kept, absorbed)
        self._save_sum(connection, kept)
        return kept

    def _save_sum(self, connection: sqlite3.Connection, person: int) -> None:
        assert self._clusters is not None
        count, total = self._clusters.sum_of(person) if person in self._clusters else (0, None)
        data = None if total is None else np.asarray(total, "<f4").tobytes()
        connection.execute("UPDATE person SET shaping = ?, sum = ? WHERE id = ?", (count, data, person))

    def _attract(self) -> None:
        if self._clusters is None:
            return
        for old in [cluster for cluster in self._clusters.ids() if cluster < 0]:
            self._clusters.drop(old)
        for number, rows in enumerate(self._enrolled.values(), 1):
            # Others are another embedder's, until those of this one are told.
            fitting = [row for row in rows if len(row) == self._dimensions]
            for position, row in enumerate(fitting):
                if position == 0:
                    self._clusters.found(-number, row)
                else:
                    self._clusters.join(-number, row)


def assign_again(
    connection: sqlite3.Connection, people: UnknownPeople, row: sqlite3.Row, wrong: str | None = None
) -> int | None:
    """Assign a sighting without a person to an unknown one, but not to one who was given the wrong name."""
    if row["encoding"] is None:
        return None
    # The other faces of the picture are other people.
    barred = connection.execute(
        "SELECT person FROM sighting WHERE shot = ? AND id != ? AND person IS NOT NULL"
        " UNION SELECT id FROM person WHERE name = ?",
        (row["shot"], row["id"], wrong),
    ).fetchall()
    people.use(connection, row["fingerprint"])
    encoding = np.frombuffer(row["encoding"], "<f4")
    face = ClusteredFace(
        row["id"],
        row["time"],
        row["recorded"],
        row["camera"],
        row["visit"],
        row["quality"],
        row["norm"],
        encoding,
    )
    return people.assign(connection, face, [one["person"] for one in barred])


def count_sighting(connection: sqlite3.Connection, person: int, face: ClusteredFace) -> None:
    """Count a sighting in the row of its person, and with the cameras and visits."""
    connection.execute(
        "INSERT INTO person_camera VALUES (?, ?, 1)"
        " ON CONFLICT (person, camera) DO UPDATE SET sightings = sightings + 1",
        (person, face.camera or ""),
    )
    again = connection.execute(
        "UPDATE person_visit SET sightings = sightings + 1 WHERE person = ? AND visit = ?",
        (person, face.visit),
    ).rowcount
    if not again:
        connection.execute("INSERT INTO person_visit VALUES (?, ?, 1)", (person, face.visit))
    quality = face.quality or 0.0
    connection.execute(
        "UPDATE person SET sightings = sightings + 1, visits = visits + ?1,"
        " first = min(ifnull(first, ?2), ?2), last = max(ifnull(last, ?2), ?2),"
        " recorded = max(ifnull(recorded, ?6), ?6),"
        " best = CASE WHEN ?3 > ifnull(best_quality, -1) THEN ?4 ELSE best END,"
        " best_quality = max(ifnull(best_quality, -1), ?3) WHERE id = ?5",
        (0 if again else 1, face.time, quality, face.sighting, person, face.recorded),
    )
    list_cameras(connection, person)


def _rebuild_person(
    connection: sqlite3.Connection, person: int, parameters: ClusterParameters | None
) -> None:
    """Compute a person's row, with the sum of encodings, from the sightings that are the person's now."""
    for table in ("person_camera", "person_visit"):
        connection.execute(f"DELETE FROM {table} WHERE person = ?", (person,))
    connection.execute(
        "INSERT INTO person_camera SELECT person, ifnull(camera, ''), count(*) FROM sighting WHERE person = ?"
        " GROUP BY 2",
        (person,),
    )
    connection.execute(
        "INSERT INTO person_visit SELECT person, visit, count(*) FROM sighting WHERE person = ? GROUP BY 2",
        (person,),
    )
    shaping, total = 0, None
    if parameters is not None:
        for row in connection.execute(
            "SELECT encoding FROM sighting WHERE person = ? AND shapes = 1 ORDER BY id", (person,)
        ):
            prepared = parameters.prepare(np.frombuffer(row["encoding"], "<f4"))
            total = prepared if total is None else total + prepared
            shaping += 1
    connection.execute(
        # Somebody without sightings was last seen when they still had some, and is forgotten in time.
        "UPDATE person SET (sightings, first, last, recorded) ="
        " (SELECT count(*), ifnull(min(time), first), ifnull(max(time), last),"
        " ifnull(max(sighting.recorded), person.recorded)"
        " FROM sighting WHERE person = ?1),"
        " visits = (SELECT count(*) FROM person_visit WHERE person = ?1),"
        " (best, best_quality) = (SELECT id, ifnull(quality, 0) FROM sighting WHERE person = ?1"
        " ORDER BY quality DESC, id LIMIT 1), shaping = ?2, sum = ?3 WHERE id = ?1",
        (person, shaping, None if total is None else np.asarray(total, "<f4").tobytes()),
    )
    list_cameras(connection, person)


def rebuild_people(connection: sqlite3.Connection, people: Iterable[int]) -> None:
    """Compute the rows of people again, from the sightings that are theirs now."""
    for person in people:
        found = connection.execute("SELECT fingerprint FROM person WHERE id = ?", (person,)).fetchone()
        if found is not None:
            _rebuild_person(connection, person, cluster_parameters(found["fingerprint"]))
