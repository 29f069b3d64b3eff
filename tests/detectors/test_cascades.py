"""The cascades find what OpenCV's own classifier finds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from face_det.boxes import intersection_over_union
from face_det.detectors import DETECTORS
from face_det.detectors.cascade import MIN_NEIGHBOURS, Cascade
from face_det.errors import WeightsError
from face_det.nets import verify_weights
from face_det.types import Rgb


@pytest.fixture
def everybody(photos: Mapping[str, Path]) -> Rgb:
    """Six people at a table."""
    picture = PIL.Image.open(photos["t1"]).convert("RGB")
    picture.thumbnail((480, 480))
    return np.array(picture)


def test_boxes_are_those_of_opencv(everybody: Rgb) -> None:
    """The frontal cascade's boxes and scores are those of cv2.CascadeClassifier, best first."""
    name = cv2.data.haarcascades + "haarcascade_frontalface_default.xml"
    boxes, _, scores = cv2.CascadeClassifier(name).detectMultiScale3(
        cv2.cvtColor(everybody, cv2.COLOR_RGB2GRAY),
        minNeighbors=MIN_NEIGHBOURS,
        minSize=(20, 20),
        outputRejectLevels=True,
    )
    found = DETECTORS.create("haar").detect(everybody)
    order = np.argsort(-np.asarray(scores))
    assert len(found) == len(boxes) >= 3
    for one, (left, top, width, height) in zip(found, np.asarray(boxes)[order], strict=True):
        assert (one.box.xmin, one.box.ymin, one.box.width, one.box.height) == (left, top, width, height)
    assert [one.score for one in found] == pytest.approx(sorted(scores, reverse=True))


def test_profiles_are_found_on_both_sides(everybody: Rgb) -> None:
    """A face that only the profile cascade finds is found in the mirror image as well, mirrored."""
    frontal, both = DETECTORS.create("haar"), DETECTORS.create("haar_profile")
    width = everybody.shape[1]

    def profiles(rgb: Rgb) -> list[float]:
        known = [one.box for one in frontal.detect(rgb)]
        return [
            (one.box.xmin + one.box.xmax) / 2
            for one in both.detect(rgb)
            if all(intersection_over_union(one.box, box) < 0.3 for box in known)
        ]

    here, mirrored = profiles(everybody), profiles(np.ascontiguousarray(everybody[:, ::-1]))
    assert here
    assert all(min(abs(width - x - other) for other in mirrored) < 5 for x in here)


def test_the_file_of_patterns_is_mended() -> None:
    """OpenCV refuses scikit-image's file as it is; what is no cascade at all is refused with its path."""
    path = verify_weights("lbp")
    assert cv2.CascadeClassifier(str(path)).empty()
    with pytest.raises(WeightsError, match=r"lbpcascade.*must hold a cascade of OpenCV"):
        Cascade(path, path.read_text("utf-8"))
