"""The tables, their versions, and opening the database: a damaged one goes aside, an older one is updated."""

from __future__ import annotations

import logging
import os
import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path

from face_det.errors import CannotWrite, DataError
from face_det.media import read_jpeg_size
from face_det.storage import make_folder, report_write_errors

log = logging.getLogger(__name__)

DATABASE_NAME = "sightings.sqlite"
DAMAGED_MARK = ".damaged-"
BUSY_S = 5.0
"""How long a statement waits for another process that has the database locked."""
QUICK_CHECK_BYTES = 64 * 2**20
"""Larger databases are not checked as a whole at the start; their damage shows when they are used."""

_TABLES = """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE person (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        number INTEGER UNIQUE,
        state TEXT NOT NULL DEFAULT 'unknown',
        name TEXT,
        merged_into INTEGER,
        edited INTEGER NOT NULL DEFAULT 0,
        fingerprint TEXT NOT NULL,
        shaping INTEGER NOT NULL DEFAULT 0,
        sum BLOB,
        sightings INTEGER NOT NULL DEFAULT 0,
        visits INTEGER NOT NULL DEFAULT 0,
        first REAL, last REAL, recorded REAL,
        best INTEGER, best_quality REAL
    );
    CREATE INDEX person_most_seen ON person (sightings DESC, id)
        WHERE state = 'unknown' AND number IS NOT NULL;
    CREATE INDEX person_recorded ON person (recorded);
    CREATE INDEX person_merged ON person (merged_into) WHERE merged_into IS NOT NULL;
    CREATE TABLE person_camera (
        person INTEGER NOT NULL, camera TEXT NOT NULL, sightings INTEGER NOT NULL,
        PRIMARY KEY (person, camera)
    ) WITHOUT ROWID;
    CREATE TABLE person_visit (
        person INTEGER NOT NULL, visit INTEGER NOT NULL, sightings INTEGER NOT NULL,
        PRIMARY KEY (person, visit)
    ) WITHOUT ROWID;
    CREATE TABLE visit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        place TEXT NOT NULL, camera TEXT,
        begun REAL NOT NULL, last REAL NOT NULL, recorded REAL NOT NULL,
        ended INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX visit_open ON visit (id) WHERE ended = 0;
    CREATE INDEX visit_ended ON visit (recorded) WHERE ended = 1;
    CREATE TABLE sighting (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        time REAL NOT NULL, recorded REAL NOT NULL, camera TEXT, caller TEXT NOT NULL, frame TEXT,
        xmin REAL, ymin REAL, xmax REAL, ymax REAL,
        outcome TEXT, name TEXT, probability REAL, reason TEXT,
        quality REAL, score REAL, norm REAL,
        fingerprint TEXT, encoding BLOB,
        visit INTEGER NOT NULL, track INTEGER NOT NULL,
        person INTEGER, former INTEGER, shapes INTEGER NOT NULL DEFAULT 0, edited INTEGER NOT NULL DEFAULT 0,
        shot INTEGER NOT NULL, picture INTEGER
    );
    CREATE INDEX sighting_time ON sighting (time, id);
    CREATE INDEX sighting_recorded ON sighting (recorded, id);
    CREATE INDEX sighting_camera ON sighting (camera, time, id);
    CREATE INDEX sighting_outcome ON sighting (outcome, time, id);
    CREATE INDEX sighting_name ON sighting (name, time, id) WHERE name IS NOT NULL;
    CREATE INDEX sighting_person ON sighting (person, time, id) WHERE person IS NOT NULL;
    CREATE INDEX sighting_visit ON sighting (visit);
    CREATE INDEX sighting_shot ON sighting (shot);
    CREATE INDEX sighting_picture ON sighting (picture) WHERE picture IS NOT NULL;
    CREATE TABLE thumbnail (sighting INTEGER PRIMARY KEY, jpeg BLOB NOT NULL);
    CREATE TABLE picture (id INTEGER PRIMARY KEY AUTOINCREMENT, jpeg BLOB NOT NULL);
    CREATE TABLE event (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        time REAL NOT NULL, recorded REAL NOT NULL, type TEXT NOT NULL,
        camera TEXT, visit INTEGER, sighting INTEGER,
        outcome TEXT, name TEXT, person INTEGER, data TEXT
    );
    CREATE UNIQUE INDEX event_known ON event (visit, name) WHERE type = 'seen' AND outcome = 'known';
    CREATE INDEX event_recorded ON event (recorded);
    CREATE INDEX event_name ON event (name) WHERE name IS NOT NULL;
    CREATE INDEX event_person ON event (person) WHERE person IS NOT NULL;
    CREATE TABLE cursor (consumer TEXT PRIMARY KEY, seq INTEGER NOT NULL, time REAL NOT NULL) WITHOUT ROWID;
    CREATE TABLE change (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        time REAL NOT NULL, verb TEXT NOT NULL, caller TEXT NOT NULL, data TEXT NOT NULL,
        undone INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE negative (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT, person INTEGER, sighting INTEGER, change INTEGER,
        fingerprint TEXT NOT NULL, encoding BLOB NOT NULL, norm REAL, quality REAL
    );
    CREATE INDEX negative_name ON negative (name);
"""


