"""Detector `hog` is dlib's own, which takes long to unpack and is kept in the cache."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dlib
import numpy as np
import PIL.Image
import pytest

from face_det.detectors.hog import HogDetector
from face_det.types import Rgb


@pytest.fixture
def rgb(photos: Mapping[str, Path]) -> Rgb:
    """Six people."""
    return np.array(PIL.Image.open(photos["t1"]).convert("RGB").resize((700, 476)))


def found(detector: Any, rgb: Rgb) -> list[tuple[str, float]]:
    rects, scores, _ = detector.run(rgb, 0)
    return [(str(rect), score) for rect, score in zip(rects, scores, strict=True)]


def test_it_is_dlibs_and_is_unpacked_once(rgb: Rgb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Just unpacked or from the cache: the same boxes and scores as dlib's, and dlib is asked once."""
    expected = found(dlib.get_frontal_face_detector(), rgb)
    assert len(expected) >= 5
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert found(HogDetector()._detector, rgb) == expected
    monkeypatch.setattr(dlib, "get_frontal_face_detector", lambda: pytest.fail("it is in the cache"))
    assert found(HogDetector()._detector, rgb) == expected
    (kept,) = (tmp_path / "face_det").iterdir()
    assert kept.name == f"hog-dlib-{dlib.__version__}.model"


def test_a_damaged_cache_is_unpacked_again(rgb: Rgb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the file is never trusted without its checksum."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    HogDetector()
    (kept,) = (tmp_path / "face_det").iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-9] + b"something")
    assert len(HogDetector().detect(rgb)) >= 5
    assert kept.read_bytes() == whole
