"""benchmarks/tracking.py runs from photos and a film to figures, and counts right."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from benchmark_modules import BENCHMARKS, frame_as_lfw, module

from face_det.types import Box


@pytest.mark.slow
def test_from_photos_to_figures(photos: Mapping[str, Path], tmp_path: Path) -> None:
    """Somebody known and a stranger walk through a clip: one is named, one is not, and each is one track."""
    known, strangers = tmp_path / "known" / "Obama", tmp_path / "strangers"
    known.mkdir(parents=True)
    strangers.mkdir()
    for number in range(7):
        frame_as_lfw(photos[("obama", "obama3")[number % 2]], known / f"{number}.jpg")
    frame_as_lfw(photos["astronaut"], strangers / "000.jpg")
    for number in range(1, module("tracking").TRAINING_STRANGERS + 1):
        (strangers / f"{number:03}.jpg").symlink_to("000.jpg")
    film = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter_fourcc(*"MJPG"), 10, (96, 54))
    for _ in range(1250):
        writer.write(np.full((54, 96, 3), 120, np.uint8))
    writer.release()
    command = [sys.executable, str(BENCHMARKS / "tracking.py"), str(tmp_path), str(film), "--frames", "25"]
    done = subprocess.run(
        [*command, "--measure", "accuracy", "agreement"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    (figures,) = found["accuracy"].values()
    assert figures["known"] == {"all": 1, "named": 1, "best frame: named": 1}
    assert figures["strangers"] == {"all": 1, "not named": 1, "best frame: not named": 1}
    assert (figures["pieces a person"], figures["switches"]) == (1, 0)
    assert figures["entries in the report"] == {"right": 1, "unknown": 1}
    assert found["agreement"] == {"the same people": 1}


def test_a_face_is_whoever_it_alone_shows() -> None:
    """Not two people's, nor nobody's."""
    owner_of = module("tracking").owner_of
    faces = [Box(0, 0, 20, 20), None, Box(30, 0, 50, 20)]
    assert owner_of(Box(2, 2, 22, 22), faces) == 0
    assert owner_of(Box(0, 0, 60, 30), faces) is None
    assert owner_of(Box(60, 0, 80, 20), faces) is None
