"""Faces are followed through clips composed of real photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from face_det.engine import EngineOptions, build_engine
from face_det.media import load_image, resize_image
from face_det.recognition import Recognizer
from face_det.tracking import FaceTracker, TrackedFace
from face_det.types import Rgb

FPS = 10


@pytest.fixture
def recognizer(shared_networks: None) -> Recognizer:
    """Nobody is enrolled."""
    return Recognizer(build_engine(EngineOptions(embedder="sface", upsample=0)), None)


@pytest.fixture(scope="module")
def two(small_photos: dict[str, Path]) -> list[Rgb]:
    """Photos of two people, 100 x 125 pixels."""
    return [resize_image(load_image(small_photos[name]), 100, 125) for name in ("obama", "biden")]


def frame(*placed: tuple[Rgb, int, int]) -> Rgb:
    """A frame of 640 x 360 pixels with photos at places (left, top), the later ones in front."""
    canvas = np.full((360, 640, 3), 110, np.uint8)
    for photo, left, top in placed:
        height, width = photo.shape[:2]
        canvas[top : top + height, left : left + width] = photo
    return canvas


def walk(tracker: FaceTracker, two: list[Rgb], frames: int = 15) -> list[list[TrackedFace]]:
    """Two people walk towards and past each other, one above the other."""
    seen = []
    for number in range(frames):
        here = 10 + 35 * number
        picture = frame((two[0], here, 10), (two[1], 530 - here, 200))
        seen.append(tracker.step(picture, number / FPS))
    return seen


def test_two_who_walk_by_are_two_tracks(recognizer: Recognizer, two: list[Rgb]) -> None:
    """Each keeps its number; both are seen in every frame, and each has a best face with an encoding."""
    tracker = FaceTracker(lambda: recognizer)
    seen = walk(tracker, two)
    assert [sorted(face.track for face in faces) for faces in seen] == [[1, 2]] * len(seen)
    assert tracker.take_ended() == []
    tracks = tracker.finish()
    assert [track.number for track in tracks] == [1, 2]
    for track in tracks:
        assert track.frames >= len(seen) - 2
        assert track.seen_with == {1, 2} - {track.number}
        assert track.encoding is not None
        assert track.best.encoding is not None
    assert tracker.finish() == []
