"""YuNet outside OpenCV finds the same faces, in images of any size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from face_det.detectors import scaling
from face_det.detectors.yunet import MIN_SCORE, YunetDetector
from face_det.nets.catalogue import weights_path
from face_det.nets.yunet import Yunet
from face_det.types import Box, Detection, Rgb

FACES = {"t1": 900, "grace_hopper": 512, "astronaut": 400, "obama": 333, "biden": 640}
"""Photos, and the width at which they are searched."""


@pytest.fixture(scope="module")
def detector() -> YunetDetector:
    return YunetDetector()


def scaled(path: Path, width: int) -> Rgb:
    picture = PIL.Image.open(path).convert("RGB")
    return np.array(picture.resize((width, round(picture.height * width / picture.width))))


def numbers(found: Detection) -> list[float]:
    """Return box, landmarks and score in one row."""
    assert found.landmarks is not None
    box = found.box
    return [box.xmin, box.ymin, box.xmax, box.ymax, *found.landmarks.ravel().tolist(), found.score]


@pytest.mark.parametrize(("name", "width"), FACES.items())
def test_faces_are_those_of_opencv(
    detector: YunetDetector, photos: Mapping[str, Path], name: str, width: int
) -> None:
    """Boxes and landmarks agree within 0.01 px, scores within 1e-5, whatever the remainder by 32."""
    rgb = scaled(photos[name], width)
    height = rgb.shape[0]
    theirs = cv2.FaceDetectorYN.create(str(weights_path("yunet")), "", (width, height), MIN_SCORE, 0.3)
    _, rows = theirs.detect(np.ascontiguousarray(rgb[:, :, ::-1]))
    rows = rows[np.argsort(-rows[:, 14])]
    rows[:, 2:4] += rows[:, :2]
    rows[:, [0, 2]] = rows[:, [0, 2]].clip(0, width)
    rows[:, [1, 3]] = rows[:, [1, 3]].clip(0, height)
    ours = np.array([numbers(found) for found in detector.detect(rgb)])
    assert ours.shape == rows.shape
    np.testing.assert_allclose(ours[:, :14], rows[:, :14], atol=0.01)
    np.testing.assert_allclose(ours[:, 14], rows[:, 14], atol=1e-5)


def test_landmarks_go_from_left_to_right(detector: YunetDetector, photos: Mapping[str, Path]) -> None:
    """Eyes are above the nose, the nose above the mouth, the left one of each pair first."""
    for found in detector.detect(scaled(photos["t1"], 900)):
        assert found.landmarks is not None
        assert found.landmarks.shape == (5, 2)
        assert found.landmarks.dtype == np.float32
        (left, right, nose, mouth_left, mouth_right) = found.landmarks
        assert left[0] < right[0]
        assert mouth_left[0] < mouth_right[0]
        assert max(left[1], right[1]) < nose[1] < min(mouth_left[1], mouth_right[1])


def test_a_batch_is_its_pictures(photos: Mapping[str, Path]) -> None:
    """The faces of an image do not depend on the others in the batch."""
    network = Yunet()
    rgb = scaled(photos["t1"], 640)
    parts = [rgb[:200, left : left + 250] for left in (0, 130, 260, 390)]
    together = network.faces(parts, 0.5)
    assert sum(len(found.scores) for found in together) >= 4
    for part, found in zip(parts, together, strict=True):
        (alone,) = network.faces([part], 0.5)
        np.testing.assert_allclose(found.boxes, alone.boxes, atol=1e-3)
        np.testing.assert_allclose(found.landmarks, alone.landmarks, atol=1e-3)
    assert network.faces([], 0.5) == []


@pytest.mark.parametrize(("height", "upsample"), [(700, 0), (1000, 0), (400, 1), (1500, 0)])
def test_large_faces_are_found(
    detector: YunetDetector, photos: Mapping[str, Path], height: int, upsample: int
) -> None:
    """A face that fills the image, of 600 to 1200 px, is found once, and nothing else."""
    rgb = scaled(photos["obama"], 400)
    (face,) = detector.detect(rgb)
    box = face.box
    part = rgb[int(box.ymin) - 10 : int(box.ymax) + 10, int(box.xmin) - 20 : int(box.xmax) + 20]
    picture = PIL.Image.fromarray(part).resize((round(height * part.shape[1] / part.shape[0]), height))
    (found,) = detector.detect(np.array(picture), upsample)
    times = height / part.shape[0]
    expected = Box(20 * times, 10 * times, 20 * times + box.width * times, 10 * times + box.height * times)
    for edge in ("xmin", "ymin", "xmax", "ymax"):
        assert getattr(found.box, edge) == pytest.approx(getattr(expected, edge), abs=0.1 * height)


@pytest.mark.parametrize(
    ("shape", "upsample", "most"),
    [
        ((2160, 3840), 0, scaling.MAX_PIXELS),
        ((2160, 3840), 1, scaling.MAX_ENLARGED_PIXELS),
        ((1080, 1920), 5, scaling.MAX_ENLARGED_PIXELS),
        ((4, 60_000), 0, scaling.MAX_PIXELS),
        ((60_000, 4), 2, scaling.MAX_PIXELS),
    ],
)
def test_no_picture_takes_all_memory(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int], upsample: int, most: int
) -> None:
    """The network gets only so many pixels; its answer is in pixels of the original image."""
    given: list[tuple[int, ...]] = []
    detector = YunetDetector()
    real = detector._network.faces

    def faces(pictures: list[Rgb], least: float) -> object:
        given.append(pictures[0].shape)
        return real([pictures[0][:64, :64]], least)

    monkeypatch.setattr(detector._network, "faces", faces)
    detector.detect(np.zeros((*shape, 3), np.uint8), upsample)
    assert max(rows * columns for rows, columns, _ in given) <= most * 1.01
    assert max(max(sides) for sides in given) <= scaling.MAX_SIDE_PX
    assert given[0][0] / given[0][1] == pytest.approx(shape[0] / shape[1], rel=0.02) or min(given[0][:2]) < 8


def test_a_large_picture_is_that_of_a_smaller_one(
    detector: YunetDetector, photos: Mapping[str, Path]
) -> None:
    """Boxes and landmarks are in pixels of the image that was passed in."""
    small, large = scaled(photos["t1"], 1200), scaled(photos["t1"], 3600)
    once, thrice = detector.detect(small), detector.detect(large)
    assert len(once) == len(thrice) >= 6
    for one in once:
        other = min(thrice, key=lambda each: abs(each.box.xmin - 3 * one.box.xmin))
        away = np.abs(np.array(numbers(other)[:14]) - 3 * np.array(numbers(one)[:14])).max()
        assert away < 0.15 * 3 * one.box.width


@pytest.mark.parametrize("side", range(1, 11))
def test_tiny_pictures(detector: YunetDetector, side: int) -> None:
    """Noise of a few pixels is not an error, doubled or not."""
    noise = np.random.default_rng(side).integers(0, 256, (side, 11 - side, 3), np.uint8)
    for upsample in (0, 2):
        for found in detector.detect(noise, upsample):
            assert found.box == found.box.clipped(11 - side, side)
