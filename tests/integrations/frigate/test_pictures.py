"""One person of a picture is shown, and no one else."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from face_det.errors import BadImage
from face_det.integrations.frigate.event import PathPoint, parse_row
from face_det.integrations.frigate.people import PersonTracks
from face_det.integrations.frigate.pictures import GREY, isolate_person, share_at
from face_det.media import encode_jpeg, load_image
from face_det.types import Box

BLACK = encode_jpeg(np.zeros((100, 200, 3), np.uint8))


def grey_part(picture):
    """Where a picture is grey: shape (H, W)."""
    return np.abs(load_image(picture).astype(int) - GREY).max(axis=2) < 40


def test_everything_but_the_person_and_a_margin_is_grey():
    """The picture keeps its size, so that a face keeps its place from one to the next."""
    for box, shares in ((Box(40, 20, 80, 60), False), (Box(0.2, 0.2, 0.4, 0.6), True)):
        shown = isolate_person(BLACK, box, shares=shares)
        grey = grey_part(shown.picture)
        assert grey.shape == (100, 200)
        assert not grey[14:67, 34:87].any()
        assert grey[:8].all()
        assert grey[:, :28].all()
        assert grey[:, 96:].all()
        assert shown.box == Box(40, 20, 80, 60)


def test_without_a_box_the_picture_stays_as_it_is():
    """Nobody knows where the person is in it."""
    shown = isolate_person(BLACK, None)
    assert (shown.picture, shown.box) == (BLACK, None)


@pytest.mark.parametrize("box", [Box(300, 20, 380, 60), Box(40, 20, 40.5, 60)])
def test_a_box_outside_the_picture_is_an_error(box):
    """A grey picture would say that nobody is there."""
    with pytest.raises(BadImage, match="must contain the person"):
        isolate_person(BLACK, box)


def test_the_person_is_where_the_path_says():
    """Between its points, and at its ends; without a path, where the best picture has them."""
    row = {"id": "1.5-a", "camera": "front", "label": "person", "start_time": 0}
    still = parse_row({**row, "data": {"box": [0.5, 0.5, 0.2, 0.4]}})
    walking = dataclasses.replace(still, path=(PathPoint(0, 0.2, 0.6), PathPoint(10, 0.6, 0.8)))
    for event, time, expected in (
        (still, 5, (0.5, 0.5, 0.7, 0.9)),
        (walking, 5, (0.3, 0.3, 0.5, 0.7)),
        (walking, 99, (0.5, 0.4, 0.7, 0.8)),
    ):
        box = share_at(event, time)
        assert (box.xmin, box.ymin, box.xmax, box.ymax) == pytest.approx(expected)


def face(track, name, x, proba=0.9):
    box = {"xmin": x, "ymin": 10, "xmax": x + 10, "ymax": 20}
    return {"track": track, "face": name, "faceProba": proba, "faceBox": box, "outcome": "known"}


def test_a_name_is_that_of_most_pictures_and_of_nobody_beside():
    """Two who are named equally often make no name; a track's last answer is about all of its pictures."""
    person, tracks = Box(0, 0, 50, 50), PersonTracks()
    assert (tracks.name(), tracks.compared) == (None, False)
    tracks.add([face(1, "Alice", 20), face(2, "Bob", 80)], person)
    assert tracks.name() == ("Alice", 0.9)
    tracks.add([face(3, "Carol", 20)], person)
    assert (tracks.name(), tracks.compared) == (None, True)
    tracks.add([face(3, "Carol", 20, 0.8)], person)
    assert tracks.name() == ("Carol", 0.8)
    tracks.add([{**face(3, "Unknown", 20)}], person)
    assert tracks.name() == ("Alice", 0.9)
