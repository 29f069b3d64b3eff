"""The commands of docs/how-to/bodies.md, as somebody would type them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from body_crops import draw_visits, save_model
from how_to import HowTo

from face_det.bodies import load_bodies


@pytest.mark.slow
def test_learn_and_measure(tmp_path: Path, small_photos: dict[str, Path]) -> None:
    """The first command saves nothing; the second does, and says how many strangers show the rate."""
    page = HowTo("bodies.md", tmp_path)
    draw_visits(tmp_path / "bodies", small_photos, "Anna", strangers=60)
    config, network = page.blocks("json")
    (tmp_path / "config.json").write_text(config)
    (block,) = page.blocks("sh")
    measure, learn = block.splitlines()
    measured = page.run(measure)
    assert "Anna: 2 visits; each left out in turn: 2 right, 0 wrong" in measured
    assert "People are named: 60 strangers show a false accept rate of 0.05" in measured
    assert "Clothes decide" in measured
    place = tmp_path / "state/bodies.npz"
    assert not place.exists()
    assert page.run(learn) == f"{measured}written: {place}\n"
    figures = json.loads(page.run(f"{learn} --json"))
    assert figures["right"] == {"count": 2, "of": 2, "interval": figures["right"]["interval"]}
    assert (figures["strangers"], figures["strangersNeeded"], figures["names"]) == (60, 60, True)
    (tmp_path / "config.json").write_text(network)
    save_model(tmp_path / "person-reid.onnx", ("n", 3, "h", "w"))
    page.run(learn)
    assert load_bodies(place).fingerprint.startswith("network:")
    assert load_bodies(place).X.shape[1] == 3


@pytest.mark.slow
def test_what_is_off_is_not_loaded(tmp_path: Path) -> None:
    """Without `body`, a service imports nothing of it, also when it forgets somebody."""
    code = (
        "import sys\n"
        "from face_det.config import load_config\n"
        "from face_det.service import build_service\n"
        "from face_det.errors import UnknownPerson\n"
        f"service = build_service(load_config(None, {{'FACE_DET_STATEPATH': {str(tmp_path)!r},"
        f" 'FACE_DET_DATASETPATH': {str(tmp_path)!r}}}))\n"
        "try:\n"
        "    service.forget('Ann')\n"
        "except UnknownPerson:\n"
        "    pass\n"
        "print(service.detect_faces([]), [name for name in sys.modules if 'bodies' in name])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "[] []"
