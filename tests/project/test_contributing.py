"""The detector that CONTRIBUTING.md adds can be added as it says."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from face_det.config import list_choices
from face_det.detectors import DETECTORS
from face_det.media import load_image
from face_det.nets import Compute
from face_det.registry import Spec
from face_det.types import Detector

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"
HOME = "face_det.detectors.yunet_opencv"


def block(what: str) -> str:
    """The Python that the test is said to treat so."""
    found = re.search(
        rf"<!-- tests/project/test_contributing.py {what} this -->\n```python\n(.*?)```",
        PAGE.read_text(),
        re.S,
    )
    assert found is not None
    return found[1]


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Detector]:
    """The detector, by its name on the menu."""
    (tmp_path / "detector_of_contributing.py").write_text(block("runs"))
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    line = block("registers")
    assert f'"{HOME}:' in line
    DETECTORS.register(eval(line.replace(HOME, "detector_of_contributing"), {"Spec": Spec}))
    yield DETECTORS.create("yunet_opencv", compute=Compute(), min_face_px=40)
    del DETECTORS["yunet_opencv"]


def test_it_is_on_the_menu_and_finds_faces(added: Detector, photos: dict[str, Path]) -> None:
    """It can be configured, and finds the one face of a portrait, also in a doubled picture."""
    assert "yunet_opencv" in list_choices("faceDetModel")
    rgb = load_image(photos["obama"])
    (face,) = added.detect(rgb)
    assert face.landmarks is not None
    assert 0 <= face.box.xmin < rgb.shape[1] / 2 < face.box.xmax <= rgb.shape[1]
    assert added.detect(rgb[:100, :100]) == []
    best = added.detect(rgb, 1)[0].box
    assert abs(best.xmin - face.box.xmin) < 40
