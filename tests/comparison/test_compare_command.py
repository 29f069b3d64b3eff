"""`face-det compare`: real pictures in, a page, JSON and tables out; crashes, kills and bad input."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from nobody import nobody

from face_det.cli.compare import command
from face_det.cli.shared_options import MenuChoice
from face_det.detectors import DETECTORS
from face_det.errors import CannotWrite, DataError
from face_det.registry import Spec

PATIENCE_S = 300

DOOMED = '''
import os, signal, sys

class Doomed:
    """Crashes on a square picture, raises on a small one, and finds nobody in the others."""

    runtime = "doomed"

    def __init__(self, compute, min_face_px):
        print("a library that talks")

    def detect(self, rgb, upsample=0):
        if rgb.shape[0] == rgb.shape[1]:
            os.kill(os.getpid(), signal.SIGSEGV)
        if rgb.shape[0] == 144:
            raise ValueError("too small\\nfor me")
        return []
'''
WHERE = """astronaut.png
1
170 60 110 140
carphone.png
1
58 36 52 62
chelsea.png
0
0 0 0 0
gone.png
0
"""
REGISTER = """
from face_det.detectors import DETECTORS
from face_det.registry import Spec

DETECTORS.register(Spec("doomed", "doomed:Doomed"))
"""


@pytest.fixture(scope="module")
def photos(small_photos: dict[str, Path]) -> dict[str, Path]:
    """Nothing here depends on how large a photo is."""
    return small_photos


@pytest.fixture
def pictures(tmp_path: Path, photos: dict[str, Path]) -> Path:
    """Obama in a square picture, a driver in a small one, a cat, and a picture that is cut off."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("astronaut", "carphone", "chelsea"):
        shutil.copy(photos[name], folder)
    (folder / "broken.jpg").write_bytes(photos["obama"].read_bytes()[:2000])
    (folder / "notes.txt").write_text("no picture")
    return folder


def compare(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(each) for each in arguments])


def runs_of(found: dict[str, Any]) -> dict[tuple[str, float], dict[str, Any]]:
    """Each detector's figures by its name and scale."""
    return {(each["detector"], each.get("scale", 0)): each for each in found["detectors"]["runs"]}


