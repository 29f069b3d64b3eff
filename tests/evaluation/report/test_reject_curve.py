"""Setting aside the worst faces lowers the errors as far as quality knows them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from face_det.evaluation.end_to_end import EndToEnd
from face_det.evaluation.protocol import LabelledPhoto
from face_det.evaluation.report.reject_curve import draw_reject_curve, error_versus_reject
from face_det.types import Match, Outcome, Reason


def test_a_perfect_quality_sets_only_errors_aside() -> None:
    """The errors fall by one face at a time, and then there are none."""
    right = np.arange(10) >= 3
    rejected, errors = error_versus_reject(np.arange(10) / 10, right)
    assert rejected == pytest.approx(np.arange(10) / 10)
    assert errors[:4] == pytest.approx([3 / 10, 2 / 9, 1 / 8, 0])
    assert not errors[3:].any()


def test_a_quality_turned_round_sets_only_right_ones_aside() -> None:
    """What remains is ever worse."""
    _, errors = error_versus_reject(1 - np.arange(10) / 10, np.arange(10) >= 3)
    assert (np.diff(errors) >= 0).all()
    assert errors[-1] == 1


def test_the_chart_is_of_known_faces_alone() -> None:
    """A PNG for enough of them; strangers, and photos without a face, do not count."""
    named, missed = Match("Ann", 0.9, None, Outcome.KNOWN), Match(None, None, Reason.UNRECOGNISED)
    photos = tuple(LabelledPhoto(Path(f"{at}.jpg"), "Ann" if at < 20 else None) for at in range(60))
    matches = tuple(named if at % 4 else missed for at in range(60))
    some = EndToEnd(photos, matches, (*np.linspace(0, 1, 59), None))
    png = draw_reject_curve(some)
    assert png is not None
    assert png.startswith(b"\x89PNG")
    assert draw_reject_curve(EndToEnd(photos[1:], matches[1:], some.qualities[1:])) is None
    assert draw_reject_curve(EndToEnd(photos, (named,) * 60, some.qualities)) is None
