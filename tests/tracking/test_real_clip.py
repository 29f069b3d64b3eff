"""Real photos, moved through frames, are found, followed and named by the real networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from face_det.embedders import DLIB_RESNET, SFACE
from face_det.engine import Engine, EngineOptions, build_engine
from face_det.gallery import Gallery
from face_det.media import load_image, resize_image
from face_det.recognition import Recognizer
from face_det.tracking import FaceTracker, Track, group_tracks
from face_det.training import refit_model
from face_det.types import Rgb

FRAMES, FPS = 24, 12


@pytest.fixture
def engine(shared_networks: None) -> Engine:
    """The real networks."""
    return build_engine(EngineOptions(embedder=SFACE, upsample=0))


@pytest.fixture
def recognizer(engine: Engine, small_photos: dict[str, Path]) -> Recognizer:
    """Obama is enrolled with two photos, neither of them in the clip."""
    found = engine.faces([(load_image(small_photos[name]), None) for name in ("obama2", "obama3")])
    rows = np.array([faces[0].encoding for faces in found])
    # A gallery always has dlib's encodings, too, of which nothing is learnt here.
    both = {DLIB_RESNET: np.zeros((2, 128)), SFACE: rows}
    gallery = Gallery(both, ["Obama"] * 2, {SFACE: engine.fingerprint})
    return Recognizer(engine, refit_model(None, gallery, kind="template", embedder=SFACE))


def paste(canvas: Rgb, photo: Rgb, left: int, top: int) -> None:
    """Draw a photo into a frame."""
    canvas[top : top + photo.shape[0], left : left + photo.shape[1]] = photo


def test_two_who_cross_keep_their_names(recognizer: Recognizer, small_photos: dict[str, Path]) -> None:
    """One walks behind the other; the stranger stays one, and who is known is known in every frame."""
    known, stranger = (resize_image(load_image(small_photos[name]), 120, 150) for name in ("obama", "biden"))
    tracker = FaceTracker(lambda: recognizer)
    sides: list[dict[int, float]] = []
    for number in range(FRAMES):
        canvas = np.full((360, 640, 3), 110, np.uint8)
        here = 10 + 500 * number // (FRAMES - 1)
        paste(canvas, stranger, 520 - here, 110)
        paste(canvas, known, here, 90)
        sides.append({one.track: one.box.xmin for one in tracker.step(canvas, number / FPS)})
    tracks = tracker.finish()
    assert [track.number for track in tracks] == [1, 2]
    for number in (1, 2):
        # Each has walked from one side to the other.
        assert abs(sides[-1][number] - sides[0][number]) > 300
    by_name = {track.match.name: track for track in tracks}
    assert by_name["Obama"].frames >= FRAMES - 4
    assert [person.name for person in group_tracks(tracks, None)].count(None) == 1
    assert _norms_are_known(tracks)


def _norms_are_known(tracks: list[Track]) -> bool:
    return all(track.norm is not None and track.norm > 5 and track.encoding is not None for track in tracks)
