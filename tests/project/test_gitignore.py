"""What the commands write into a checkout identifies people or is secret, and must never be committed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from face_det.cli import root_command

REPOSITORY = Path(__file__).parents[2]
MODEL = "nearest_face_recognizer.pickle"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@pytest.mark.usefixtures("shared_networks")
def test_git_sees_nothing_of_what_the_commands_write(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    small_photos: Mapping[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After the README's commands, and those of the pages in docs/how-to, `git status` is clean.

    What is kept, secret or of no use to anybody else is not in the checkout at all, unless it was before.
    """
    monkeypatch.chdir(tmp_path)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    for name in [name for name in os.environ if name.startswith(("FACE_DET_", "GIT_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)

    def run(*command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    settings = {"faceDetModel": "hog", "numFaceImgUpsample": 0, "modelPath": MODEL}
    settings["zerorpcPipe"] = f"ipc://{tmp_path}/nobody.pipe"
    (tmp_path / "config.json").write_text(json.dumps({"faceDetServer": settings}))
    shutil.copy(REPOSITORY / ".gitignore", tmp_path)
    run("git", "init", "--quiet")
    run("git", "add", ".")
    run("git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "Settings")
    for person, name in (("Obama", "obama"), ("Obama", "obama2"), ("Biden", "biden")):
        (tmp_path / "dataset" / person).mkdir(parents=True, exist_ok=True)
        shutil.copy(small_photos[name], tmp_path / "dataset" / person)
    with Image.open(small_photos["biden"]) as biden:
        biden.resize((254, 576)).save(tmp_path / "dataset" / "Biden" / "smaller.jpg")
    for command in (
        ["encode", "--jobs", "1"],
        ["train", "--quick", "--jobs", "1", "--classifier", "nearest", "--output", "."],
        ["gallery", "check", "--jobs", "1"],
        ["keys", "server"],
        ["keys", "add", "garage", "--output", "garage.keys"],
        ["web", "tokens", "add", "doorbell"],
        ["recognize", "dataset/Obama/obama2.jpg", "--annotate", "annotated"],
        ["recognize", "dataset/Obama/obama2.jpg", "--annotate", "named/"],
        ["backup"],
    ):
        # In this process, which loads networks once.
        done = CliRunner().invoke(root_command, command)
        assert done.exit_code == 0, f"{command}: {done.output}{done.exception!r}"
    # As after a kill, a damaged cache, somebody's copy, and a training of everything.
    left = ("encodings.cache.sqlite-journal", "encodings.cache.sqlite.damaged", "encodings.pickle.bak")
    # What needs a daemon, a video or many photos, by the names that the pages give it.
    shown = ("zoe.zip", "report.html", "unknown.html", "people.html", "named.webm", "faces/sighting-1.jpg")
    (tmp_path / "faces").mkdir()
    for name in (*left, "svm-cm.png", *shown):
        (tmp_path / name).touch()
    for name in ("encodings.cache.sqlite", "encodings.facts.json", "garage.keys"):
        assert (tmp_path / name).exists(), name
    outside = Path(f"{home}/.local/state/face_det{tmp_path}")
    kept = {path.name for path in outside.iterdir() if not path.name.endswith(".lock")}
    assert kept == {"state", "keys", "web-credentials.json"}
    # As an earlier version made them.
    shutil.copytree(outside, tmp_path, dirs_exist_ok=True)
    assert list(tmp_path.glob("face_det-*.zip"))
    assert run("git", "status", "--porcelain", "--untracked-files=all") == ""