def test_a_crash_is_the_detectors_own_and_nothing_is_measured_twice(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against annotations, beside one that crashes and one that is missing; again, everything is there."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "doomed.py").write_text(DOOMED)
    (programs / "sitecustomize.py").write_text(REGISTER)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(programs), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setitem(DETECTORS, "doomed", Spec("doomed", "doomed:Doomed"))
    faces = tmp_path / "faces.txt"
    faces.write_text(WHERE)
    output = tmp_path / "compared"
    option = next(each for each in command.params if each.name == "detectors")
    monkeypatch.setattr(option, "type", MenuChoice(DETECTORS))
    asked = (pictures, "-o", output, "-d", "yunet", "-d", "doomed", "-d", "onnx:/gone.onnx", "-s", "1")
    first = compare(*asked, "--annotations", faces)
    assert first.exit_code == 0, first.output
    found = json.loads((output / "comparison.json").read_text())
    runs = runs_of(found)
    yunet, doomed = runs["yunet", 1], runs["doomed", 1]
    assert (yunet["found"], yunet["faces"], yunet["falseAlarms"], yunet["failed"]) == (2, 2, 0, {})
    assert yunet["memoryMb"] > yunet["memoryWithoutDetectorMb"] > 10
    assert (doomed["found"], doomed["faces"], doomed["boxes"]) == (0, 2, 0)
    assert sorted(doomed["failed"].values()) == ["ValueError: too small", "crashed with SIGSEGV"]
    assert "/gone.onnx" in runs["onnx:/gone.onnx", 0]["missing"]
    assert [each["picture"] for each in found["unreadable"]] == ["broken.jpg"]
    assert "annotations: gone.png: not in the folder" in first.stderr
    assert "recognisers are not compared" in first.stderr
    crash = "doomed at scale 1: astronaut.png: crashed with SIGSEGV"
    assert crash in first.stderr
    assert crash in (output / "comparison.html").read_text()
    kept = {path: path.read_bytes() for path in (output / "parts").glob("yunet*.jsonl")}
    # What is kept is not even started again.
    monkeypatch.setattr(sys, "executable", "/nowhere")
    (output / "comparison.html").unlink()
    again = compare(pictures, "-o", output, "-d", "yunet", "-s", "1", "--annotations", faces, "--json")
    assert runs_of(json.loads(again.stdout))["yunet", 1] == yunet
    assert kept == {path: path.read_bytes() for path in kept}
    page = (output / "comparison.html").read_text()
    assert "astronaut.png" in page
    assert 'class="right"' in page
    assert (output / "comparison.html").stat().st_mode & 0o077 == 0


def test_bad_input_is_told_before_anything_is_measured(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty folder, none, an output that cannot be, a name that nobody knows: one line, and no process."""
    monkeypatch.setattr(sys, "executable", "/nowhere")
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments, told in (
        ((empty, "-o", tmp_path / "a"), "empty: must hold pictures, got none that can be read"),
        ((tmp_path / "gone", "-o", tmp_path / "a"), "gone: must be a folder of pictures, got no such folder"),
        ((pictures, "-o", pictures / "report"), "must not be inside"),
        (
            (pictures, "-o", tmp_path / "a", "--annotations", tmp_path / "no.json"),
            "no.json: must be readable",
        ),
        ((pictures, "-o", tmp_path / "a", "--only", "recognisers"), "a folder of photos for each person"),
    ):
        result = compare(*arguments)
        assert isinstance(result.exception, DataError), result.output
        assert told in str(result.exception)
    assert not (pictures / "report").exists()
    misspelt = compare(pictures, "-d", "yunett")
    assert misspelt.exit_code == 2
    assert "yunett" in misspelt.output
    useless = compare(pictures, "--only", "recognisers", "-s", "1")
    assert useless.exit_code == 2
    assert "--scale does nothing with --only recognisers" in useless.output
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o755)
    with nobody(tmp_path):
        result = compare(pictures, "-o", closed / "report")
    assert isinstance(result.exception, CannotWrite), result.output
    assert "closed/report: must be a folder that can be written to" in str(result.exception)


@pytest.mark.slow
def test_a_killed_comparison_goes_on(tmp_path: Path, pictures: Path) -> None:
    """Killed after the first answer, interrupted after the second; then it says what it would have said."""
    asked = ["compare", str(pictures), "-o", str(tmp_path / "cut"), "-d", "yunet", "-d", "hog", "-s", "1"]
    lines = 0
    for signalled, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)):
        with subprocess.Popen(
            [sys.executable, "-m", "face_det.cli.main", *asked], stderr=subprocess.PIPE
        ) as going:
            lines = wait_for_more(tmp_path / "cut/parts", lines, going)
            going.send_signal(signalled)
            said = going.stderr.read().decode() if going.stderr else ""
        assert going.returncode == code, said
    before = {path: path.read_bytes() for path in (tmp_path / "cut/parts").glob("*.jsonl")}
    result = compare(*asked[1:])
    assert result.exit_code == 0, result.output
    for path, data in before.items():
        assert path.read_bytes().startswith(data[: data.rfind(b"\n") + 1])
    whole = compare(pictures, "-o", tmp_path / "whole", *asked[4:])
    assert whole.exit_code == 0, whole.output
    cut, uncut = (
        runs_of(json.loads((tmp_path / name / "comparison.json").read_text())) for name in ("cut", "whole")
    )
    assert cut.keys() == uncut.keys()
    for key, one in cut.items():
        same = ("boxes", "found", "faces", "falseAlarms", "failed", "runtime")
        assert {name: one[name] for name in same} == {name: uncut[key][name] for name in same}


def wait_for_more(parts: Path, lines: int, going: subprocess.Popen[bytes]) -> int:
    """Wait until detectors have answered for more pictures, and return for how many."""
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends and going.poll() is None:
        journals = [path for path in parts.glob("*.jsonl") if path.name != "pictures.jsonl"]
        found = sum(path.read_bytes().count(b'"boxes"') for path in journals)
        if found > lines:
            return found
        time.sleep(0.02)
    raise AssertionError("no answer")
