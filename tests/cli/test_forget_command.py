"""`face-det forget`: asked first, through the daemon or in the files, one name or several."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import synthetic
from click.testing import CliRunner
from doomed_engine import FACE, picture

from face_det.cli.forget import command
from face_det.errors import OtherDataset, UnknownPerson, Unreachable
from face_det.gallery.encoding_cache import evaluation_cache_path
from face_det.gallery.gallery import Gallery
from face_det.service.audit import AuditLog

DOOMED = (sys.executable, Path(__file__).parents[1] / "support/doomed_engine.py")
SETTINGS = {"isolation": "process", "workers": 1, "embedder": "dlib_resnet", "focusMeasureThreshold": 0}


def forget(*arguments: str):
    return CliRunner().invoke(command, arguments)


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three people, two photos each, which nobody looks at, and their encodings; no daemon."""
    monkeypatch.chdir(tmp_path)
    settings = {"faceDetModel": "hog", "classifier": "nearest", "zerorpcPipe": f"ipc://{tmp_path}/s"}
    Path("config.json").write_text(json.dumps({"faceDetServer": settings}))
    for person in range(3):
        folder = tmp_path / "dataset" / f"p{person}"
        folder.mkdir(parents=True)
        for photo in range(2):
            (folder / f"{photo}.jpg").write_bytes(f"a photo of {person}: {photo}".encode())
    made = synthetic.gallery({"p0": 2, "p1": 2, "p2": 2})
    Path("encodings.pickle").write_bytes(made.dumps())
    return tmp_path


def test_what_was_measured_goes_too(family: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache of evaluations holds encodings of anybody's photos; a name nobody has changes nothing."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(family / "cache"))
    cache = evaluation_cache_path()
    cache.parent.mkdir(parents=True)
    files = [cache, cache.with_name(f"{cache.name}-wal")]
    for path in files:
        path.write_bytes(b"numbers")
    other = cache.with_name("graph.onnx")
    other.write_bytes(b"a network")
    assert isinstance(forget("nobody", "--yes").exception, UnknownPerson)
    assert all(path.exists() for path in files)
    assert forget("p1", "--yes").exit_code == 0
    assert not any(path.exists() for path in files)
    assert other.exists()


def test_in_the_files(family: Path) -> None:
    """Photos and encodings go, the others' stay; it is in the audit log; twice the same name is once."""
    done = forget("p1", "p1", "--yes", "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["forgotten"] == [{"name": "p1", "images": 2, "encodings": 2}]
    assert "no daemon answers" in report["by"]
    assert not (family / "dataset/p1").exists()
    assert set(Gallery.load(family / "encodings.pickle").people) == {"p0", "p2"}
    entries = AuditLog(family / "audit.jsonl").entries()
    assert [(entry.action, entry.outcome, entry.door) for entry in entries][-2:] == [
        ("forget", "begun", "command"),
        ("forget", "done", "command"),
    ]


def test_a_name_that_nobody_has_keeps_no_other(family: Path) -> None:
    """The others are forgotten, and it ends as an error that says who was not there."""
    done = forget("nobody", "p0", "--yes")
    assert isinstance(done.exception, UnknownPerson)
    assert "nobody is called 'nobody'" in str(done.exception)
    assert "p0: 2 photos and 2 encodings removed" in done.stdout
    several = forget("x", "y", "--yes")
    assert "'x'" in str(several.exception)
    assert "'y'" in str(several.exception)


def test_nobody_to_ask(family: Path) -> None:
    """Without a terminal it wants --yes, and nothing is touched."""
    done = forget("p0")
    assert done.exit_code == 2
    assert "--yes" in done.output
    assert (family / "dataset/p0").is_dir()


@pytest.mark.parametrize(("answer", "there"), [(b"n\n", True), (b"y\n", False)])
def test_somebody_is_asked(family: Path, answer: bytes, there: bool) -> None:
    """On a terminal; no is an end without a change."""
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-m", "face_det.cli.main", "forget", "p0"]
    process = subprocess.Popen(argv, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.write(ours, answer)
    _, said = process.communicate(timeout=300)
    os.close(ours)
    os.close(theirs)
    assert b"Remove p0 for good" in said
    assert f"photos: {family}/dataset".encode() in said
    assert process.returncode == (1 if there else 0)
    assert (b"face-det: nothing was changed" in said) == there
    assert b"kept" not in said
    assert (family / "dataset/p0").is_dir() == there


def test_a_daemon_that_was_asked_for_must_be_there(family: Path) -> None:
    """Then nothing is done in the files instead."""
    done = forget("p0", "--yes", "--remote", f"ipc://{family}/other")
    assert isinstance(done.exception, Unreachable)
    assert (family / "dataset/p0").is_dir()


def test_by_the_daemon(launch, call, folder) -> None:
    """It is the one who forgets: its next answer knows them no more."""
    daemon = launch(command=DOOMED, **SETTINGS)
    for name, number in (("Ann", 1), ("Bob", 200)):
        assert call(daemon, "add_face", name, str(picture(folder, FACE, number)))["images"] == 1
    done = forget("Ann", "--yes", "--config", str(daemon.config))
    assert done.exit_code == 0, done.output
    assert "Ann: 1 photo and 1 encoding removed (by the daemon at ipc://" in done.stdout
    assert [one["name"] for one in call(daemon, "people")] == ["Bob"]
    gone = forget("Ann", "--yes", "--remote", daemon.endpoint)
    assert isinstance(gone.exception, UnknownPerson)


def test_a_daemon_of_another_folder_changes_nothing(launch, call, folder, family: Path) -> None:
    """Two folders with a p0 each, and one socket: neither loses a photo, and the message names both."""
    daemon = launch(command=DOOMED, **SETTINGS)
    assert call(daemon, "add_face", "p0", str(picture(folder, FACE, 1)))["images"] == 1
    theirs = daemon.folder / "dataset"
    assert call(daemon, "status")["dataset"] == str(theirs.resolve())
    settings = json.loads(Path("config.json").read_text())["faceDetServer"]
    settings["zerorpcPipe"] = daemon.endpoint
    Path("config.json").write_text(json.dumps({"faceDetServer": settings}))
    done = forget("p0", "--yes")
    assert isinstance(done.exception, OtherDataset)
    assert done.exception.exit_code == 78
    for part in (str(theirs), str(family / "dataset"), "nothing was changed", f"--remote {daemon.endpoint}"):
        assert part in str(done.exception)
    assert len([*theirs.glob("p0/*")]) == 1
    assert len([*family.glob("dataset/p0/*")]) == 2
    meant = forget("p0", "--yes", "--remote", daemon.endpoint)
    assert meant.exit_code == 0
    assert str(theirs) in meant.stdout
    assert not [*theirs.glob("p0/*")]
    assert len([*family.glob("dataset/p0/*")]) == 2


def test_the_same_folder_by_a_link(launch, call, folder, tmp_path: Path) -> None:
    """Two paths to one folder of photos are one dataset."""
    daemon = launch(command=DOOMED, **SETTINGS)
    assert call(daemon, "add_face", "Ann", str(picture(folder, FACE, 1)))["images"] == 1
    (tmp_path / "link").symlink_to(daemon.folder)
    done = forget("Ann", "--yes", "--config", str(tmp_path / "link/config.json"))
    assert done.exit_code == 0, done.exception
