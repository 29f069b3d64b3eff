"""How much boxes overlap, measured one by one, in arrays, and by whole pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from face_det.boxes import (
    box_area,
    intersection_over_union,
    non_maximum_suppression,
    pairwise_enclosed_share,
    pairwise_intersection,
    pairwise_iou,
)
from face_det.types import Box

EDGES = st.tuples(*[st.integers(0, 50)] * 4).map(lambda e: (e[0], e[1], e[0] + e[2], e[1] + e[3]))


@settings(deadline=None)
@given(EDGES, st.lists(EDGES, min_size=1, max_size=5))
def test_arrays_agree_with_single_boxes(one: tuple[int, ...], others: list[tuple[int, ...]]) -> None:
    """The array version gives what the version for two boxes gives."""
    shares = pairwise_iou(np.array(one, np.float32), np.array(others, np.float32))
    assert shares == pytest.approx([intersection_over_union(Box(*one), Box(*other)) for other in others])


@settings(deadline=None)
@given(EDGES)
def test_a_box_overlaps_itself_completely(one: tuple[int, ...]) -> None:
    """Its intersection with itself is its area; in whole pixels no box is empty."""
    box = np.array(one, np.float32)
    assert pairwise_intersection(box, box[None]) == box_area(box)
    assert pairwise_enclosed_share(np.array(one), np.array([one])) == 1


def test_boxes_without_area_share_nothing() -> None:
    """There is no division by zero."""
    assert intersection_over_union(Box(1, 1, 1, 1), Box(1, 1, 1, 1)) == 0
    assert pairwise_iou(np.ones(4, np.float32), np.ones((1, 4), np.float32)) == 0


def test_only_kept_boxes_suppress_others() -> None:
    """A chain of boxes, each overlapping the next: every second one is kept."""
    boxes = np.array([[left, 0, left + 10, 10] for left in (0, 4, 8, 12)], np.float32)
    assert non_maximum_suppression(boxes, pairwise_iou, 0.3).tolist() == [0, 2]
