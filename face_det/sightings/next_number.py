"""The numbers of unknown people, as in unknown-3: none is ever given twice."""

from __future__ import annotations

import sqlite3


def mint_number(connection: sqlite3.Connection, person: int) -> int:
    """Give a person the next number; none is ever used twice."""
    number = read_next_number(connection)
    write_next_number(connection, number + 1)
    connection.execute("UPDATE person SET number = ? WHERE id = ?", (number, person))
    return number


def read_next_number(connection: sqlite3.Connection) -> int:
    """Return the number that the next unknown person gets."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'next_number'").fetchone()
    return 1 if row is None else int(row[0])


def write_next_number(connection: sqlite3.Connection, number: int) -> None:
    """Set the number that the next unknown person gets."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('next_number', ?)", (number,))
