"""Everything that is kept about one person, written into a zip."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np

from face_det.sightings.former_names import former_names
from face_det.sightings.identifiers import unknown_id
from face_det.sightings.mergers import resolve_person

MAX_PICTURE_BYTES = 100 * 2**20
"""Thumbnails and pictures, the latest first, fill the zip up to about this size."""


@dataclass(slots=True)
class ExportCounts:
    """How much was written, and how many pictures were left out for lack of space."""

    sightings: int = 0
    pictures: int = 0
    left_out: int = 0


def export_sightings(
    connection: sqlite3.Connection, archive: zipfile.ZipFile, name: str, number: int | None
) -> ExportCounts:
    """Write what is kept under a name and, if `number` is given, of the unknown person with that number.

    The archive gains sightings.json, with encodings, events.json, changes.json, negatives.json, and a JPEG
    for each thumbnail and each whole picture.
    """
    persons = [row["id"] for row in connection.execute("SELECT id FROM person WHERE name = ?", (name,))]
    unknown = None if number is None else resolve_person(connection, number)
    if unknown is not None:
        persons.append(unknown["id"])
    marks = ", ".join("?" * len(persons)) or "NULL"
    rows = connection.execute(
        f"SELECT * FROM sighting WHERE name = ? OR person IN ({marks}) ORDER BY time DESC, id DESC",
        (name, *persons),
    ).fetchall()
    _write_json(archive, "sightings.json", [_plain(row) for row in rows])
    people = connection.execute(f"SELECT * FROM person WHERE id IN ({marks})", persons).fetchall()
    _write_json(archive, "unknown_people.json", [_person(row) for row in people])
    _write_json(archive, "events.json", [dict(row) for row in _events(connection, name, persons)])
    negatives = connection.execute(
        f"SELECT * FROM negative WHERE name = ? OR person IN ({marks}) ORDER BY id", (name, *persons)
    ).fetchall()
    _write_json(archive, "negatives.json", [_plain(row) for row in negatives])
    ids = {row["id"] for row in rows}
    changes = [
        {key: row[key] for key in ("id", "time", "verb", "caller", "undone")}
        for row in connection.execute("SELECT * FROM change ORDER BY id")
        if _concerns(json.loads(row["data"]), ids, set(persons))
    ]
    _write_json(archive, "changes.json", changes)
    return _write_pictures(connection, archive, rows)


def _events(connection: sqlite3.Connection, name: str, persons: list[int]) -> list[sqlite3.Row]:
    """Return what was told of a person, also under names that it had then."""
    marks = ", ".join("?" * len(persons)) or "NULL"
    found = connection.execute(
        f"SELECT * FROM event WHERE name = ? OR person IN ({marks}) OR instr(ifnull(data, ''), ?)",
        (name, *persons, json.dumps(name)),
    ).fetchall()
    for former in former_names(connection, name):
        # Somebody else may have been given the name since.
        found += connection.execute(
            "SELECT * FROM event WHERE seq <= ? AND (name = ? OR instr(ifnull(data, ''), ?))",
            (former.event, former.name, json.dumps(former.name)),
        )
    return sorted({row["seq"]: row for row in found}.values(), key=lambda row: int(row["seq"]))


def _write_pictures(
    connection: sqlite3.Connection, archive: zipfile.ZipFile, rows: list[sqlite3.Row]
) -> ExportCounts:
    counts, room, written = ExportCounts(sightings=len(rows)), MAX_PICTURE_BYTES, set()
    for row in rows:
        for table, key, value in (
            ("thumbnail", "sighting", row["id"]),
            ("picture", "id", row["picture"]),
        ):
            found = connection.execute(f"SELECT jpeg FROM {table} WHERE {key} = ?", (value,)).fetchone()
            if found is None or (table, value) in written:
                continue
            if len(found[0]) > room:
                counts.left_out += 1
                continue
            room -= len(found[0])
            written.add((table, value))
            archive.writestr(f"{table}s/{value}.jpg", found[0], zipfile.ZIP_STORED)
            counts.pictures += 1
    return counts


def _plain(row: sqlite3.Row) -> dict[str, Any]:
    fields = dict(row)
    if fields["encoding"] is not None:
        fields["encoding"] = [round(float(one), 6) for one in np.frombuffer(fields["encoding"], "<f4")]
    return fields


def _person(row: sqlite3.Row) -> dict[str, Any]:
    fields = {key: row[key] for key in ("state", "name", "sightings", "visits", "first", "last")}
    total = None if row["sum"] is None else [round(float(one), 6) for one in np.frombuffer(row["sum"], "<f4")]
    return {"id": row["number"] and unknown_id(row["number"]), **fields, "sumOfEncodings": total}


def _concerns(data: dict[str, Any], sightings: set[int], persons: set[int]) -> bool:
    touched = {fields["id"] for fields in data["sightings"]} & sightings
    return bool(touched or {fields["id"] for fields in data["people"]} & persons)


def _write_json(archive: zipfile.ZipFile, name: str, value: object) -> None:
    archive.writestr(name, json.dumps(value, indent=1, ensure_ascii=False), zipfile.ZIP_DEFLATED)
