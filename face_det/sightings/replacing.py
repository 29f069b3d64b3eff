"""Replaces all sightings: by nothing, or by those of another database.

The rows are replaced in one transaction of the database in use, so that its readers see the old or the new,
and numbers of events and of unknown people are never given twice.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

from face_det.errors import DataError
from face_det.sightings import schema
from face_det.sightings.events import FORGOTTEN, Event, append_event
from face_det.sightings.next_number import read_next_number, write_next_number
from face_det.sightings.pending_photos import read_pending_photos
from face_det.sightings.people import UnknownPeople

_TABLES = (
    *("person", "person_camera", "person_visit", "visit", "sighting"),
    *("thumbnail", "picture", "change", "negative", "renaming", "renamed"),
)
_META = ("decided_by", "photos_due")
"""The notes that belong to the rows, not to the file and its spool."""
_ENCODINGS = (("person", "sum"), ("sighting", "encoding"), ("negative", "encoding"))
_NOT_JSON = (
    "SELECT 1 FROM event WHERE data IS NOT NULL AND NOT json_valid(data)",
    "SELECT 1 FROM person WHERE NOT json_valid(cameras)",
    "SELECT 1 FROM change WHERE NOT json_valid(data)"
    " OR ifnull(json_type(data, '$.people'), '') != 'array'"
    " OR ifnull(json_type(data, '$.sightings'), '') != 'array'",
)


def erase_everything(connection: sqlite3.Connection, people: UnknownPeople, now: float) -> int:
    """Erase all sightings, unknown people, events, changes and negatives; return how many sightings."""
    count = _count(connection)
    _delete_rows(connection)
    append_event(connection, Event(FORGOTTEN, now, data={"sightings": count}))
    people.reload(connection)
    return count


def take_over_sightings(connection: sqlite3.Connection, people: UnknownPeople, source: Path) -> int:
    """Replace everything by the rows of a database that `check_sightings` made; return how many sightings.

    Its events are taken over only if they were written to this very log. Otherwise, whoever waits for events
    would take old ones for new.
    """
    with contextlib.closing(_open_read_only(source)) as other:
        _delete_rows(connection)
        _copy_rows(other, connection)
        if _meta(other, "log") == _meta(connection, "log"):
            _copy_table(other, connection, "event")
    people.reload(connection)
    return _count(connection)


def check_sightings(source: Path, target: Path) -> int:
    """Copy the rows of a database of unknown origin to a new one at `target`; return how many sightings.

    The source may be brought up to this version. Raises DataError if it is damaged, of a later version, or no
    database of sightings.
    """
    try:
        with contextlib.closing(_open_read_only(source)) as other:
            _require_plain(other, source)
        with contextlib.closing(schema.open_database(source, suspect=True)):
            pass
        with (
            contextlib.closing(_open_read_only(source)) as other,
            contextlib.closing(schema.open_database(target)) as made,
        ):
            made.execute("BEGIN IMMEDIATE")
            _copy_rows(other, made)
            _copy_table(other, made, "event")
            made.execute("INSERT OR REPLACE INTO meta VALUES ('log', ?)", (_meta(other, "log"),))
            _require_usable(made, source)
            count = _count(made)
            made.execute("COMMIT")
            # In its own file alone.
            made.execute("PRAGMA journal_mode = DELETE")
    except (sqlite3.Error, ValueError, TypeError) as error:
        raise DataError(f"{source.name}: must be a database of sightings, got {error}") from error
    return count


def _open_read_only(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _require_plain(other: sqlite3.Connection, source: Path) -> None:
    """Raise DataError unless it is a sound database with tables and indexes alone."""
    version = int(other.execute("PRAGMA user_version").fetchone()[0])
    if not 1 <= version <= len(schema.MIGRATIONS):
        raise DataError(
            f"{source.name}: must be of version 1 to {len(schema.MIGRATIONS)}, got {version}; "
            "it may come from a newer face-det"
        )
    odd = "SELECT name FROM sqlite_master WHERE type NOT IN ('table', 'index') OR sql LIKE 'CREATE VIRTUAL%'"
    if (found := other.execute(odd).fetchone()) is not None:
        raise DataError(f"{source.name}: must have only tables and indexes, got {found[0]!a:.60}")
    if (found := other.execute("PRAGMA integrity_check(1)").fetchone())[0] != "ok":
        raise DataError(f"{source.name}: damaged: {found[0]:.80}")


def _require_usable(made: sqlite3.Connection, source: Path) -> None:
    """Raise DataError for values that later queries would stumble over."""
    for table, column in _ENCODINGS:
        lengths = f"SELECT fingerprint FROM {table} WHERE {column} IS NOT NULL GROUP BY fingerprint HAVING"
        wrong = f"min(typeof({column}) = 'blob' AND length({column}) % 4 = 0) = 0"
        if made.execute(f"{lengths} {wrong} OR count(DISTINCT length({column})) > 1").fetchone() is not None:
            raise DataError(f"{source.name}: {table}.{column}: must hold encodings of one length")
    for query in _NOT_JSON:
        if made.execute(query).fetchone() is not None:
            raise DataError(f"{source.name}: must hold JSON where it is expected, got something else")
    read_pending_photos(made)
    json.dumps(_meta(made, "log"))


def _delete_rows(connection: sqlite3.Connection) -> None:
    for table in (*_TABLES, "event"):
        connection.execute(f"DELETE FROM {table}")
    for key in _META:
        connection.execute("DELETE FROM meta WHERE key = ?", (key,))


def _copy_rows(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    for table in _TABLES:
        _copy_table(source, target, table)
    # The changes to photos that they followed are another journal's.
    target.execute("UPDATE renaming SET number = NULL")
    for key in _META:
        if (value := _meta(source, key)) is not None:
            target.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
    write_next_number(target, max(read_next_number(source), read_next_number(target)))


def _copy_table(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> None:
    columns = [row[1] for row in target.execute(f"PRAGMA table_info({table})").fetchall()]
    rows = source.execute(f"SELECT {', '.join(columns)} FROM {table}")
    target.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", rows)


def _meta(connection: sqlite3.Connection, key: str) -> object:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else row[0]


def _count(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM sighting").fetchone()[0])
