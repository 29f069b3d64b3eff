"""One encoding for many frames: the clear ones count."""

from __future__ import annotations

import numpy as np
import pytest

from face_det.recognition import fuse_encodings


def test_many_poor_frames_do_not_outweigh_a_clear_one() -> None:
    """They all err in one direction, so that no number of them is nearer to the person."""
    clear, blurred = np.eye(8)[:2]
    fused = fuse_encodings([0.95] + 10 * [0.1], [clear] + 10 * [blurred])
    assert fused @ clear > 0.99
    assert np.linalg.norm(fused) == pytest.approx(1)


def test_frames_that_are_alike_count_alike() -> None:
    """Whether all are clear, all are poor, or nothing is known; one frame alone stays as it is."""
    rows = 2 * np.eye(8)[:3]
    for quality in (0.9, 0.001, None):
        fused = fuse_encodings([quality] * 3, rows)
        assert fused == pytest.approx(rows.sum(axis=0) / np.sqrt(3))
    assert fuse_encodings([0.2], [rows[0]]) == pytest.approx(rows[0])
