"""Forgetting: no byte of a person is left in any file, and nobody else loses anything."""

from __future__ import annotations

import json
import os
import random
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from seen import NOON, FakeTime, face, files_with, names_told, opened, person, picture, rows, thumbnail, value

from face_det.errors import CannotWrite
from face_det.sightings import (
    Author,
    EnrolledPhoto,
    SightingStore,
    erase_name,
    erase_unknown,
    ignore_unknown,
    merge_unknowns,
    name_sighting,
    name_unknown,
)

AUTHOR = Author("uid 1", 5.0)
NAME = "Ärnold Qwertz"


def forget(one: SightingStore, name: str) -> int:
    return one.erase(lambda connection: erase_name(connection, one.people, name, 9.0)).sightings


def forget_unknown(one: SightingStore, number: int) -> int:
    erased = one.erase(lambda connection: erase_unknown(connection, one.people, number, 9.0))
    return -1 if erased is None else erased.sightings


def secrets_of(seed: int, takes: Sequence[int]) -> list[bytes]:
    """The encodings and thumbnails of a person's sightings; of each a part, as a page may hold one."""
    encodings = [person(seed, take).tobytes() for take in takes]
    parts = [data[at : at + 16] for data in encodings for at in (0, 256, 480)]
    pictures = [thumbnail(1000 * seed + take) for take in takes]
    return parts + [data[at : at + 16] for data in pictures for at in (100, 1000, 1900)]


def assert_gone(folder: Path, secrets: Sequence[bytes]) -> None:
    data = {path.name: path.read_bytes() for path in folder.iterdir()}
    left = {name for name, content in data.items() for secret in secrets if secret in content}
    assert not left


def show(one: SightingStore, seed: int, take: int, name: str | None = None, **fields: object) -> None:
    shown = face(person(seed, take), name, thumbnail=thumbnail(1000 * seed + take))
    known = {"camera": f"camera {take % 5}", "time": NOON + 40 * take, "frame": f"{seed}-{take}.jpg"}
    one.record(picture(shown, **{**known, **fields}))


@pytest.mark.parametrize("seed", range(3))
def test_no_byte_of_a_name_is_left(tmp_path: Path, seed: int) -> None:
    """Searched are all files of the folder, the write-ahead log, the spool and freed pages included."""
    order = np.random.default_rng(seed).permutation(60).tolist()
    with opened(tmp_path) as one:
        for take in order:
            # Interleaved, so that pages are shared, and moved between pages when indexes grow.
            show(one, 1, take, NAME)
            show(one, 2, take)
            show(one, 3, take, "Bert")
            if take % 7 == 0:
                one.flush()
        one.flush()
        assert files_with(tmp_path, NAME.encode())
        secrets = [NAME.encode(), json.dumps(NAME).encode(), *secrets_of(1, order)]
        assert forget(one, NAME) == 60
        assert_gone(tmp_path, secrets)
        assert value(one, "SELECT count(*) FROM sighting") == 120
        assert NAME not in names_told(one)
    assert_gone(tmp_path, secrets)


def test_no_byte_of_an_unknown_person_is_left(tmp_path: Path) -> None:
    """Also after mergers, with the sums of encodings, and of people who are ignored."""
    with opened(tmp_path) as one:
        for take in range(40):
            show(one, 1, take)
            show(one, 2, take)
            show(one, 3, take)
        one.write(lambda connection: merge_unknowns(connection, [1, 2], AUTHOR))
        one.write(lambda connection: one.people.reload(connection))
        one.write(lambda connection: ignore_unknown(connection, 1, AUTHOR))
        sums = [row["sum"] for row in rows(one, "SELECT sum FROM person WHERE number = 1")]
        assert forget_unknown(one, 2) == 80
        secrets = [*secrets_of(1, range(40)), *secrets_of(2, range(40)), *(data[:16] for data in sums)]
        assert_gone(tmp_path, secrets)
        assert value(one, "SELECT count(*) FROM sighting") == 40
        assert forget_unknown(one, 2) == -1
        assert rows(one, "SELECT * FROM negative") == []


def test_the_negatives_of_a_merged_person_go_too(tmp_path: Path) -> None:
    """Somebody was ignored, then merged with another, and the sightings have expired since."""
    with opened(tmp_path) as one:
        for take in range(3):
            show(one, 1, take)
            show(one, 2, take)
        one.write(lambda connection: ignore_unknown(connection, 2, AUTHOR))
        one.write(lambda connection: merge_unknowns(connection, [1, 2], AUTHOR))
        one.write(lambda connection: connection.execute("DELETE FROM sighting"))
        forget_unknown(one, 1)
        assert rows(one, "SELECT * FROM negative") == []


def test_a_name_given_to_an_unknown_person_goes_too(tmp_path: Path) -> None:
    """With the change that gave it, its event, and what was recorded as wrong."""
    with opened(tmp_path) as one:
        for take in range(3):
            show(one, 1, take)
        show(one, 2, 0, NAME)
        photos = [EnrolledPhoto(NAME, "1.jpg", 1)]
        one.write(lambda connection: name_unknown(connection, 1, NAME, photos, AUTHOR))
        wrong = value(one, "SELECT max(id) FROM sighting")
        one.write(lambda connection: name_sighting(connection, one.people, wrong, None, [], AUTHOR))
        forget(one, NAME)
        assert_gone(tmp_path, [NAME.encode(), json.dumps(NAME).encode(), *secrets_of(1, range(3))])
        assert rows(one, "SELECT * FROM change") == []


