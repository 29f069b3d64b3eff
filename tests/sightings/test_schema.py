"""Versions of the tables: an older database is updated as a whole, or stays as it is."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from seen import FakeTime, face, is_sound, names_told, opened, person, picture, rows, value

from face_det.media import make_thumbnail
from face_det.sightings import MemoryOptions, SightingStore, find_unknowns, schema


def add_column(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE sighting ADD COLUMN mood TEXT DEFAULT 'calm'")


def test_an_older_database_is_updated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything in it stays, and it is updated once."""
    with opened(tmp_path) as one:
        one.record(picture(face(person(1), "anna")))
        one.flush()
    current = len(schema.MIGRATIONS)
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, add_column))
    for _ in range(2):
        with opened(tmp_path) as one:
            assert names_told(one) == ["anna"]
            assert value(one, "SELECT mood FROM sighting") == "calm"
            assert value(one, "PRAGMA user_version") == current + 1
    assert is_sound(tmp_path)


def test_the_first_version_learns_of_cameras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown people of a database of version 1 are listed with their cameras, the most used first."""
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        old = schema.open_database(tmp_path / "sightings.sqlite")
    for number in (1, 2):
        old.execute(
            "INSERT INTO person (number, fingerprint, sightings, visits, first, last)"
            " VALUES (?, 'f', ?, 1, 2, 3)",
            (number, 10 * number),
        )
    seen = [(1, "yard", 3), (1, "door", 3), (1, "attic", 4), (2, "", 20)]
    old.executemany("INSERT INTO person_camera VALUES (?, ?, ?)", seen)
    old.close()
    with opened(tmp_path) as one:
        told = {unknown["id"]: unknown["cameras"] for unknown in one.read(find_unknowns)}
        assert told == {"unknown-2": [], "unknown-1": ["attic", "door", "yard"]}
        assert value(one, "PRAGMA user_version") == len(schema.MIGRATIONS)
    assert is_sound(tmp_path)


def test_the_third_version_learns_how_large_images_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a picture that was shrunk it is not known, nor of what is no JPEG."""
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:3])
        old = schema.open_database(tmp_path / "sightings.sqlite")
    small, shrunk = (
        make_thumbnail(np.zeros((height, width, 3), np.uint8), schema.SHRUNK_PX)
        for width, height in ((640, 480), (1600, 1200))
    )
    old.executemany("INSERT INTO picture (jpeg) VALUES (?)", [(small,), (shrunk,), (b"no JPEG",)])
    old.close()
    with opened(tmp_path) as one:
        found = rows(one, "SELECT width, height FROM picture ORDER BY id")
        assert [tuple(row.values()) for row in found] == [(640, 480), (None, None), (None, None)]
    assert is_sound(tmp_path)


def test_an_update_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The version before can go on with it."""
    with opened(tmp_path) as one:
        one.record(picture(face(person(1), "anna")))
        one.flush()

    def fail(connection: sqlite3.Connection) -> None:
        add_column(connection)
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, fail))
        with pytest.raises(RuntimeError, match="power cut"):
            SightingStore(tmp_path, MemoryOptions(), FakeTime().clocks()).open()
    with opened(tmp_path) as one:
        assert names_told(one) == ["anna"]
        with pytest.raises(Exception, match="no such column"):
            value(one, "SELECT mood FROM sighting")


def test_a_new_database_is_made_in_one_transaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill while the tables are made leaves none, and the next start makes them all."""

    def half(connection: sqlite3.Connection) -> Any:
        connection.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID")
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (half, *schema.MIGRATIONS[1:]))
        with pytest.raises(RuntimeError, match="killed"):
            schema.open_database(tmp_path / "sightings.sqlite")
    with opened(tmp_path) as one:
        one.record(picture(face(person(1), "anna")))
        assert names_told(one) == ["anna"]
        assert value(one, "PRAGMA journal_mode") == "wal"
        assert value(one, "PRAGMA auto_vacuum") == 2
