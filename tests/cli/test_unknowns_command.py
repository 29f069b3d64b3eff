"""`face-det unknowns`: the list, the page of faces, and naming, merging, splitting, ignoring and undoing."""

from __future__ import annotations

import base64
import io
import json
import re
import stat
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from click.testing import CliRunner, Result
from remembering import ODD_CAMERA, remembering_daemon, small_copy
from running import eventually

from face_det.cli import main, root_command
from face_det.errors import BadName, BadRequest, UnknownSighting

SHOWN = (
    ("obama", ODD_CAMERA, 9.0),
    ("obama2", "door", 7.0),
    ("astronaut", "drive", 5.0, 400),
    ("astronaut", "drive", 3.0, 350),
    ("astronaut", "drive", 1.0, 300),
)
"""Obama is unknown-1, the astronaut unknown-2."""


def face_det(*arguments: object) -> Result:
    return CliRunner().invoke(root_command, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def daemon(photos: dict[str, Path]):
    """One daemon for all tests here; each undoes what it changes."""
    with remembering_daemon(photos, SHOWN) as running:
        yield running


def asking(daemon):
    """ask(...): the command with a daemon's configuration; it must succeed."""

    def run(*arguments: object) -> Result:
        done = face_det("unknowns", *arguments, "--config", daemon.config)
        assert done.exit_code == 0, done.exception
        return done

    return run


@pytest.fixture
def ask(daemon):
    """ask(...), of the daemon for all tests here."""
    return asking(daemon)


@pytest.fixture
def change(ask):
    """change(...): a command that changes something; its text. The change is undone at the test's end."""
    numbers: list[str] = []

    def run(*arguments: object) -> str:
        text = ask(*arguments).stdout
        numbers.append(re.findall(r"^undo with: face-det unknowns undo (\d+)", text, re.M)[0])
        return text

    yield run
    for number in reversed(numbers):
        assert f"change {number} is undone" in ask("undo", number).stdout
    assert seen(ask) == {"unknown-1": 2, "unknown-2": 3}


def seen(ask) -> dict[str, int]:
    """How often each unknown person was seen."""
    return {person["id"]: person["sightings"] for person in json.loads(ask("--json").stdout)}


class Page(HTMLParser):
    """The elements of a page, with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, Any]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, Any]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_the_list(ask, call, daemon) -> None:
    """The most seen first, as a table and as the daemon says it."""
    people = json.loads(ask("--json").stdout)
    assert people == call(daemon, "unknowns")
    assert [person["id"] for person in people] == ["unknown-2", "unknown-1"]
    done = ask()
    rows = [line for line in done.stdout.splitlines() if line.startswith("│")]
    cells = [[cell.strip() for cell in row.strip("│").split("│")] for row in rows]
    assert cells[1][:3] == ["unknown-1", "2", "2"]
    assert cells[1][5] == f"{ODD_CAMERA}, door"
    assert "2 unknown people" in done.stderr
    assert "face-det unknowns name unknown-2 NAME" in done.stderr


def test_the_page(ask, daemon, tmp_path: Path) -> None:
    """One file for a browser: a section for each person, real pictures, no script; only we may read it."""
    path = tmp_path / "unknown.html"
    done = ask("--html", path)
    assert f"their faces are in {path}" in done.stderr
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text("utf-8")
    page = Page(text)
    assert not page.all("script")
    assert "<script" not in text
    assert ODD_CAMERA in page.text
    assert [meta for meta in page.all("meta") if meta.get("name") == "viewport"]
    assert len(page.all("section")) == 2
    assert {key for _, attributes in page.elements for key in attributes if key.startswith("on")} == set()
    sources = [image["src"] for image in page.all("img")]
    assert len(sources) == 5
    for source in sources:
        data = base64.b64decode(source.removeprefix("data:image/jpeg;base64,"), validate=True)
        assert PIL.Image.open(io.BytesIO(data)).format == "JPEG"
    assert not re.findall(r"https?://", text)
    for part in ("2 sightings in 2 visits", "3 sightings in 3 visits", "Cameras: drive"):
        assert part in page.text
    assert "face-det unknowns name unknown-1 NAME" in page.text


def test_a_person_has_at_most_eight_faces(ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The best of all comes first, then the best of the latest; how many is a limit that holds."""
    from face_det.cli import unknowns

    assert unknowns.PORTRAITS == 8
    monkeypatch.setattr(unknowns, "PORTRAITS", 1)
    ask("--html", tmp_path / "page.html")
    text = Page((tmp_path / "page.html").read_text("utf-8")).text
    best = [person["best"] for person in json.loads(ask("--json").stdout)]
    assert re.findall(r", sighting (\d+)", text) == [str(one) for one in best]


def test_two_are_one_and_one_is_two(change, ask) -> None:
    """Merged under the older number; a part split off under a new one."""
    merged = change("merge", "unknown-2", "unknown-1")
    assert "unknown-2 and unknown-1 are one person now: unknown-1, with 5 sightings" in merged
    assert seen(ask) == {"unknown-1": 5}
    split = change("split", "unknown-1", 3, 4)
    assert "unknown-3 is new, with 2 sightings of unknown-1" in split
    assert seen(ask) == {"unknown-1": 3, "unknown-3": 2}


def test_ignored(change, ask) -> None:
    """Whoever is ignored is not listed."""
    assert "unknown-2 is ignored now" in change("ignore", "unknown-2")
    assert seen(ask) == {"unknown-1": 2}


def test_json_of_a_change(ask) -> None:
    """A program gets the daemon's answer, and nothing else on stdout."""
    done = json.loads(ask("ignore", "unknown-2", "--json").stdout)
    assert done["unknowns"] == ["unknown-2"]
    undone = json.loads(ask("undo", done["change"], "--json").stdout)
    assert undone["change"] > done["change"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("name", "unknown-99", "Ann"), UnknownSighting),
        (("name", "Ann", "Ann"), BadRequest),
        (("name", "unknown-1", "../Ann"), BadName),
        (("merge", "unknown-1"), BadRequest),
        (("merge", "unknown-1", "unknown-99"), UnknownSighting),
        (("split", "unknown-1", 3), BadRequest),
        (("split", "unknown-1", 999), UnknownSighting),
        (("ignore", "unknown-99"), UnknownSighting),
        (("undo", 999), UnknownSighting),
    ],
)
def test_wrong_ids(ask, daemon, arguments: tuple[object, ...], error: type[Exception]) -> None:
    """Each is a typed error with exit code 65, and everything stays as it was."""
    done = face_det("unknowns", *arguments, "--config", daemon.config)
    assert isinstance(done.exception, error)
    assert done.exception.exit_code == 65
    assert seen(ask) == {"unknown-1": 2, "unknown-2": 3}


