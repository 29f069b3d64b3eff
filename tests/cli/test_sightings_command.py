"""`face-det sightings`: the list with its filters, thumbnails, confirming, correcting, and faults."""

from __future__ import annotations

import io
import json
import re
import stat
import time
import unicodedata
import zipfile
from pathlib import Path

import PIL.Image
import pytest
from click.testing import CliRunner, Result
from remembering import ODD_CAMERA, SHOWN, remembering_daemon, small_copy
from running import eventually

from face_det.cli import root_command, sightings
from face_det.errors import BadRequest, SightingsOff, UnknownSighting, Unreachable

CHANGES = (
    ("sightings", "confirm", "1", "Ann"),
    ("sightings", "correct", "1"),
    ("unknowns", "name", "unknown-1", "Ann"),
    ("unknowns", "merge", "unknown-1", "unknown-2"),
    ("unknowns", "split", "unknown-1", "1"),
    ("unknowns", "ignore", "unknown-1"),
    ("unknowns", "undo", "1"),
)


def face_det(*arguments: object) -> Result:
    return CliRunner().invoke(root_command, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def daemon(photos: dict[str, Path]):
    """One daemon for all tests here; each undoes what it changes."""
    with remembering_daemon(photos) as running:
        yield running


@pytest.fixture
def ask(daemon):
    """ask(...): the command with that daemon's configuration; it must succeed."""

    def run(*arguments: object) -> Result:
        done = face_det("sightings", *arguments, "--config", daemon.config)
        assert done.exit_code == 0, done.exception
        return done

    return run


def ids(done: Result) -> list[int]:
    return [item["id"] for item in json.loads(done.stdout)["items"]]


def test_status_tells_of_the_memory(daemon) -> None:
    """How much is remembered, and where."""
    done = face_det("status", "--config", daemon.config)
    assert done.exit_code == 0, done.exception
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("seen:")]
    assert line.split()[1] == str(len(SHOWN))
    assert line.endswith("state/sightings.sqlite")


def test_status_tells_who_reads_the_events(daemon) -> None:
    """And how far each is; a cursor that is a time counts no events."""
    client = daemon.client()
    client.cursor("mqtt-home", 0, {"owner": "nuc 1"})
    client.cursor("frigate-home", int(time.time()) - 90)
    client.close()
    done = face_det("status", "--config", daemon.config)
    mqtt, frigate = sorted(line for line in done.stdout.splitlines() if line.startswith("reader:"))[::-1]
    assert re.search(r"mqtt-home: on nuc; \d+ events to handle, the oldest since \d", mqtt)
    assert re.search(r"frigate-home: not running, .*; all is done up to 0:0\d:\d\d ago", frigate)


def test_the_export_is_a_file(daemon, tmp_path: Path) -> None:
    """A zip, and how large it is."""
    target = tmp_path / "her.zip"
    done = face_det("export", "unknown-1", "-o", target, "--config", daemon.config)
    assert done.exit_code == 0, done.exception
    assert target.read_bytes()[:2] == b"PK"
    assert done.stdout.startswith(f"{target}: ")


def test_the_table(ask) -> None:
    """The latest first, with local time, camera, who it is, quality and id."""
    done = ask()
    rows = [line for line in done.stdout.splitlines() if line.startswith("│")]
    cells = [[cell.strip() for cell in row.strip("│").split("│")] for row in rows]
    assert [row[5] for row in cells] == ["4", "3", "2", "1"]
    assert [row[1] for row in cells] == ["-", "door", "door", ODD_CAMERA]
    assert [row[2].partition(" ")[0] for row in cells] == ["uncertain", "uncertain", "unknown-1", "unknown-1"]
    seen = time.mktime(time.strptime(cells[0][0], "%Y-%m-%d %H:%M:%S"))
    assert abs(time.time() - 3600 * SHOWN[-1][2] - seen) < 600
    assert 0 < float(cells[0][4]) <= 1
    assert "4 sightings" in done.stderr


def test_json_is_what_the_daemon_says(ask, call, daemon) -> None:
    """A program gets the answer of the call, to the letter."""
    assert json.loads(ask("--json").stdout) == call(daemon, "sightings", {"limit": 50})


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (("--camera", "door"), [3, 2]),
        (("--unknown",), [2, 1]),
        (("--unknown", "unknown-1", "--camera", "door"), [2]),
        (("--since", "6h"), [4, 3]),
        (("--until", "6h"), [2, 1]),
        (("--since", "8h", "--until", "240m"), [3, 2]),
        (("--since", "2001-02-03T04:05", "--until", "2002-01-01"), []),
        (("--outcome", "uncertain"), [4, 3, 2, 1]),
        (("--outcome", "known"), []),
        (("--name", "Ann"), []),
        (("--limit", 3), [4, 3, 2]),
    ],
)
def test_filters(ask, filters: tuple[object, ...], found: list[int]) -> None:
    """Each narrows the list; several do together."""
    assert ids(ask("--json", *filters)) == found


