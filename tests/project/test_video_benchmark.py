"""benchmarks/video.py measures a row from photos and a film, and judges what the others found."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from benchmark_modules import BENCHMARKS, frame_as_lfw, module

NAMES = {"Obama": "obama", "Eileen": "astronaut"}


@pytest.mark.slow
def test_a_row_from_photos_to_a_verdict(photos: Mapping[str, Path], tmp_path: Path) -> None:
    """Both who walk by are found, with seconds of the clock and of processors beside each other."""
    for name, photo in NAMES.items():
        person = tmp_path / "known" / name
        person.mkdir(parents=True)
        for number in range(7):
            frame_as_lfw(photos[photo], person / f"{number}.jpg")
    film = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 10, (96, 54))
    for _ in range(330):
        writer.write(np.full((54, 96, 3), 120, np.uint8))
    writer.release()
    command = [sys.executable, str(BENCHMARKS / "video.py"), str(tmp_path), str(film), "--frames", "25"]
    done = subprocess.run([*command, "--row", "720p"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    machine, _, row = done.stdout.partition("\n")
    assert "machine" in json.loads(machine)
    found = json.loads(row)
    assert found["row"] == "720p"
    assert found["ours"]["people found"] == found["ours, unprepared"]["people found"] == "2 of 2"
    assert found["met"] is (found["ours"]["times real time"] >= 4)
    assert min(found["took"].values()) > 0
    assert min(found["ours"][unit] for unit in ("seconds", "processor seconds")) > 0


def judged(row: str, printed: dict[str, Any]) -> dict[str, Any]:
    """What a row makes of what another benchmark printed."""
    video = module("video")

    class Printed(video.Stage):  # type: ignore[misc,name-defined]
        def script(self, name: str, *arguments: object) -> dict[str, Any]:
            return printed

    args = argparse.Namespace(folder=Path(), film=Path(), clips=1, minutes=1.0)
    found: dict[str, Any] = video.ROWS[row][1](Printed(args, Path()))
    return found


@pytest.mark.parametrize(
    ("named", "wrongly", "switches", "met"),
    [(99, 0, 0, [True] * 4), (98, 1, 2, [False, False, False, False])],
)
def test_clips_are_judged(named: int, wrongly: int, switches: int, met: list[bool]) -> None:
    """Over all moves: names, also beside those of the best frame, wrong ones, switches and pieces."""
    move = {
        "known": {"all": 50, "named": 50, "best frame: named": 50},
        "strangers": {"all": 20},
        "switches": 0,
        "pieces a person": 1.0,
    }
    other = {
        "known": {"all": 50, "named": named - 50, "best frame: named": 49},
        "strangers": {"all": 20, "named wrongly": wrongly},
        "switches": switches,
        "pieces a person": 1.1,
    }
    found = judged("clips-easy", {"accuracy": {"walk": move, "cross": other}})
    assert [*found["met"].values()] == met
    assert found["known"]["named"] == named


@pytest.mark.parametrize(
    ("median", "longest", "least", "memory"), [(0.4, 1.9, 0.9, 101), (1.2, 2.1, 0.5, 130)]
)
def test_watching_is_judged(median: float, longest: float, least: float, memory: float) -> None:
    """The delay, the oldest answer, the camera that was answered least, and the memory."""
    printed = {
        "fps": 1.0,
        "delay_s": {"median": median, "longest": longest},
        "busy_answered_per_s": {"least": least, "median": 1.0},
        "memory_mb": {"at_a_third": 100, "at_the_end": memory},
    }
    found = judged("watch-24", {"24 at 1 fps, all busy": printed})
    assert [*found["met"].values()] == [median < 1] * 4
    assert found["delay_s"] == printed["delay_s"]


@pytest.mark.parametrize(("names", "people"), [([], []), (["Anna"], []), ([], ["unknown-1"])])
def test_the_film_is_judged(names: list[str], people: list[str]) -> None:
    """Neither a name nor an unknown person may come of it."""
    found = judged("cctv", {"film": {"named": names, "people in the report": people, "tracks": 6}})
    assert found["met"] is not bool(names or people)
