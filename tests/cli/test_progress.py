"""Progress of a command: bars where somebody looks, lines in a log."""

from __future__ import annotations

import functools
import io

import pytest
from rich.console import Console

from face_det.cli import progress


def test_lines_where_nobody_looks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On stderr, as often as LINE_EVERY_S says, and nothing on stdout."""
    with progress.show_progress() as tell:
        tell("encoding", 1, 3)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    with progress.show_progress() as tell:
        tell("encoding", 2, 3)
        progress.progress_for("masks", tell)(1, 9)
    assert capsys.readouterr() == ("", "encoding: 2 of 3\nmasks: 1 of 9\n")


def test_bars_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """One for each thing, with its count; a total that is known only later is taken over."""
    screen = io.StringIO()
    terminal = functools.partial(Console, file=screen, force_terminal=True, width=80)
    monkeypatch.setattr(progress, "Console", lambda stderr: terminal())
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    with progress.show_progress() as tell:
        tell("encoding", 0, 0)
        tell("encoding", 2, 3)
        tell("svm", 7, 7)
    drawn = screen.getvalue()
    assert "encoding" in drawn
    assert "2/3" in drawn
    assert "svm" in drawn
    assert "7/7" in drawn
    assert " of " not in drawn
