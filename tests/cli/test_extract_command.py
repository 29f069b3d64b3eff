"""`face-det extract`, with an object detection server that is another process, and real photos."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from disks import fill
from forked import Forked
from object_detection_server import Running, label, object_detection_server
from running import eventually
from running_here import run_here
from toy_pictures import shown
from zoneminder_api import PASSWORD, USER, ZoneMinderApi

from face_det.config.load import load_config
from face_det.service import assembly

pytestmark = pytest.mark.usefixtures("shared_networks")

SHOWN = {"obama": 1, "obama2": 1, "biden": 1, "nobody": 0}
"""How many faces each photo shows."""


@pytest.fixture(scope="module")
def people(photos: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Photos of 240 pixels, which take little time."""
    folder = tmp_path_factory.mktemp("people")
    found = {}
    for name in SHOWN:
        with PIL.Image.open(photos[name]) as picture:
            picture.thumbnail((240, 240))
            found[name] = folder / f"{name}.png"
            picture.save(found[name])
    return found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a config.json."""
    (tmp_path / "config.json").write_text(json.dumps({"faceDetServer": {}}))
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[Running]:
    """A server that finds one person in every picture, who takes it all."""
    with object_detection_server(folder) as running:
        running.boxes({"*": [label(0, 0, 240, 240)]})
        yield running


def take(people: dict[str, Path], folder: Path, *names: str) -> Path:
    """Copy photos to a folder."""
    folder.mkdir(exist_ok=True)
    for name in names:
        shutil.copy(people[name], folder)
    return folder


def several(people: dict[str, Path], folder: Path) -> Path:
    """Nine pictures, which are three calls of the server."""
    folder.mkdir()
    for number in range(9):
        shutil.copy(people["obama" if number % 2 else "biden"], folder / f"{number}.png")
    return folder


def extract(home: Path, *arguments: object) -> dict[str, Any]:
    """Run the command; its report."""
    done = run_here("extract", "-o", "out", "--json", *arguments, cwd=home)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def kinds(output: Path) -> list[str]:
    """What the files are, by their names."""
    return sorted(Path(name).stem.partition("-1-")[2] for name in shown(output))


def test_from_a_folder_to_crops(home: Path, server: Running, people: dict[str, Path]) -> None:
    """Persons with a face are saved, 300 px wide; the rest is counted or listed, and spoils nothing."""
    folder = take(people, home / "in", *SHOWN)
    (folder / "broken.png").write_bytes(people["obama"].read_bytes()[:500])
    (folder / "notes.txt").write_text("nothing")
    report = extract(home, "-d", "in", "--detector-endpoint", server.endpoint)
    assert kinds(home / "out") == ["person"] * 3
    for name in shown(home / "out"):
        with PIL.Image.open(home / "out" / name) as picture:
            assert picture.width == 300
    (left_out,) = report["leftOut"]
    assert left_out["picture"] == str(folder / "broken.png")
    assert left_out["reason"]
    del report["leftOut"]
    assert report == {
        "output": "out",
        "pictures": 4,
        "before": 0,
        "persons": 4,
        "faces": 3,
        "saved": {"face": 0, "person": 3, "no-face": 0},
        "unclear": 0,
        "outside": 0,
        "folders": None,
        "notPictures": [str(folder / "notes.txt")],
        "unreadable": [],
        "problem": None,
    }


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], ["person"]),
        (["-sf"], ["face"]),
        (["-sf", "True"], ["face"]),
        (["-sf", "False"], ["person"]),
        (["-spf", "True", "-sf", "True"], ["face", "person"]),
        (["-spnf"], ["no-face"]),
        (["-spnf", "True", "-spf", "False"], ["no-face"]),
    ],
)
def test_the_original_flags(
    home: Path, server: Running, people: dict[str, Path], flags: list[str], expected: list[str]
) -> None:
    """They are real switches, with or without the value that the original asked for."""
    take(people, home / "in", "obama", "nobody")
    extract(home, "-d", "in", "--detector-endpoint", server.endpoint, *flags)
    assert kinds(home / "out") == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-d", "in", "-spf", "False"], "Nothing is to be saved"),
        (["-d", "in", "-sf", "maybe"], "not a valid boolean"),
        (["-d", "in", "--no-objects", "-spf"], "--no-objects finds no persons"),
        (["-d", "in", "--no-objects", "--person-model", "x"], "Give one of --detector-endpoint"),
        (["-d", "in", "--min-score", "0.5"], "--min-score needs"),
        (["-d", "in", "--per-visit"], "--per-visit needs --best"),
        (["-d", "in", "--video", "clip.avi"], "Give one of --dataset"),
        ([], "Give one of --dataset"),
    ],
)
def test_wrong_usage(home: Path, arguments: list[str], message: str) -> None:
    """It is refused before anything is done."""
    done = run_here("extract", "-o", "out", *arguments, cwd=home)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (home / "out").exists()


def test_a_list_without_objects(home: Path, people: dict[str, Path]) -> None:
    """Faces in whole pictures need nothing but the networks of this package; names may be in any script."""
    folder = take(people, home / "in", "obama", "biden")
    (folder / "obama.png").rename(folder / "Обама 奥巴马.png")
    (home / "list.txt").write_text("in/Обама 奥巴马.png\nin/missing.png\n", "utf-8")
    report = extract(home, "-f", "list.txt", "--no-objects")
    assert report["saved"] == {"face": 1, "person": 0, "no-face": 0}
    assert [one["reason"] for one in report["leftOut"]] == ["file not found"]


def test_without_a_server(home: Path, people: dict[str, Path]) -> None:
    """Whoever has a face is found by it."""
    take(people, home / "in", *SHOWN)
    assert extract(home, "-d", "in")["saved"]["person"] == 3


def test_sorted_by_the_current_model(home: Path, people: dict[str, Path]) -> None:
    """Somebody enrolled has a folder, and a stranger lies with the other strangers."""
    assembly.build_service(load_config(home / "config.json", {})).add_face("Obama", str(people["obama"]))
    take(people, home / "in", "obama2", "biden")
    assert extract(home, "-d", "in", "--sort")["folders"] == {"Obama": 1, "@single": 1}


def test_a_second_run_does_only_what_is_new(home: Path, server: Running, people: dict[str, Path]) -> None:
    """What somebody deleted meanwhile does not come back."""
    take(people, home / "in", "obama")
    extract(home, "-d", "in", "--detector-endpoint", server.endpoint)
    (only,) = shown(home / "out")
    (home / "out" / only).unlink()
    take(people, home / "in", "biden")
    report = extract(home, "-d", "in", "--detector-endpoint", server.endpoint)
    assert (report["pictures"], report["before"], report["saved"]["person"]) == (2, 1, 2)
    assert [name.startswith("biden") for name in shown(home / "out")] == [True]
    assert [Path(path).name for call in server.calls for path, _ in call] == ["obama.png", "biden.png"]


def test_nothing_is_overwritten(home: Path, server: Running, people: dict[str, Path]) -> None:
    """A file that has a crop's name already is kept, and the crop gets another."""
    take(people, home / "in", "obama")
    extract(home, "-d", "in", "--detector-endpoint", server.endpoint)
    (name,) = shown(home / "out")
    shutil.rmtree(home / "out")
    (home / "out").mkdir()
    (home / "out" / name).write_text("mine")
    extract(home, "-d", "in", "--detector-endpoint", server.endpoint)
    assert (home / "out" / name).read_text() == "mine"
    assert len(shown(home / "out")) == 2


