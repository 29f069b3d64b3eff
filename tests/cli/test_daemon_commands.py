"""`face-det people`, `add`, `status` and `reload`: through a daemon, in the files, and with neither."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from doomed_engine import FACE, picture

from face_det.cli import root_command
from face_det.errors import BadName, DataError, OtherDataset, Unreachable
from face_det.service.audit import AuditLog

DOOMED = (sys.executable, Path(__file__).parents[1] / "support/doomed_engine.py")
SETTINGS = {"isolation": "process", "workers": 1, "embedder": "dlib_resnet", "focusMeasureThreshold": 0}


def face_det(*arguments: object) -> Result:
    return CliRunner().invoke(root_command, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def photos(small_photos: dict[str, Path]) -> dict[str, Path]:
    """Nothing here depends on how large a photo is."""
    return small_photos


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a config.json and without a daemon."""
    monkeypatch.chdir(tmp_path)
    settings = {"faceDetModel": "hog", "zerorpcPipe": f"ipc://{tmp_path}/s", "focusMeasureThreshold": 20}
    Path("config.json").write_text(json.dumps({"faceDetServer": settings}))
    return tmp_path


def test_through_a_daemon(launch, call, folder: Path, tmp_path: Path) -> None:
    """The daemon learns, lists, reports and reloads; a photo that is none is named, and the others learnt."""
    daemon = launch(command=DOOMED, **SETTINGS)
    here = ("--config", daemon.config)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    photos = [picture(folder, FACE, 1), broken, picture(folder, FACE, 2)]
    added = face_det("add", "Ann", *photos, *here)
    assert isinstance(added.exception, DataError)
    assert f"1 of 3 photos were not added: {broken}: must be a JPEG" in str(added.exception)
    assert f"{photos[2]}: added; Ann has 2 photos" in added.stdout
    assert "model: template, the kind of the previous model" in added.stdout
    assert f"by the daemon at {daemon.endpoint}; photos: {daemon.folder.resolve()}/dataset" in added.stdout
    taken = face_det("add", "Bob", photos[0], *here)
    assert isinstance(taken.exception, DataError)
    assert "got the very file that is Ann's photo" in str(taken.exception)
    people = face_det("people", "--json", *here)
    (ann,) = json.loads(people.stdout)
    assert [ann] == call(daemon, "people")
    assert (ann["name"], ann["images"]) == ("Ann", 2)
    listed = face_det("people", *here)
    assert "Ann" in listed.stdout
    status = face_det("status", *here)
    assert f"photos:   {daemon.folder.resolve()}/dataset" in status.stdout
    assert "template of 1 person" in status.stdout
    assert json.loads(face_det("status", "--json", *here).stdout)["pid"] == daemon.process.pid
    daemon.configure(**SETTINGS, minProba=0.5)
    reloaded = json.loads(face_det("reload", "--json", *here).stdout)
    assert reloaded["changed"] == ["min_proba"]
    assert "model: template of 2 classes" in face_det("reload", *here).stdout


def test_a_daemon_of_another_folder(launch, folder: Path, alone: Path) -> None:
    """Nobody is added to, or listed from, photos that were not meant; --remote means the daemon's."""
    daemon = launch(command=DOOMED, **SETTINGS)
    settings = {"zerorpcPipe": daemon.endpoint}
    Path("config.json").write_text(json.dumps({"faceDetServer": settings}))
    photo = picture(folder, FACE, 1)
    for arguments in (("add", "Ann", photo), ("people",), ("reload",)):
        assert isinstance(face_det(*arguments).exception, OtherDataset)
    assert not (daemon.folder / "dataset").exists()
    assert not (alone / "dataset").exists()
    assert face_det("add", "Ann", photo, "--remote", daemon.endpoint).exit_code == 0
    assert (daemon.folder / "dataset/Ann").is_dir()
    assert str(daemon.folder.resolve()) in face_det("status").stdout


@pytest.mark.usefixtures("shared_networks")
def test_in_the_files(alone: Path, photos: dict[str, Path]) -> None:
    """Without a daemon, with real photos; each enrolment is in the audit log."""
    added = face_det("add", "Obama", photos["obama"], photos["chelsea"], photos["obama2"], "--json")
    report = json.loads(added.stdout)
    assert [one["images"] for one in report["added"]] == [1, 2]
    assert report["added"][0]["model"]["wanted_by"] == "default"
    assert len(report["failed"]) == 1
    assert str(photos["chelsea"]) in report["failed"][0]
    assert isinstance(added.exception, DataError)
    assert json.loads(face_det("people", "--json").stdout) == [
        {"name": "Obama", "images": 2, "recordings": 0}
    ]
    named = json.loads(face_det("recognize", "--json", photos["obama3"]).stdout)[0]["faces"]
    assert [face["face"] for face in named] == ["Obama"]
    box = named[0]["faceBox"]
    assert named[0]["sizePx"] == round(min(box["xmax"] - box["xmin"], box["ymax"] - box["ymin"]), 1)
    assert named[0]["sharpness"] > 20
    done = [entry for entry in AuditLog(alone / "audit.jsonl").entries() if entry.outcome == "done"]
    assert [entry.action for entry in done] == ["enrol", "enrol"]


def test_without_a_daemon(alone: Path) -> None:
    """status and reload need one, and a name must be able to be a folder before anything is asked."""
    for command in ("status", "reload"):
        result = face_det(command)
        assert isinstance(result.exception, Unreachable)
        assert result.exception.exit_code == 75
    assert isinstance(face_det("add", "../x", "a.jpg").exception, BadName)
    assert json.loads(face_det("people", "--json").stdout) == []
