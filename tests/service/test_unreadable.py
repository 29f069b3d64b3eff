"""Unreadable images in the log: each with its reason, but never a flood of them."""

from __future__ import annotations

import pytest

from face_det.errors import BadImage
from face_det.service import unreadable


def test_each_is_told_until_there_are_many(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first ten of a minute have a line each; after it, one line counts the others."""
    monkeypatch.setattr(unreadable, "PERIOD_S", 3600.0)
    told = unreadable.UnreadableLog()
    for number in range(25):
        told.add(BadImage(f"/photos/{number}.jpg: must be a JPEG"))
    assert caplog.messages == [
        f"cannot read an image: /photos/{number}.jpg: must be a JPEG" for number in range(10)
    ]
    monkeypatch.setattr(unreadable, "PERIOD_S", 0.0)
    told.add(BadImage("/photos/last.jpg: must be a JPEG"))
    assert caplog.messages[10:] == [
        "15 more images could not be read in the meantime",
        "cannot read an image: /photos/last.jpg: must be a JPEG",
    ]
