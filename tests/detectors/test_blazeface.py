"""BlazeFace, and the parts of a picture that a network of one input size looks at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from face_det.detectors.blazeface import BlazefaceDetector, anchor_centres, decode_boxes
from face_det.detectors.views import draw_view, plan_views

LENGTHS = st.integers(1, 5000)


def test_boxes_are_counted_from_their_anchors() -> None:
    """The 896 anchors lie row by row, two in each cell of 16 px, then six in each of 32 px."""
    anchors = anchor_centres()
    assert anchors.shape == (896, 2)
    assert anchors[[0, 1, 2, 33, 512, 517, 518]].tolist() == [
        *([8, 8], [8, 8], [24, 8], [8, 24]),
        *([16, 16], [16, 16], [48, 16]),
    ]
    raw = np.zeros((896, 16), np.float32)
    raw[518, :4] = [4, -6, 20, 30]
    logits = np.full(896, -100, np.float32)
    logits[518] = np.log(3)
    found = decode_boxes(raw, logits, anchors)
    assert found.boxes.tolist() == [[42, -5, 62, 25]]
    assert found.scores == pytest.approx([0.75])


def test_the_network_is_that_of_tensorflow_lite(photos: Mapping[str, Path]) -> None:
    """Box and score of a known face agree with what ai-edge-litert 2.3.0 computes from the same file."""
    rgb = np.array(PIL.Image.open(photos["astronaut"]).convert("RGB").resize((256, 256)))
    (face,) = BlazefaceDetector().detect(rgb)
    box = [face.box.xmin, face.box.ymin, face.box.xmax, face.box.ymax]
    np.testing.assert_allclose(box, [86.272, 36.847, 138.486, 89.061], atol=0.01)
    assert face.score == pytest.approx(0.88053, abs=1e-4)


def test_a_doubling_finds_smaller_faces(photos: Mapping[str, Path]) -> None:
    """A small face in the corner of a large picture is found in a part of it, where it is."""
    loaded = PIL.Image.open(photos["astronaut"]).convert("RGB").resize((128, 128))
    rgb = np.full((512, 512, 3), 90, np.uint8)
    rgb[380:508, 380:508] = np.array(loaded)
    detector = BlazefaceDetector()
    found = detector.detect(rgb, 2)
    assert found
    box = found[0].box
    assert (box.xmin, box.ymin) == pytest.approx((380 + 45, 380 + 20), abs=8)
    assert len(detector.detect(rgb)) < len(found) or detector.detect(rgb)[0].score < found[0].score


@given(LENGTHS, LENGTHS, st.sampled_from([1.0, 4 / 3]), st.integers(0, 2), st.data())
def test_every_face_is_whole_in_some_view(
    width: int, height: int, aspect: float, upsample: int, data: st.DataObject
) -> None:
    """What is up to half as large as the smallest views lies within one of them."""
    views = [*plan_views(width, height, aspect, upsample)]
    assert len(views) <= 3**2 + 7**2 + 15**2 + 31**2
    smallest = views[-1]
    across = min(width, smallest.width / 2 - 1)
    down = min(height, smallest.height / 2 - 1)
    if across <= 0 or down <= 0:
        return
    left = data.draw(st.floats(0, width - across))
    top = data.draw(st.floats(0, height - down))
    assert any(
        view.xmin <= left + 0.01
        and view.ymin <= top + 0.01
        and left + across <= view.xmax + 0.01
        and top + down <= view.ymax + 0.01
        for view in views
        if abs(view.width - smallest.width) < 0.01
    )


def test_a_view_is_drawn_to_scale() -> None:
    """Beyond the picture there is grey, and pixels keep their proportions."""
    rgb = np.full((20, 40, 3), 200, np.uint8)
    (whole,) = plan_views(40, 20, aspect=2)
    drawn, times = draw_view(rgb, whole, 20, 10)
    assert (drawn == 200).all()
    assert times == 2
    (*_, last) = plan_views(30, 20, aspect=1)
    drawn, times = draw_view(rgb[:, :30], last, 15, 15, grey=114)
    assert times == 2
    assert (drawn[:10] == 200).all()
    assert (drawn[10:] == 114).all()
