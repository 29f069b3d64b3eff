"""docs/how-to/own-embedder.md, as somebody would follow it."""

from __future__ import annotations

import json
from pathlib import Path

import PIL.Image
import PIL.ImageEnhance
import pytest
from how_to import HowTo
from own_sface import write_sface

from face_det.config import load_config
from face_det.embedders import EMBEDDERS
from face_det.embedders.onnx_file import EmbedderDescription
from face_det.recognition import load_model_in_use


@pytest.mark.slow
def test_a_file_is_described_tried_and_used(small_photos: dict[str, Path], tmp_path: Path) -> None:
    """Described as printed, photos are encoded, trained on and evaluated, and the configuration takes it."""
    page = HowTo("own-embedder.md", tmp_path)
    description, config = page.blocks("json")
    (trying,), (chip,) = page.blocks("sh"), page.blocks("python")
    (tmp_path / "models").mkdir()
    write_sface(tmp_path / "models/sface.onnx")
    (tmp_path / "models/sface.json").write_text(description)
    for person, names in {"Obama": ("obama", "obama2", "obama3"), "Collins": ("astronaut",) * 3}.items():
        folder = tmp_path / "dataset" / person
        folder.mkdir(parents=True)
        for number, name in enumerate(names):
            picture = PIL.Image.open(small_photos[name]).convert("RGB")
            PIL.ImageEnhance.Brightness(picture).enhance(1 - number / 10).save(folder / f"{number}.jpg")
    printed = page.run(trying, FACE_DET_LOGLEVEL="warning")
    assert "6 encodings of 2 people" in printed
    assert f"trained on encodings of onnx:{tmp_path}/models/sface.onnx" in printed
    assert "known, named rightly" in printed
    assert page.run(f"python -c '{chip}'").split() == ["(112,", "112,", "3)"]

    (tmp_path / "config.json").write_text(config)
    loaded = load_config(tmp_path / "config.json", {})
    try:
        assert loaded.embedder == f"onnx:{tmp_path}/models/sface.onnx"
        model = load_model_in_use(loaded.model_path, loaded.label_path)
        assert model.card.fingerprint == EMBEDDERS[loaded.embedder].fingerprint
    finally:
        del EMBEDDERS[loaded.embedder]
    described = EmbedderDescription.model_validate_json(description)
    keys = json.loads(described.model_dump_json(by_alias=True))
    assert all(f"`{key}`" in page.text for key in keys if key != "input")
