"""The demo's last part: the daemon remembers a stranger, somebody names them, and it recognises them."""

from __future__ import annotations

import time
from pathlib import Path

from demo_cast import FORGOTTEN, SEEN_AGAIN, SEEN_NAMED
from rich.console import Console
from rich.table import Table

from face_det import Client
from face_det.types import UNKNOWN

STORY = f"""
The daemon also remembers who was seen (sightings). Now it forgets {FORGOTTEN}, who is then a stranger and
turns up at the door twice. Once somebody says who that is, the daemon recognises him in the next picture.
Nobody had to add a photo.
"""
RECORDED_S = 60
CALL_S = 120


def meet_a_stranger(endpoint: str, found: dict[str, Path]) -> int:
    """Tell the story with a daemon that keeps sightings; return the number of wrong answers.

    Raises FaceDetError if a call fails.
    """
    print(STORY, flush=True)
    with Client(endpoint, timeout_s=CALL_S) as daemon:
        daemon.forget(FORGOTTEN)
        table = Table("picture", "answer", "what is remembered", "")
        wrong = 0
        for photo in SEEN_AGAIN:
            answer = _name_in(daemon, found[photo])
            wrong += _add_row(table, photo, answer, "", right=answer in ("-", UNKNOWN))
        identifier = _await_number(daemon)
        wrong += _add_row(table, "", "", f"seen twice: {identifier}", right=identifier != "-")
        if identifier != "-":
            begun = time.perf_counter()
            named = daemon.name_unknown(identifier, FORGOTTEN)
            took = time.perf_counter() - begun
            done = f"{identifier} is {FORGOTTEN}: {named.get('photos', 0)} photos learnt in {took:.1f} s"
            table.add_row("", "", done, "")
        answer = _name_in(daemon, found[SEEN_NAMED])
        wrong += _add_row(table, SEEN_NAMED, answer, "", right=answer == FORGOTTEN)
    Console().print(table)
    return wrong


def _add_row(table: Table, photo: str, answer: str, about: str, *, right: bool) -> bool:
    """Add a row, and return whether it is wrong."""
    table.add_row(photo, answer, about, "[green]right[/green]" if right else "[red]WRONG[/red]")
    return not right


def _name_in(daemon: Client, photo: Path) -> str:
    """Return whom the daemon sees in a picture with one person; a dash for nobody known."""
    faces = daemon.recognize(photo.read_bytes(), {"camera": "door", "frame": photo.name})
    return str(faces[0]["face"] or "-") if faces else "no face"


def _await_number(daemon: Client) -> str:
    """Return the id of the unknown person who was seen at the door, once it is recorded; a dash if none."""
    end = time.monotonic() + RECORDED_S
    while time.monotonic() < end:
        for person in daemon.unknowns():
            if "door" in person["cameras"]:
                return str(person["id"])
        time.sleep(0.1)
    return "-"
