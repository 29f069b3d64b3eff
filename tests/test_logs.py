"""A log line stays one line of text, whatever a client put into it."""

from __future__ import annotations

import io
import logging
import sys

import pytest

from face_det import logs


@pytest.fixture
def logged(monkeypatch):
    """logged(text): what is written for it, by the root logger's only handler."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    logs.configure_logging("info")
    ours = [*root.handlers]

    def log(text, *args, **options):
        # Without pytest's, whose records xdist cannot send if they hold half a surrogate pair.
        monkeypatch.setattr(root, "handlers", ours)
        logging.getLogger("face_det.here").warning(text, *args, **options)
        return written.getvalue()

    yield log
    logging.captureWarnings(False)


@pytest.mark.parametrize(
    ("sent", "written"),
    [
        ("a\nb\r\nc", "a | b | c"),
        ("a\x00b", "a\\x00b"),
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("Eve\u202egpj", "Eve\\u202egpj"),
        ("\x9b31m", "\\x9b31m"),
        ("\ud800", "\\ud800"),
        ("Zoë 漢 😀\t.", "Zoë 漢 😀\\t."),
    ],
    ids=ascii,
)
def test_what_a_terminal_would_obey_is_escaped(logged, sent, written):
    """Colours, titles, null bytes, the other direction: seen, and not obeyed."""
    assert logged("name %s", sent).endswith(f" WARNING face_det.here name {written}\n")


def test_a_line_has_an_end(logged):
    """A client that sends two megabytes as a path does not fill the disk."""
    line = logged("path %s", "x" * 2_000_000)
    assert len(line) < 20_000
    assert line.endswith("...\n")


def test_a_traceback_is_on_its_records_line(logged):
    """Complete, as the journal wants it."""
    try:
        raise ValueError("why")
    except ValueError:
        line = logged("failed", exc_info=True)
    assert line.count("\n") == 1
    assert "Traceback" in line
    assert line.endswith("ValueError: why\n")
