"""`face-det backup`, `clear` and `restore`: through a daemon and in the files, and what stops them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from doomed_engine import FACE, picture
from running import eventually

from face_det.cli import root_command
from face_det.errors import BadRequest, DataError
from face_det.service.audit import AuditLog

DOOMED = (sys.executable, Path(__file__).parents[1] / "support/doomed_engine.py")
SETTINGS = {"isolation": "process", "workers": 1, "embedder": "dlib_resnet", "focusMeasureThreshold": 0}


def face_det(*arguments: object) -> Result:
    return CliRunner().invoke(root_command, [str(argument) for argument in arguments])


def test_there_and_back_through_a_daemon(launch, call, folder: Path, tmp_path: Path) -> None:
    """The file is the user's alone, the daemon keeps none, and everybody is back at once."""
    daemon = launch(command=DOOMED, **SETTINGS)
    here = ("--config", daemon.config)
    call(daemon, "add_face", "Ann", str(picture(folder, FACE, 1)))
    saved = tmp_path / "all.zip"
    report = json.loads(face_det("backup", "-o", saved, "--json", *here).stdout)
    assert (report["file"], report["bytes"]) == (str(saved), saved.stat().st_size)
    assert saved.stat().st_mode & 0o777 == 0o600
    assert any("Ann" in name for name in zipfile.ZipFile(saved).namelist())
    assert [*tmp_path.iterdir()] == [saved]
    assert call(daemon, "backups") == []

    refused = face_det("clear", *here)
    assert (refused.exit_code, "--yes" in refused.stderr) == (2, True)
    assert len(call(daemon, "people")) == 1
    cleared = face_det("clear", "-y", *here)
    assert "1 person with 1 photo removed (by the daemon" in cleared.stdout
    assert call(daemon, "people") == []
    restored = json.loads(face_det("restore", saved, "-y", "--json", *here).stdout)
    assert (restored["people"], restored["photos"]) == (1, 1)
    assert [person["name"] for person in call(daemon, "people")] == ["Ann"]

    for content in (b"", b"no zip"):
        saved.write_bytes(content)
        assert isinstance(face_det("restore", saved, "-y", *here).exception, (DataError, BadRequest))
    missing = face_det("restore", tmp_path / "none.zip", "-y", *here).exception
    assert isinstance(missing, DataError)
    assert "No such file" in str(missing)
    assert [person["name"] for person in call(daemon, "people")] == ["Ann"]


@pytest.mark.usefixtures("shared_networks")
def test_there_and_back_in_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_photos: dict[str, Path]
) -> None:
    """Without a daemon, with the same lines in the audit log."""
    monkeypatch.chdir(tmp_path)
    settings = {"faceDetModel": "hog", "numFaceImgUpsample": 0, "zerorpcPipe": f"ipc://{tmp_path}/s"}
    Path("config.json").write_text(json.dumps({"faceDetServer": {**settings, "sightings": {}}}))
    assert face_det("add", "Obama", small_photos["obama"]).exit_code == 0
    made = face_det("backup")
    assert "no daemon answers" in made.stdout
    (saved,) = tmp_path.glob("face_det-*.zip")
    assert "1 person with 1 photo removed (in the files" in face_det("clear", "--yes").stdout
    assert json.loads(face_det("people", "--json").stdout) == []
    assert "1 person with 1 photo restored (in the files" in face_det("restore", saved, "-y").stdout
    assert json.loads(face_det("people", "--json").stdout) == [
        {"name": "Obama", "images": 1, "recordings": 0}
    ]
    done = [entry for entry in AuditLog(tmp_path / "audit.jsonl").entries() if entry.outcome == "done"]
    assert [entry.action for entry in done] == ["enrol", "backup", "drop_backup", "clear", "restore"]


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    """At the question, nothing was done."""
    (tmp_path / "config.json").write_text(
        json.dumps({"faceDetServer": {"zerorpcPipe": f"ipc://{tmp_path}/s"}})
    )
    terminal, inner = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "face_det.cli.main", "clear"],
        cwd=tmp_path,
        stdin=inner,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        said = [""]

        def asked() -> bool:
            assert process.stderr is not None
            said[0] += process.stderr.read(1)
            return "[y/N]" in said[0]

        eventually(asked, "the question")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr is not None
        assert "interrupted; nothing was changed" in process.stderr.read()
    os.close(terminal)
    os.close(inner)
    assert not (tmp_path / "state" / "backups").exists()