def _create(connection: sqlite3.Connection) -> None:
    for statement in _TABLES.split(";"):
        connection.execute(statement)
    connection.execute("INSERT INTO meta VALUES ('log', ?)", (secrets.token_hex(4),))


LIST_CAMERAS = """
    UPDATE person SET cameras = (
        SELECT json_group_array(camera) FROM (
            SELECT camera FROM person_camera WHERE person_camera.person = person.id AND camera != ''
            ORDER BY person_camera.sightings DESC, camera
        )
    )"""
"""Writes the cameras of people into their rows, as JSON, those with the most sightings first."""


def _add_cameras(connection: sqlite3.Connection) -> None:
    """Let one index hold all that is told of an unknown person, so that a list of many reads nothing else."""
    connection.execute("ALTER TABLE person ADD COLUMN cameras TEXT NOT NULL DEFAULT '[]'")
    connection.execute(LIST_CAMERAS)
    connection.execute("DROP INDEX person_most_seen")
    connection.execute(
        "CREATE INDEX person_most_seen"
        " ON person (sightings DESC, id, state, number, visits, first, last, best, cameras)"
        " WHERE state = 'unknown' AND number IS NOT NULL"
    )


def _add_renamings(connection: sqlite3.Connection) -> None:
    """Note who was renamed, and which rows followed."""
    connection.execute(
        "CREATE TABLE renaming (id INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER, time REAL NOT NULL,"
        " former TEXT NOT NULL, name TEXT NOT NULL, change INTEGER NOT NULL, event INTEGER NOT NULL)"
    )
    connection.execute(
        "CREATE TABLE renamed (renaming INTEGER NOT NULL, kind TEXT NOT NULL, row INTEGER NOT NULL,"
        " PRIMARY KEY (renaming, kind, row)) WITHOUT ROWID"
    )


SHRUNK_PX = 1280
"""Up to version 3, pictures were kept without the size of the image; longer ones were shrunk to this."""
_HEADER_BYTES = 4096


def _add_image_sizes(connection: sqlite3.Connection) -> None:
    """Tell how large the image of a kept picture was, so that boxes can be drawn into it.

    A picture that is kept smaller than any that was shrunk has the size of its image. Of others it is not
    known, and stays NULL.
    """
    for side in ("width", "height"):
        connection.execute(f"ALTER TABLE picture ADD COLUMN {side} INTEGER")
    for (identifier,) in connection.execute("SELECT id FROM picture").fetchall():
        query = "SELECT substr(jpeg, 1, ?) FROM picture WHERE id = ?"
        (header,) = connection.execute(query, (_HEADER_BYTES, identifier)).fetchone()
        size = read_jpeg_size(bytes(header))
        if size is not None and max(size) < SHRUNK_PX:
            connection.execute("UPDATE picture SET width = ?, height = ? WHERE id = ?", (*size, identifier))


def _add_leases(connection: sqlite3.Connection) -> None:
    """Keep who may move each consumer's cursor."""
    connection.execute(
        "CREATE TABLE lease (consumer TEXT PRIMARY KEY, owner TEXT NOT NULL, time REAL NOT NULL)"
        " WITHOUT ROWID"
    )


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _create,
    _add_cameras,
    _add_renamings,
    _add_image_sizes,
    _add_leases,
)
"""The n-th function takes a database from version n to version n + 1, within one transaction."""


