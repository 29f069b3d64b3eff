"""Names that matplotlib's own font does not draw, in the charts of both reports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from drawn_fonts import write_font

from face_det.evaluation.metrics import Predictions
from face_det.evaluation.report import charts, confusion, embedding_map, training
from face_det.media import fonts
from face_det.training.held_out import HeldOutResult

ONE, TWO = "\U00030000", "\U00030001"
CODES = {ONE: "U+30000", TWO: "U+30001"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's folder of fonts, empty at first."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    fonts.installed_fonts.cache_clear()
    yield tmp_path / "fonts"
    fonts.installed_fonts.cache_clear()


def pictures(name: str) -> list[bytes]:
    """Every chart that shows names, of two people and a stranger."""
    truth = ("Ann", name, None)
    some, none = np.ones(3, bool), np.zeros(3, bool)
    predictions = Predictions(("Ann", name, name), np.ones(3), some, none)
    encodings = np.random.default_rng(1).normal(size=(6, 8))
    held = HeldOutResult(("Ann", name), ("Ann", "Ann"), np.ones(2), lambda _: ("Ann", "Ann"))
    return [
        confusion.draw_confusion_matrix(truth, predictions)[0],
        embedding_map.draw_embedding_map(encodings, [*truth, *truth]),
        training.draw_held_out_confusion(held, "svm"),
    ]


def test_a_font_that_was_installed_meanwhile_draws_them(folder: Path) -> None:
    """Though matplotlib listed its fonts before; names of different characters look different."""
    without = pictures(ONE)
    write_font(folder / "Kanji.ttf", ONE + TWO, "Kanji for the charts")
    fonts.installed_fonts.cache_clear()
    for before, one, two in zip(without, pictures(ONE), pictures(TWO), strict=True):
        assert one != two
        assert one != before


def test_codes_stand_for_what_no_font_draws() -> None:
    """They look as the codes themselves do, and not like other names."""
    for one, code, two in zip(pictures(ONE), pictures(CODES[ONE]), pictures(TWO), strict=True):
        assert one == code
        assert one != two


def test_relatives_stay_apart() -> None:
    """A label of codes may be twice as long as one of letters."""
    family = [charts.shorten_label(ONE * 5 + last) for last in (ONE, TWO)]
    assert family == [" ".join([CODES[ONE]] * 5 + [CODES[last]]) for last in (ONE, TWO)]
    assert len(charts.shorten_label("Ann " * 9)) == charts.LONGEST_LABEL
    assert len(charts.shorten_label(ONE * 9)) == 2 * charts.LONGEST_LABEL
