"""dlib's tiled pyramid: where levels lie, and that its parts add up to the whole."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from face_det.detectors import mmod_boxes, mmod_pyramid
from face_det.detectors.cnn import CnnDetector
from face_det.detectors.mmod_pyramid import Area, TiledPyramid

SIDES = st.integers(1, 700)


def covered(sheet: TiledPyramid, areas: list[Area]) -> np.ndarray:
    """Count how often each score is computed."""
    count = np.zeros((sheet.scores.height, sheet.scores.width), int)
    for area in areas:
        count[area.top : area.bottom, area.left : area.right] += 1
    return count


@settings(deadline=None)
@given(SIDES, SIDES)
def test_levels_lie_apart_on_the_sheet(height: int, width: int) -> None:
    """Each level is 5/6 of the one before, inside the margin; only a level beside the image may come
    close."""
    sheet = mmod_pyramid.tile_pyramid(height, width)
    taken = np.zeros((sheet.height, sheet.width), bool)
    for before, level in zip(sheet.levels, sheet.levels[1:], strict=False):
        assert (level.height, level.width) == (5 * before.height // 6, 5 * before.width // 6)
    for level in sheet.levels:
        place = taken[level.top : level.bottom, level.left : level.right]
        assert place.shape == (level.height, level.width)
        assert not place.any()
        place[:] = True
    taken[
        mmod_pyramid.MARGIN_PX : -mmod_pyramid.MARGIN_PX, mmod_pyramid.MARGIN_PX : -mmod_pyramid.MARGIN_PX
    ] = False
    assert not taken.any()


@settings(deadline=None)
@given(SIDES, SIDES, st.sampled_from([5_000, 60_000, 10**9]))
def test_windows_cover_each_score_once(height: int, width: int, limit: int) -> None:
    """Windows cover each score once, however small they are; each includes the pixels around its scores."""
    sheet = mmod_pyramid.tile_pyramid(height, width)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mmod_pyramid, "WINDOW_PIXELS", limit)
        windows = mmod_pyramid.split_into_windows(sheet.scores)
    assert (covered(sheet, windows) == 1).all()
    for window in windows:
        part = mmod_pyramid.receptive_field(window, sheet)
        assert part.top % mmod_pyramid.STRIDE_PX == part.left % mmod_pyramid.STRIDE_PX == 0
        assert 0 <= part.top <= max(window.top * 8 - 80, 0)
        assert 0 <= part.left <= max(window.left * 8 - 80, 0)
        assert sheet.height >= part.bottom >= min((window.bottom - 1) * 8 + 29 + 80, sheet.height)
        assert sheet.width >= part.right >= min((window.right - 1) * 8 + 29 + 80, sheet.width)


@settings(deadline=None)
@given(SIDES, SIDES, st.integers(1, 12))
@example(height=840, width=1402, first=22)  # a score 104 px off its level, between the columns
def test_larger_faces_need_no_other_scores(height: int, width: int, first: int) -> None:
    """A score that is left out lies on larger levels, or so far from its level that it sees nothing of it."""
    sheet = mmod_pyramid.tile_pyramid(height, width)
    areas = mmod_pyramid.areas_from_level(sheet, first)
    count = covered(sheet, areas)
    assert count.max(initial=0) <= 1
    rows, columns = np.nonzero(count == 0)
    x, y = (
        columns * mmod_pyramid.STRIDE_PX + mmod_pyramid.CENTRE_PX,
        rows * mmod_pyramid.STRIDE_PX + mmod_pyramid.CENTRE_PX,
    )
    levels = mmod_boxes.nearest_levels(x, y, sheet)
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
    """The window of 80 px grows by 1.2 per level; rounding is allowed a pixel, twice."""
    assert mmod_boxes.first_level(min_face_px, doublings) == level


@settings(deadline=None)
@given(st.integers(0, 24), st.integers(1, 24), st.floats(0, 1), st.floats(0, 1))
def test_undisturbed_boxes_are_no_doubles(level: int, first: int, x: float, y: float) -> None:
    """A box of a level before `first`, wherever it lies, never duplicates an undisturbed level's."""
    small = mmod_boxes.BOX_SPAN_PX * 1.2 ** min(level, first - 1)
    large = mmod_boxes.BOX_SPAN_PX * 1.2 ** mmod_boxes.undisturbed_level(first)
    corner = np.array([x, y]) * (large - small)
    boxes = np.array([[0, 0, large, large], [*corner, *(corner + small)]])
    boxes = np.floor(boxes + 0.5).astype(int)
    found = mmod_boxes.CandidateBoxes(boxes, np.array([1, 2], np.float32), np.array([9, 0]))
    assert len(mmod_boxes.suppress_overlapping_boxes(found).boxes) == 2


def kept(*boxes: tuple[int, int, int, int]) -> int:
    scores = np.arange(len(boxes), 0, -1).astype(np.float32)
    return len(
        mmod_boxes.suppress_overlapping_boxes(
            mmod_boxes.CandidateBoxes(np.array(boxes), scores, np.zeros(len(boxes), int))
        ).boxes
    )