@pytest.mark.slow
def test_a_server_that_dies_in_the_middle(home: Path, server: Running, people: dict[str, Path]) -> None:
    """What was finished is kept and told; the next run does the rest, as one clean run would have."""
    several(people, home / "in")
    arguments = ["-d", "in", "--detector-endpoint", server.endpoint]
    extract(home, *arguments)
    expected = shown(home / "out")
    shutil.rmtree(home / "out")
    (server.folder / "calls").unlink()
    (server.folder / "calls_left").write_text("1")
    done = run_here("extract", "-o", "out", *arguments, "--detector-timeout", 5, cwd=home)
    assert done.returncode == 75
    assert "4 pictures finished in out; run it again to go on" in done.stderr
    assert "an object detection server must answer there" in done.stderr
    server.stop()
    server.start()
    assert extract(home, *arguments)["before"] == 4
    assert shown(home / "out") == expected
    assert [len(call) for call in server.calls] == [4, 4, 4, 1]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("sort", [[], ["--sort"]], ids=["flat", "sorted"])
def test_cut_off_in_the_middle(
    home: Path, server: Running, people: dict[str, Path], number: int, sort: list[str]
) -> None:
    """Ctrl-C ends after the pictures at hand; whatever ended a run, the next gives what a clean one gives."""
    several(people, home / "in")
    arguments = ["-d", "in", "--detector-endpoint", server.endpoint, *sort]
    clean = extract(home, *arguments)
    expected = shown(home / "out")
    shutil.rmtree(home / "out")
    (server.folder / "calls").unlink()
    (server.folder / "hold").touch()
    command = [sys.executable, "-m", "face_det.cli.main", "extract", "-o", "out", *arguments]
    with (home / "errors").open("wb") as errors:
        process = Forked(command, cwd=home, stderr=errors)
        eventually(lambda: len(server.calls) == 1, "the first call")
        process.send_signal(number)
        if number == signal.SIGINT:
            (server.folder / "hold").unlink()
        status = process.wait(300)
    (server.folder / "hold").unlink(missing_ok=True)
    if number == signal.SIGINT:
        assert status == 130
        assert "interrupted" in (home / "errors").read_text()
        assert len(server.calls) == 1
    report = extract(home, *arguments)
    assert report["before"] == (4 if number == signal.SIGINT else 0)
    assert shown(home / "out") == expected
    assert {**report, "before": 0} == clean


