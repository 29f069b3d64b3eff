"""docs/how-to/own-detector.md, as somebody would follow it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import own_yunet
import pytest
from how_to import HowTo

from face_det.config import load_config
from face_det.detectors.onnx_file import DetectorDescription


@pytest.mark.slow
def test_a_file_is_described_tried_and_used(photos: dict[str, Path], tmp_path: Path) -> None:
    """The description is as printed, photos are encoded with the file, and the configuration takes it."""
    page = HowTo("own-detector.md", tmp_path)
    description, config, *families = page.blocks("json")
    (trying,) = page.blocks("sh")
    (tmp_path / "models").mkdir()
    own_yunet.write_yunet(tmp_path / "models/yunet.onnx")
    (tmp_path / "models/yunet.json").write_text(description)
    (tmp_path / "dataset/Eileen").mkdir(parents=True)
    shutil.copy(photos["astronaut"], tmp_path / "dataset/Eileen/1.png")
    assert "1 encoding of 1 person" in page.run(trying)

    (tmp_path / "config.json").write_text(config)
    loaded = load_config(tmp_path / "config.json", {})
    assert loaded.face_det_model == f"onnx:{tmp_path}/models/yunet.onnx"
    described = [DetectorDescription.model_validate_json(block) for block in [description, *families]]
    assert {one.decode for one in described} == {"yunet", "scrfd", "retinaface", "yolo-face", "ultralight"}
    assert all(
        f"`{key}`" in page.text
        for key in json.loads(described[0].model_dump_json(by_alias=True))
        if key != "input"
    )
