"""make demo: it ends well, leaves nothing behind, and says so when an answer is wrong."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import httpx
import psutil
import pytest

from face_det.media import image
from face_det.types import UNKNOWN


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch, repository: Path, tmp_path: Path) -> ModuleType:
    """scripts/demo.py as a module, with its output elsewhere."""
    monkeypatch.syspath_prepend(str(repository / "scripts"))
    module = importlib.import_module("demo")
    monkeypatch.setattr(module, "OUTPUT", tmp_path / "demo-output")
    return module


def start(repository: Path, folder: Path, *command: str) -> subprocess.Popen[str]:
    """The demo, with its temporary files in `folder`."""
    return subprocess.Popen(
        [sys.executable, *(command or [str(repository / "scripts/demo.py")])],
        env={**os.environ, "TMPDIR": str(folder), "FACE_DET_MINPROBA": "of no concern"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def descendants(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


@pytest.mark.slow
def test_the_demo_ends_well(repository: Path, photos: dict[str, Path], tmp_path: Path) -> None:
    """Every answer is right, and --stay serves a page; then only the annotated pictures are left."""
    before = sorted((repository / "dataset").rglob("*"))
    running = start(repository, tmp_path, str(repository / "scripts/demo.py"), "--stay")
    assert running.stdout is not None
    said = ""
    with running.stdout:
        for line in running.stdout:
            said += line
            if page := re.match(r"The page is at (\S+)", line):
                assert "<title>" in httpx.get(page[1], timeout=300).text
                running.send_signal(signal.SIGINT)
    running.wait()
    assert running.returncode == 0, said
    assert said.count("right") == 14
    assert "unknown-1 is Barack_Obama" in said
    for name in ("obama3", "carphone3", "astronaut", "t1", "chelsea"):
        assert image.load_image(repository / f"demo-output/{name}.jpg").shape[2] == 3
    assert not list(tmp_path.iterdir())
    assert sorted((repository / "dataset").rglob("*")) == before


@pytest.mark.slow
def test_an_interrupted_demo_stops_its_daemon(
    repository: Path, photos: dict[str, Path], tmp_path: Path
) -> None:
    """Ctrl-C while the daemon runs: no process and no file of the demo is left."""
    # The daemon serves as well without the photos, which the demo above encodes.
    code = f"import sys; sys.path.insert(0, {str(repository / 'scripts')!r}); import demo\n"
    code += "demo._run = lambda *_: None; demo.main()"
    running = start(repository, tmp_path, "-c", code)
    assert running.stdout is not None
    for line in running.stdout:
        if line.startswith("start the daemon"):
            break
    else:
        pytest.fail("the demo ended before its daemon was there")
    daemons = descendants(running)
    running.send_signal(signal.SIGINT)
    said, _ = running.communicate()
    assert running.returncode == 130, said
    assert "Traceback" not in said
    assert daemons
    assert not [
        daemon for daemon in daemons if daemon.is_running() and daemon.status() != psutil.STATUS_ZOMBIE
    ]
    assert not list(tmp_path.iterdir())


def test_wrong_answers_are_counted(demo: ModuleType, photos: dict[str, Path], tmp_path: Path) -> None:
    """A stranger who is named, a known person who is not, a face in a cat: three wrong answers."""
    box = {"xmin": 1.0, "ymin": 1.0, "xmax": 9.0, "ymax": 9.0}
    named = {"face": "Barack_Obama", "faceProba": 0.99, "faceBox": box}
    nobody = {"face": None, "faceReason": "unrecognised", "faceProba": 0.5, "faceBox": box}
    by_picture = {"obama3": nobody, "carphone3": named | {"face": "Carphone_Man"}, "astronaut": named}
    by_picture |= {"t1": named | {"face": UNKNOWN}, "chelsea": nobody}
    answers = [
        {
            "image": str(photos[picture.photo]),
            "labels": [{"name": "person", "box": box, **by_picture[picture.photo]} for _ in picture.persons],
        }
        for picture in demo.PICTURES
    ]
    assert demo._show(answers) == 3


def test_a_daemon_that_does_not_start_is_told(demo: ModuleType, tmp_path: Path) -> None:
    """With its last words."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"faceDetServer": {"minProba": 3}}))
    with pytest.raises(demo.DemoFailed, match=r"did not start: .*minProba"), demo._program("serve", config):
        pass