def test_a_full_disk(home: Path, server: Running, people: dict[str, Path], disk: Callable[..., Path]) -> None:
    """The error says where, and what to do; once there is room, the next run does the rest."""
    several(people, home / "in")
    output = disk("size=2m")
    filler = fill(output)
    os.truncate(filler, filler.stat().st_size - 60_000)
    arguments = ["extract", "-d", "in", "-o", output, "--detector-endpoint", server.endpoint]
    done = run_here(*arguments, cwd=home)
    assert done.returncode == 75
    assert "make room on that disk" in done.stderr
    filler.unlink()
    assert run_here(*arguments, cwd=home).returncode == 0
    extract(home, "-d", "in", "--detector-endpoint", server.endpoint)
    assert shown(output) == shown(home / "out")


def test_a_folder_that_is_a_link(home: Path, people: dict[str, Path]) -> None:
    """The output may be a link; a person's folder in it may not, because it leads somewhere else."""
    take(people, home / "in", "biden")
    (home / "there").mkdir()
    (home / "out").symlink_to(home / "there")
    extract(home, "-d", "in")
    assert len(shown(home / "there")) == 1
    (home / "other").mkdir()
    (home / "elsewhere").mkdir()
    (home / "other" / "@single").symlink_to(home / "elsewhere")
    done = run_here("extract", "-d", "in", "-o", "other", "--sort", cwd=home)
    assert done.returncode == 65
    assert "links are not followed" in done.stderr
    assert not list((home / "elsewhere").iterdir())


def test_a_second_process_waits_for_nobody(home: Path, server: Running, people: dict[str, Path]) -> None:
    """Two runs into one folder would get into each other's way: the second is refused."""
    take(people, home / "in", "obama")
    (server.folder / "hold").touch()
    arguments = ["extract", "-d", "in", "-o", "out", "--detector-endpoint", server.endpoint]
    process = Forked([sys.executable, "-m", "face_det.cli.main", *arguments], cwd=home)
    eventually(lambda: server.calls, "the first call")
    done = run_here(*arguments, cwd=home)
    (server.folder / "hold").unlink()
    assert process.wait(300) == 0
    assert done.returncode == 75
    assert "another face-det is extracting" in done.stderr


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "there are no pictures"),
        ({"a.jpg": b"text"}, "in/a.jpg: must be a"),
        ({"a.jpg": b"", "b.jpg": b""}, "none of the 2 pictures could be used; "),
    ],
)
def test_nothing_to_extract_from(home: Path, files: dict[str, bytes], message: str) -> None:
    """An empty folder, or one of broken pictures, is an error: nobody should take it for success."""
    (home / "in").mkdir()
    for name, data in files.items():
        (home / "in" / name).write_bytes(data)
    done = run_here("extract", "-d", "in", "-o", "out", "--no-objects", cwd=home)
    assert done.returncode == 65
    assert message in done.stderr


def test_an_event_of_zoneminder(home: Path, people: dict[str, Path]) -> None:
    """The frames come from ZoneMinder, and a second run knows them again."""
    api = ZoneMinderApi()
    events = home / "events" / "1" / "2026-11-30" / "7"
    events.mkdir(parents=True)
    for number, name in enumerate(("obama", "biden"), 1):
        with PIL.Image.open(people[name]) as picture:
            picture.convert("RGB").save(events / f"{number:05d}-capture.jpg", quality=95)
    api.events[7] = {
        "Id": "7",
        "MonitorId": "1",
        "Scheme": "Medium",
        "StartDateTime": "2026-11-30 06:07:08",
        "EndDateTime": "2026-11-30 06:07:18",
        "Frames": "2",
        "Length": "1.00",
        "FileSystemPath": str(events),
    }
    (home / "password").write_text(PASSWORD)
    about = {"url": api.url, "user": USER, "passwordFile": "password", "eventsPath": "events"}
    settings = {"zoneminder": about}
    (home / "config.json").write_text(json.dumps({"faceDetServer": settings}))
    try:
        assert extract(home, "--zoneminder", "7")["saved"]["person"] == 2
        assert extract(home, "--zoneminder", "7")["before"] == 2
        done = run_here("extract", "-o", "out", "--zoneminder", "8", cwd=home)
    finally:
        api.shutdown()
        api.server_close()
    assert done.returncode == 65
    assert "event 8" in done.stderr