def test_somebody_elses_sighting_stays(tmp_path: Path) -> None:
    """It was answered with the wrong name and corrected: it is Bert's, who is not to be forgotten."""
    with opened(tmp_path) as one:
        show(one, 1, 0, NAME)
        show(one, 2, 0, NAME, camera="garden")
        wrong = value(one, "SELECT max(id) FROM sighting")
        one.write(lambda connection: name_sighting(connection, one.people, wrong, "Bert", [], AUTHOR))
        assert forget(one, NAME) == 1
        assert [row["name"] for row in rows(one, "SELECT name FROM sighting")] == ["Bert"]
        assert_gone(tmp_path, [NAME.encode(), json.dumps(NAME).encode()])


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 11])
def test_rows_that_were_moved_leave_no_copies(tmp_path: Path, seed: int) -> None:
    """SQLite moves rows between pages when others grow, and leaves copies in the gaps."""
    with opened(tmp_path, keep_days=1e6) as one:
        secrets = one.write(lambda connection: fill_and_grow(connection, random.Random(seed)))
        forget(one, NAME)
        assert_gone(tmp_path, [NAME.encode(), *secrets])


def fill_and_grow(connection: sqlite3.Connection, chance: random.Random) -> list[bytes]:
    """Rows of several people, which grow and go later; the encodings of one of them, in parts."""
    secrets, mine = [], set()
    for number in range(1, 601):
        name = NAME if chance.random() < 0.3 else chance.choice([None, "b", "bertram von und zu", None])
        encoding = chance.randbytes(512)
        connection.execute(
            "INSERT INTO sighting (time, recorded, camera, caller, frame, fingerprint, encoding, visit,"
            " track, shot, name) VALUES (?, 0, ?, 'u', ?, 'f', ?, ?, 1, 1, ?)",
            (
                chance.random() * 1e9,
                chance.choice("abc"),
                "x" * chance.randrange(200),
                encoding,
                number,
                name,
            ),
        )
        if name == NAME:
            mine.add(number)
            secrets += [encoding[at : at + 12] for at in range(0, 500, 12)]
        if chance.random() < 0.5:
            values = ("y" * chance.randrange(900), chance.randrange(2**40), chance.randint(1, number))
            connection.execute("UPDATE sighting SET frame = ?, shot = ? WHERE id = ?", values)
        gone = chance.randint(1, number)
        if chance.random() < 0.2 and gone not in mine:
            connection.execute("DELETE FROM sighting WHERE id = ?", (gone,))
    return secrets


def test_a_kill_before_the_files_are_scrubbed_is_made_up_for(tmp_path: Path) -> None:
    """The next start goes on where forgetting was cut off."""
    child = os.fork()
    if child == 0:
        with opened(tmp_path) as one:
            show(one, 1, 0, NAME)
            one._scrub = lambda connection: os._exit(0)  # type: ignore[method-assign]
            forget(one, NAME)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert files_with(tmp_path, NAME.encode())
    with opened(tmp_path) as one:
        one.flush()
        one.flush()
        assert_gone(tmp_path, [NAME.encode(), *secrets_of(1, [0])])


def test_what_waits_in_the_spool_goes_too(tmp_path: Path) -> None:
    """Under load something always waits; what was recorded must leave the file all the same."""
    with opened(tmp_path) as one:
        show(one, 1, 0, NAME)

        def busy(connection: sqlite3.Connection) -> object:
            show(one, 2, 0)
            return erase_name(connection, one.people, NAME, 9.0)

        one.erase(busy)
        assert_gone(tmp_path, [NAME.encode(), *secrets_of(1, [0])])
        assert value(one, "SELECT count(*) FROM sighting") == 1


def test_damaged_databases_go_too(tmp_path: Path) -> None:
    """Nobody can tell who is in them."""
    (tmp_path / "sightings.sqlite").write_bytes(b"garbage" + NAME.encode())
    with opened(tmp_path) as one:
        assert files_with(tmp_path, NAME.encode())
        forget(one, NAME)
        assert files_with(tmp_path, NAME.encode()) == []
        assert "movedAside" not in one.status()


def test_a_forgotten_person_is_told_of_when_enrolled_again(tmp_path: Path) -> None:
    """Nothing in memory remembers that this visit has an event of theirs."""
    with opened(tmp_path) as one:
        show(one, 1, 0, NAME, camera="door")
        forget(one, NAME)
        show(one, 1, 1, NAME, camera="door")
        assert names_told(one) == [NAME]


def test_others_keep_their_numbers(tmp_path: Path) -> None:
    """A number is not used again after its person was forgotten, nor after a restart."""
    time = FakeTime()
    with opened(tmp_path, time) as one:
        for seed in (1, 2):
            for take in range(2):
                show(one, seed, take)
        assert value(one, "SELECT group_concat(number) FROM person") == "1,2"
        forget_unknown(one, 2)
    with opened(tmp_path, time) as one:
        for take in range(2):
            show(one, 3, take)
        assert value(one, "SELECT group_concat(number) FROM person") == "1,3"


def test_a_long_query_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While somebody reads, the log cannot be emptied: that is an error to try again, never silence."""
    monkeypatch.setattr("face_det.sightings.erasure.READERS_S", 0.1)
    monkeypatch.setattr("face_det.sightings.schema.BUSY_S", 0.05)
    with opened(tmp_path) as one:
        show(one, 1, 0, NAME)
        one.flush()
        reader = sqlite3.connect(tmp_path / "sightings.sqlite", isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM sighting").fetchall()
        with pytest.raises(CannotWrite, match="is being read"):
            forget(one, NAME)
        reader.close()
        forget(one, NAME)
        assert_gone(tmp_path, [NAME.encode(), *secrets_of(1, [0])])
