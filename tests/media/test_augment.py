"""Degraded pictures, and masks drawn on faces."""

from __future__ import annotations

import numpy as np
import pytest

from face_det.media import augment
from face_det.media.augment import DEGRADATIONS
from face_det.types import Box, Rgb

FACE = Box(50, 40, 150, 140)
POINTS = np.array([[80.0, 75.0], [120.0, 75.0], [100.0, 98.0], [84.0, 120.0], [116.0, 120.0]])


@pytest.fixture
def picture() -> Rgb:
    """Return noise of all brightnesses."""
    return np.random.default_rng(0).integers(0, 256, (200, 240, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_the_picture_given_stays_as_it_is(name: str, picture: Rgb) -> None:
    """The result is a new RGB uint8 picture, the same every time."""
    before = picture.copy()
    worse = DEGRADATIONS[name](picture, FACE)
    assert np.array_equal(picture, before)
    assert worse.dtype == np.uint8
    assert worse.ndim == 3
    assert worse.shape != picture.shape or not np.array_equal(worse, picture)
    assert np.array_equal(worse, DEGRADATIONS[name](picture, FACE))


def test_scaled_to_the_faces_width(picture: Rgb) -> None:
    """A face of 100 px shrunk to 20 px makes the picture a fifth as large; small faces are not enlarged."""
    assert augment.shrink_to_face_width(picture, FACE, 20).shape == (40, 48, 3)
    assert np.array_equal(augment.shrink_to_face_width(picture, Box(0, 0, 15, 15), 20), picture)


def test_blur_grows_with_the_face(picture: Rgb) -> None:
    """The same picture is blurred more for a larger face."""
    small = augment.blur_image(picture, Box(0, 0, 20, 20))
    large = augment.blur_image(picture, Box(0, 0, 100, 100))
    assert picture.std() > small.std() > large.std()


def test_dark_is_dark_and_noisy() -> None:
    """Four stops darker at a gamma of 2.2 is 0.2836 of the value, plus a camera's noise."""
    grey = np.full((100, 100, 3), 200, dtype=np.uint8)
    dark = augment.darken_image(grey, FACE)
    assert dark.mean() == pytest.approx(200 * 0.2836, abs=1)
    assert dark.std() == pytest.approx(augment.NOISE_SIGMA, abs=0.3)


def test_colours_stay_in_their_places() -> None:
    """Red stays red after JPEG compression."""
    red = np.zeros((64, 64, 3), dtype=np.uint8)
    red[..., 0] = 220
    assert augment.compress_image(red, FACE).mean(axis=(0, 1)).argmax() == 0


def test_a_mask_hides_mouth_and_nose_and_no_eye() -> None:
    """On skin of one colour, the mask is the pixels that changed."""
    skin = np.full((200, 200, 3), (200, 150, 130), dtype=np.uint8)
    drawn = augment.draw_mask(skin, POINTS)
    changed = (drawn != skin).any(axis=2)
    for x, y in POINTS[2:].astype(int):
        assert changed[y, x]
    for x, y in POINTS[:2].astype(int):
        assert not changed[y - 5 : y + 6, x - 8 : x + 9].any()
    assert changed[140:148, 95:105].all(), "the chin"
    assert not changed[:80].any()


def test_a_mask_turns_with_the_head() -> None:
    """When the head turns a quarter to the left, so does the mask."""
    skin = np.full((200, 200, 3), (200, 150, 130), dtype=np.uint8)
    upright = (augment.draw_mask(skin, POINTS) != skin).any(axis=2)
    turned_points = np.stack([POINTS[:, 1], 199 - POINTS[:, 0]], axis=1)
    turned = (augment.draw_mask(skin, turned_points) != skin).any(axis=2)
    expected = np.rot90(upright)
    assert (turned & expected).sum() > 0.95 * (turned | expected).sum()


def test_a_mask_is_lit_as_the_face_is() -> None:
    """A mask in the dark does not glow."""
    dark = np.full((200, 200, 3), 25, dtype=np.uint8)
    assert augment.draw_mask(dark, POINTS).max() < 60


def test_a_face_at_the_edge() -> None:
    """Points outside the picture are not an error."""
    skin = np.full((100, 100, 3), 150, dtype=np.uint8)
    assert augment.draw_mask(skin, POINTS - [120.0, 90.0]).shape == skin.shape