def test_a_limit_beyond_one_page(ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are joined, up to the limit; what is left is told."""
    monkeypatch.setattr(sightings, "MAX_PAGE", 2)
    assert ids(ask("--json")) == [4, 3, 2, 1]
    part = ask("--json", "--limit", 3)
    assert ids(part) == [4, 3, 2]
    assert json.loads(part.stdout)["next"] is not None
    assert "there are more" in part.stderr


def test_thumbnails(ask, call, daemon, tmp_path: Path) -> None:
    """Each face in a file of its own, which only its owner may read."""
    done = ask("--camera", "door", "--thumbnails", tmp_path / "new/faces")
    files = sorted((tmp_path / "new/faces").iterdir())
    assert [path.name for path in files] == ["sighting-2.jpg", "sighting-3.jpg"]
    assert files[0].read_bytes() == call(daemon, "thumbnail", 2)
    assert PIL.Image.open(io.BytesIO(files[1].read_bytes())).format == "JPEG"
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert "2 thumbnails saved in" in done.stderr


def test_confirm_and_correct(ask, call, daemon) -> None:
    """A sighting gets a name and loses it; each change prints how to undo it, and that works."""
    confirmed = ask("confirm", 4, "Joe Biden")
    assert "sighting 4 shows Joe Biden; the face is a training photo now" in confirmed.stdout
    assert ids(ask("--json", "--name", "Joe Biden")) == [4]
    (joe,) = call(daemon, "people")
    assert (joe["name"], joe["images"]) == ("Joe Biden", 1)
    corrected = ask("correct", 4)
    assert "sighting 4 shows nobody who is enrolled" in corrected.stdout
    renamed = json.loads(ask("correct", 3, "--name", "Eileen", "--json").stdout)
    assert renamed["name"] == "Eileen"
    changes = [renamed["change"]]
    for done in (corrected, confirmed):
        (line,) = [line for line in done.stdout.splitlines() if line.startswith("undo with: ")]
        words = line.removeprefix("undo with: face-det unknowns undo ").split()
        assert words[1:] == ["--config", str(daemon.config)]
        changes.append(int(words[0]))
    for change in changes:
        undone = face_det("unknowns", "undo", change, "--config", daemon.config)
        assert undone.exit_code == 0, undone.exception
    assert "1 training photo removed" in undone.stdout
    assert call(daemon, "people") == []
    assert ids(ask("--json", "--outcome", "uncertain")) == [4, 3, 2, 1]


def entries(data: bytes) -> dict[str, bytes]:
    """What a zip holds; its own bytes tell when it was made."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_name_in_another_spelling(ask, call, daemon) -> None:
    """Zoë in two characters more or fewer is one person, for the filter and for forgetting."""
    composed, decomposed = unicodedata.normalize("NFC", "Zoë"), unicodedata.normalize("NFD", "Zoë")
    sighting = ids(ask("--json", "--limit", 1))[0]
    change = json.loads(ask("confirm", sighting, decomposed, "--json").stdout)["change"]
    assert ids(ask("--json", "--name", composed)) == [sighting]
    assert ids(ask("--json", "--name", decomposed)) == [sighting]
    assert entries(call(daemon, "export", decomposed)) == entries(call(daemon, "export", composed))
    assert face_det("unknowns", "undo", change, "--config", daemon.config).exit_code == 0


def test_forgotten_in_another_spelling(ask, call, daemon, photos: dict[str, Path]) -> None:
    """Zoë is forgotten whole, however her name was typed."""
    composed, decomposed = unicodedata.normalize("NFC", "Zoë"), unicodedata.normalize("NFD", "Zoë")
    call(daemon, "recognize", small_copy(photos["grace_hopper"]))
    sighting = eventually(lambda: ids(ask("--json", "--since", "30m")), "the sighting")[0]
    ask("confirm", sighting, composed)
    done = face_det("forget", decomposed, "--yes", "--config", daemon.config)
    assert done.exit_code == 0, done.exception
    assert "1 photo, 1 encoding and 1 sighting removed" in done.stdout
    assert ids(ask("--json", "--name", composed)) == []
    assert ids(ask("--json")) == [4, 3, 2, 1]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("correct", 999), UnknownSighting),
        (("confirm", 999, "Ann"), UnknownSighting),
        (("correct", 4), BadRequest),
        (("--unknown", "Ann"), BadRequest),
    ],
)
def test_wrong_ids(daemon, arguments: tuple[object, ...], error: type[Exception]) -> None:
    """There is no such sighting, nothing to take away, or no such id: exit code 65."""
    done = face_det("sightings", *arguments, "--config", daemon.config)
    assert isinstance(done.exception, error)
    assert done.exception.exit_code == 65


@pytest.mark.parametrize(
    "arguments",
    [("--since", "3y"), ("--until", ""), ("--limit", 0), ("--outcome", "good"), ("correct", "-1")],
)
def test_wrong_usage(daemon, arguments: tuple[object, ...]) -> None:
    """What cannot be meant is refused before the daemon is asked."""
    assert face_det("sightings", *arguments, "--config", daemon.config).exit_code == 2


def test_options_of_the_list_before_a_subcommand(daemon) -> None:
    """They would have no effect, so they are refused."""
    done = face_det("sightings", "--config", daemon.config, "correct", 4)
    assert done.exit_code == 2
    assert "--config would do nothing before `correct`" in done.output


@pytest.mark.parametrize("command", [("sightings",), ("unknowns",), *CHANGES])
def test_without_a_daemon(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Only a daemon has the answers."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"faceDetServer": {"zerorpcPipe": f"ipc://{tmp_path}/s"}}))
    done = face_det(*command, "--config", config)
    assert isinstance(done.exception, Unreachable)
    assert done.exception.exit_code == 75
    assert "is it running?" in str(done.exception)


def test_switched_off(ask, call, daemon) -> None:
    """Every command says what to set; when it is on again, what was seen is still there."""
    daemon.configure()
    call(daemon, "reload")
    try:
        for command in (("sightings",), ("unknowns",), *CHANGES):
            done = face_det(*command, "--config", daemon.config)
            assert isinstance(done.exception, SightingsOff), command
            assert done.exception.exit_code == 65
            assert 'set "sightings": {} in config.json' in str(done.exception)
    finally:
        daemon.configure(sightings={})
        call(daemon, "reload")
    assert ids(ask("--json")) == [4, 3, 2, 1]