def has_sightings(folder: Path) -> bool:
    """Return True if a database of sightings, even a damaged one, is in a folder.

    >>> has_sightings(Path("no such folder"))
    False
    """
    return any(folder.glob(f"{DATABASE_NAME}*"))


def open_database(path: Path, *, suspect: bool = False) -> sqlite3.Connection:
    """Open the database for its one writer, creating it or bringing it up to this version.

    A damaged one is moved aside, beside the new one, and the log says so. Raises DataError for a database of
    a later version and CannotWrite if it cannot be opened or written. A `suspect` one is checked as a whole,
    however large it is.
    """
    with report_write_errors(path):
        make_folder(path.parent)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
    try:
        return _open_sound(path, suspect)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise CannotWrite(
                f"{path}: cannot be opened: {error}; see docs/how-to/unknown-people.md"
            ) from error
        move_aside(path, error)
    try:
        return _open_sound(path, suspect)
    except sqlite3.Error as error:
        raise CannotWrite(f"{path}: cannot be created: {error}") from error


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open the database for queries; every thread needs a connection of its own.

    Raises CannotWrite if it cannot be opened.
    """
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S, isolation_level=None
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA query_only = ON")
    except sqlite3.Error as error:
        raise CannotWrite(f"{path}: cannot be read: {error}; try again") from error
    return connection


def is_damage(error: sqlite3.Error) -> bool:
    """Tell a damaged database from one that is locked, full or out of reach.

    >>> is_damage(sqlite3.OperationalError("database is locked"))
    False
    """
    name = getattr(error, "sqlite_errorname", "") or ""
    return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or "malformed" in str(error)


def may_pass(error: sqlite3.Error) -> bool:
    """Tell what is wrong with a database, and may pass, from what is wrong with a statement or its values.

    >>> may_pass(sqlite3.OperationalError("database is locked")), may_pass(sqlite3.IntegrityError())
    (True, False)
    """
    return is_damage(error) or isinstance(error, sqlite3.OperationalError)


def all_moved_aside(path: Path) -> list[Path]:
    """Return the files of damaged databases that were moved aside from here."""
    return sorted(path.parent.glob(f"{path.name}{DAMAGED_MARK}*"))


def remove_moved_aside(path: Path, before: float) -> None:
    """Remove damaged databases that were last written before that time, as sightings are."""
    for aside in all_moved_aside(path):
        with report_write_errors(aside):
            if aside.stat().st_mtime < before:
                aside.unlink()
                log.info("%s: removed, because everything in it is older than keepDays", aside)


def move_aside(path: Path, error: Exception) -> Path:
    """Rename a damaged database and its files, so that a new one can be made; return the new place."""
    aside = path.with_name(f"{path.name}{DAMAGED_MARK}{secrets.token_hex(4)}")
    log.error("%s: damaged (%s); moved to %s, and a new one was started", path, error, aside.name)
    with report_write_errors(path):
        for suffix in ("-wal", "-shm", ""):
            # The database itself goes last: until then, the next start tries again.
            old = path.with_name(path.name + suffix)
            if old.exists():
                old.replace(aside.with_name(aside.name + suffix))
    return aside


def _open_sound(path: Path, suspect: bool) -> sqlite3.Connection:
    # The writer's thread uses it, and another one may close it.
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        connection.row_factory = sqlite3.Row
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version > len(MIGRATIONS):
            raise DataError(
                f"{path}: must be of version {len(MIGRATIONS)} or older, got {version}; it was written by a "
                "newer face-det: install that again, or move the file away"
            )
        if not version:
            # Before the first table: it gives freed pages back without copying the whole file.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "secure_delete = ON"):
            connection.execute(f"PRAGMA {pragma}")
        check = suspect or path.stat().st_size <= QUICK_CHECK_BYTES
        if check and connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("database disk image is malformed")
        for number in range(version, len(MIGRATIONS)):
            connection.execute("BEGIN IMMEDIATE")
            try:
                MIGRATIONS[number](connection)
                connection.execute(f"PRAGMA user_version = {number + 1}")
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection
