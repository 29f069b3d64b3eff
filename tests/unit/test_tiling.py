"""The sheet of dlib's pyramid: where levels lie, and that its parts add up to the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from face_det.detectors import mmod, tiling
from face_det.detectors.tiling import Area, Sheet

SIDES = st.integers(1, 700)


def covered(sheet: Sheet, areas: list[Area]) -> np.ndarray:
    """How often each score is computed."""
    count = np.zeros((sheet.scores.height, sheet.scores.width), int)
    for area in areas:
        count[area.top : area.bottom, area.left : area.right] += 1
    return count


@settings(deadline=None)
@given(SIDES, SIDES)
def test_levels_lie_apart_on_the_sheet(height: int, width: int) -> None:
    """Each 5/6 of the one before, inside the margin; only a level beside the image may come close."""
    sheet = tiling.sheet(height, width)
    taken = np.zeros((sheet.height, sheet.width), bool)
    for before, level in zip(sheet.levels, sheet.levels[1:], strict=False):
        assert (level.height, level.width) == (5 * before.height // 6, 5 * before.width // 6)
    for level in sheet.levels:
        place = taken[level.top : level.bottom, level.left : level.right]
        assert place.shape == (level.height, level.width)
        assert not place.any()
        place[:] = True
    taken[tiling.MARGIN_PX : -tiling.MARGIN_PX, tiling.MARGIN_PX : -tiling.MARGIN_PX] = False
    assert not taken.any()


@settings(deadline=None)
@given(SIDES, SIDES, st.sampled_from([5_000, 60_000, 10**9]))
def test_windows_cover_each_score_once(height: int, width: int, limit: int) -> None:
    """However small the windows; and each carries the pixels around its scores."""
    sheet = tiling.sheet(height, width)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiling, "WINDOW_PX", limit)
        windows = tiling.windows(sheet.scores)
    assert (covered(sheet, windows) == 1).all()
    for window in windows:
        part = tiling.pixels(window, sheet)
        assert part.top % tiling.STRIDE_PX == part.left % tiling.STRIDE_PX == 0
        assert 0 <= part.top <= max(window.top * 8 - 80, 0)
        assert 0 <= part.left <= max(window.left * 8 - 80, 0)
        assert sheet.height >= part.bottom >= min((window.bottom - 1) * 8 + 29 + 80, sheet.height)
        assert sheet.width >= part.right >= min((window.right - 1) * 8 + 29 + 80, sheet.width)


@settings(deadline=None)
@given(SIDES, SIDES, st.integers(1, 12))
@example(height=840, width=1402, first=22)  # a score 104 px off its level, between the columns
def test_larger_faces_need_no_other_scores(height: int, width: int, first: int) -> None:
    """What is left out lies on larger levels, or so far from its level that it sees none at all."""
    sheet = tiling.sheet(height, width)
    areas = tiling.around(sheet, first)
    count = covered(sheet, areas)
    assert count.max(initial=0) <= 1
    rows, columns = np.nonzero(count == 0)
    x, y = columns * tiling.STRIDE_PX + tiling.CENTRE_PX, rows * tiling.STRIDE_PX + tiling.CENTRE_PX
    levels = mmod.nearest(x, y, sheet)
    sees = np.zeros(len(x), bool)
    for level in sheet.levels:
        across = (x - 94 < level.right) & (x + 94 >= level.left)
        sees |= across & (y - 94 < level.bottom) & (y + 94 >= level.top)
    assert not (sees & (levels >= first)).any()


@pytest.mark.parametrize(
    ("min_face_px", "doublings", "level"),
    [(0, 0, 0), (20, 1, 0), (80.9, 0, 0), (81, 0, 1), (40.9, 1, 0), (41, 1, 1), (160, 0, 4), (1e4, 0, 27)],
)
def test_first_level_that_can_hold_a_face(min_face_px: float, doublings: int, level: int) -> None:
    """The window of 80 px grows by 1.2 a level; rounding is given a pixel, twice."""
    assert mmod.first_level(min_face_px, doublings) == level


@settings(deadline=None)
@given(st.integers(0, 24), st.integers(1, 24), st.floats(0, 1), st.floats(0, 1))
def test_undisturbed_boxes_are_no_doubles(level: int, first: int, x: float, y: float) -> None:
    """A box of a level below `first`, wherever it lies, is no double of an undisturbed level's."""
    small = mmod.SPAN_PX * 1.2 ** min(level, first - 1)
    large = mmod.SPAN_PX * 1.2 ** mmod.undisturbed_level(first)
    corner = np.array([x, y]) * (large - small)
    boxes = np.array([[0, 0, large, large], [*corner, *(corner + small)]])
    boxes = np.floor(boxes + 0.5).astype(int)
    found = mmod.Candidates(boxes, np.array([1, 2], np.float32), np.array([9, 0]))
    assert len(mmod.distinct(found).boxes) == 2


def kept(*boxes: tuple[int, int, int, int]) -> int:
    scores = np.arange(len(boxes), 0, -1).astype(np.float32)
    return len(mmod.distinct(mmod.Candidates(np.array(boxes), scores, np.zeros(len(boxes), int))).boxes)


def test_doubles_are_told_by_the_box_around_both() -> None:
    """Pixels are counted with the last one; of two that overlap across a corner the union is less
    than the box around them, so they may overlap more."""
    whole = (0, 0, 99, 99)
    assert kept(whole, (50, 0, 149, 99)) == 2  # 50 of 150
    assert kept(whole, (49, 0, 148, 99)) == 1  # 51 of 149
    assert kept(whole, (28, 28, 127, 127)) == 2  # 5184 of 16384, .35 of the union
    assert kept(whole, (25, 25, 124, 124)) == 1


def test_a_dropped_box_drops_no_other() -> None:
    """Of three in a row, where each is a double of the next, the middle one goes if it is not the best."""
    first, middle, last = (0, 0, 99, 99), (45, 0, 144, 99), (90, 0, 189, 99)
    assert kept(first, middle, last) == 2
    assert kept(middle, first, last) == 1