def test_doubles_are_told_by_the_box_around_both() -> None:
    """The last pixel counts; of two boxes that overlap at a corner the union is less than the box around
    them, so they may overlap more."""
    whole = (0, 0, 99, 99)
    assert kept(whole, (50, 0, 149, 99)) == 2  # 50 of 150
    assert kept(whole, (49, 0, 148, 99)) == 1  # 51 of 149
    assert kept(whole, (28, 28, 127, 127)) == 2  # 5184 of 16384, .35 of the union
    assert kept(whole, (25, 25, 124, 124)) == 1


def test_a_dropped_box_drops_no_other() -> None:
    """Of three in a row, where each duplicates the next, the middle one goes if it is not the best."""
    first, middle, last = (0, 0, 99, 99), (45, 0, 144, 99), (90, 0, 189, 99)
    assert kept(first, middle, last) == 2
    assert kept(middle, first, last) == 1


@settings(deadline=None)
@given(SIDES, SIDES, st.sampled_from([1, 100_000, 10**9]))
def test_batches_hold_every_window_once(height: int, width: int, limit: int) -> None:
    """Windows come in order with their pixels, and no more at a time than wanted, except a single one."""
    sheet = mmod_pyramid.tile_pyramid(height, width)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mmod_pyramid, "WINDOW_PIXELS", 30_000)
        patch.setattr(mmod_pyramid, "BATCH_PIXELS", limit)
        windows = mmod_pyramid.split_into_windows(sheet.scores)
        batches = list(mmod_pyramid.batch_windows([sheet.scores], sheet))
    assert [window for batch in batches for window, _ in batch] == windows
    assert all(
        part == mmod_pyramid.receptive_field(window, sheet) for batch in batches for window, part in batch
    )
    for batch in batches:
        assert len(batch) == 1 or sum(part.height * part.width for _, part in batch) <= limit


def test_parts_drawn_alone_are_those_drawn_together() -> None:
    """Parts of the pyramid equal the whole, whatever levels are in them."""
    rgb = np.random.default_rng(0).integers(0, 256, (230, 310, 3), np.uint8)
    sheet = mmod_pyramid.tile_pyramid(230, 310)
    whole = Area(0, 0, sheet.height, sheet.width)
    (expected,) = mmod_pyramid.draw_parts(rgb, sheet, [whole])
    for part in (
        Area(0, 0, 90, 320),
        Area(100, 40, 300, 200),
        Area(250, 0, sheet.height, 50),
        Area(0, 0, 5, 5),
    ):
        (drawn,) = mmod_pyramid.draw_parts(rgb, sheet, [part])
        assert np.array_equal(drawn, expected[:, :, part.top : part.bottom, part.left : part.right])


def bilinear(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizing aligns corners, in float64."""
    y, x = np.linspace(0, picture.shape[0] - 1, height), np.linspace(0, picture.shape[1] - 1, width)
    top, left = (
        np.minimum(at.astype(int), side - 2) for at, side in ((y, picture.shape[0]), (x, picture.shape[1]))
    )
    down, across = (y - top)[:, None], (x - left)[None, :]
    rows = [
        picture[top + below][:, left] * (1 - across) + picture[top + below][:, left + 1] * across
        for below in (0, 1)
    ]
    return rows[0] * (1 - down) + rows[1] * down


@pytest.mark.parametrize(("rows", "columns"), [(9, 400), (9, 66_000), (5, 150_000), (66_000, 9)])
def test_resizing_what_is_wide(rows: int, columns: int) -> None:
    """Resizing is right to the last column, in both directions; dlib's own would write past its memory."""
    plane = np.random.default_rng(0).random((rows, columns), np.float32) * 255
    smaller = mmod_pyramid.resize_like_dlib(plane, 5 * rows // 6, 5 * columns // 6)
    assert smaller.dtype == np.float32
    assert np.abs(smaller - bilinear(plane, *smaller.shape)).max() < 4
    colours = np.repeat(plane[:, :, None], 3, axis=2).astype(np.uint8)
    larger = mmod_pyramid.resize_like_dlib(colours, 2 * rows + 1, 2 * columns + 2)
    assert (larger.dtype, larger.shape) == (np.uint8, (2 * rows + 1, 2 * columns + 2, 3))
    assert np.abs(larger[:, :, 1] - bilinear(colours[:, :, 1].astype(float), *larger.shape[:2])).max() < 4


class Blank:
    """A session that sees nothing."""

    name = "blank"

    def run(self, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Return scores below every threshold."""
        rows, columns = (
            (side - mmod_pyramid.NEAR_PX) // mmod_pyramid.STRIDE_PX + 1 for side in feeds["tile"].shape[2:]
        )
        return [np.full((1, 1, rows, columns), -9, np.float32)]


def test_memory_for_a_large_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """About 8 bytes for each pixel, and a batch of windows; the pyramid itself would take 46."""
    monkeypatch.setattr(mmod_pyramid, "BATCH_PIXELS", 4_000_000)
    detector = CnnDetector()
    monkeypatch.setattr(detector, "_session", Blank())
    picture = np.full((2400, 3200, 3), 90, np.uint8)
    tracemalloc.start()
    try:
        assert detector.detect(picture) == []
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * 2400 * 3200 + 16 * 4_000_000
