"""Ctrl-C in the middle of a command, and the command again: the same as one clean run."""

from __future__ import annotations

import itertools
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kill_points
import numpy as np
import pytest
from body_crops import draw_visits
from drawn_pictures import draw
from running_here import run_here

import face_det.bodies.encodings
import face_det.exchange.exporting
import face_det.tuning.report
from face_det.bodies import BodyEncodings, forget_body, load_bodies, save_bodies
from face_det.cli import people
from face_det.cli.main import run_cli


def press_during(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, call: int, *, after: bool = False
) -> None:
    """Send Ctrl-C at the beginning, or at the end, of a function's call of that number, and only then."""
    function: Callable[..., Any] = getattr(module, name)
    numbers = itertools.count(1)

    def pressed(*arguments: Any, **named: Any) -> Any:
        now = next(numbers) == call
        if now and not after:
            os.kill(os.getpid(), signal.SIGINT)
        result = function(*arguments, **named)
        if now and after:
            os.kill(os.getpid(), signal.SIGINT)
        return result

    monkeypatch.setattr(module, name, pressed)


def contents(folder: Path) -> dict[str, bytes]:
    """The files below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("form", ["pyzm", "double-take"])
def test_an_export_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, after: bool) -> None:
    """Before or after a file was written: what is there is whole, and is there already the next time."""
    (tmp_path / "config.json").write_text(
        json.dumps({"faceDetServer": {"zerorpcPipe": f"ipc://{tmp_path}/s"}})
    )
    for number in range(6):
        draw(tmp_path / f"dataset/{'Ann' if number % 2 else 'Bob'}/{number}.png", number)
    assert run_here("export", "--to", form, "clean", cwd=tmp_path).returncode == 0
    clean = contents(tmp_path / "clean")
    assert len(clean) == 6
    with monkeypatch.context() as patch:
        press_during(patch, face_det.exchange.exporting, "write_atomically", 3, after=after)
        done = run_here("export", "--to", form, "out", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (130, "face-det: interrupted; the same command goes on\n")
    kept = contents(tmp_path / "out")
    assert len(kept) in (2, 3)
    assert kept.items() < clean.items()
    told = json.loads(done.stdout)["written"]
    again = run_here("export", "--to", form, "out", "--json", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    report = json.loads(again.stdout)
    assert (report["present"], len(report["written"]), report["failed"]) == (len(kept), 6 - len(kept), [])
    assert len(told) <= len(kept)
    assert contents(tmp_path / "out") == clean


@pytest.mark.slow
@pytest.mark.usefixtures("shared_networks")
@pytest.mark.parametrize("after", [False, True])
def test_a_report_says_that_it_is_of_a_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photos: dict[str, Path], after: bool
) -> None:
    """It counts the frames that were answered, is marked as incomplete, and leaves nothing behind."""
    (tmp_path / "config.json").write_text(json.dumps({"faceDetServer": {"faceDetModel": "hog"}}))
    (tmp_path / "pictures").mkdir()
    for name in ("obama", "nobody", "biden"):
        (tmp_path / f"pictures/{name}.jpg").write_bytes(photos[name].read_bytes())
    command = ("tune", "--report", "--json", "--folder", "pictures")
    before = contents(tmp_path)
    clean = run_here(*command, cwd=tmp_path)
    with monkeypatch.context() as patch:
        press_during(patch, face_det.tuning.report, "answer_frame", 2, after=after)
        done = run_here(*command, cwd=tmp_path)
    assert done.returncode == 130
    assert done.stderr.endswith("face-det: interrupted after 2 frames\n")
    part = json.loads(done.stdout)
    assert (part["frames"], part["complete"]) == (2, False)
    again = run_here(*command, cwd=tmp_path)
    assert (again.returncode, again.stdout, again.stderr) == (clean.returncode, clean.stdout, clean.stderr)
    assert json.loads(again.stdout)["complete"] is True
    assert contents(tmp_path) == before


def test_bodies_are_learnt_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_photos: dict[str, Path]
) -> None:
    """Ctrl-C leaves what was learnt before, and says so; the same command then learns all."""
    draw_visits(tmp_path / "bodies", small_photos, "Anna", strangers=2)
    command = ("body", "bodies", "--json")
    with monkeypatch.context() as patch:
        press_during(patch, face_det.bodies.encodings, "load_image", 4)
        done = run_here(*command, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "face-det: interrupted; nothing was learnt\n"
    assert not (tmp_path / "state").exists()
    assert run_here(*command, cwd=tmp_path).returncode == 0
    learnt = (tmp_path / "state/bodies.npz").read_bytes()
    with monkeypatch.context() as patch:
        press_during(patch, face_det.bodies.encodings, "load_image", 4)
        assert run_here(*command, cwd=tmp_path).returncode == 130
    assert (tmp_path / "state/bodies.npz").read_bytes() == learnt
    assert run_here(*command, cwd=tmp_path).returncode == 0
    assert load_bodies(tmp_path / "state/bodies.npz").names == ("Anna",) * 6 + ("Unknown",) * 2


@pytest.mark.slow
def test_a_kill_while_bodies_are_saved(tmp_path: Path) -> None:
    """Killed before or after any call that changes a file: it is the old one or the new one.

    What is left half written holds somebody's encodings, so both learning again and forgetting remove it.
    """
    old, new = (
        BodyEncodings(np.zeros((count, 3)), ("Ann",) * count, ("1",) * count, "clothes:1") for count in (1, 2)
    )
    for point in itertools.count(1):
        path = tmp_path / str(point) / "bodies.npz"
        path.parent.mkdir()
        save_bodies(path, old)
        if kill_points.run_killed(point, kill_points.CALLS, save_bodies, path, new):
            break
        assert len(load_bodies(path).names) in (1, 2), point
        if point % 2:
            assert forget_body(path, "Ann") > 0
        else:
            save_bodies(path, new)
        assert len(load_bodies(path).names) == (0 if point % 2 else 2)
        assert [one.name for one in path.parent.iterdir()] == ["bodies.npz"]
    assert point > 8


def test_the_end_of_a_file_is_no_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that ends too early, such as bytecode written to a full disk, is told as what it is."""

    def broken(**_: object) -> None:
        raise EOFError("marshal data too short")

    monkeypatch.setattr(people.command, "callback", broken)
    with pytest.raises(EOFError, match="marshal data too short"):
        run_cli(["people"])