def test_a_message_names_the_command(daemon, capsys) -> None:
    """Whoever types commands is not told to call a method."""
    with pytest.raises(SystemExit):
        main.run_cli(["unknowns", "ignore", "unknown-99", "--config", str(daemon.config)])
    assert (
        "nobody is called unknown-99; `face-det unknowns` lists everybody who has a number"
        in capsys.readouterr().err
    )


def test_a_page_that_cannot_be_written(daemon, tmp_path: Path) -> None:
    """Its folder must be there: exit code 75, as for every file."""
    done = face_det("unknowns", "--html", tmp_path / "no/page.html", "--config", daemon.config)
    assert done.exception.exit_code == 75


def test_a_stranger_gets_a_name(call, photos: dict[str, Path]) -> None:
    """Named, and recognised in the next picture; undone, and unknown again, in that picture as well."""
    # A daemon of its own, because that picture is one more sighting.
    with remembering_daemon(photos, SHOWN[:2]) as daemon:
        ask = asking(daemon)
        text = ask("name", "unknown-1", "Barack Obama").stdout
        assert "unknown-1 is Barack Obama now: 2 sightings, 2 training photos" in text
        assert seen(ask) == {}
        (person,) = call(daemon, "people")
        assert (person["name"], person["images"]) == ("Barack Obama", 2)
        (face,) = call(daemon, "recognize", small_copy(photos["obama3"]))
        assert face["face"] == "Barack Obama"
        again = face_det("unknowns", "name", "unknown-1", "Barack", "--config", daemon.config)
        assert isinstance(again.exception, UnknownSighting)
        assert "was named 'Barack Obama' already" in str(again.exception)
        (number,) = re.findall(r"^undo with: face-det unknowns undo (\d+)", text, re.M)
        assert f"change {number} is undone" in ask("undo", number).stdout
        assert call(daemon, "people") == []
        eventually(lambda: seen(ask) == {"unknown-1": 3})
