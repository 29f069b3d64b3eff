"""A network of the user's own that encodes persons."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from body_crops import save_model

from face_det.errors import ModelError, ModelMissing
from face_det.nets import BodyInput, BodyNetwork


@pytest.mark.parametrize("keepdims", [0, 1])
def test_pixels_arrive_as_they_are_described(tmp_path: Path, keepdims: int) -> None:
    """Scaled to the model's input, in its order of channels, less the mean, divided by the deviation."""
    path = save_model(tmp_path / "body.onnx", keepdims=keepdims)
    wanted = BodyInput(mean=(10, 20, 30), std=(2, 4, 8), bgr=True)
    network = BodyNetwork(path, wanted)
    rgb = np.full((300, 90, 3), (46, 28, 12), np.uint8)
    assert network.prepare(rgb).shape == (8, 4, 3)
    assert network.encode(network.prepare(rgb)).tolist() == [1.0, 2.0, 2.0]
    assert network.dimensions == 3


def test_the_fingerprint_is_that_of_content_and_description(tmp_path: Path) -> None:
    """The same file elsewhere has the same; another mean or size has another."""
    one, two = (save_model(tmp_path / name, ("n", 3, "h", "w")) for name in ("a.onnx", "b.onnx"))
    assert BodyNetwork(one).fingerprint == BodyNetwork(two).fingerprint
    other = save_model(tmp_path / "c.onnx", ("n", 3, "h", "w"), keepdims=1)
    assert BodyNetwork(other).fingerprint != BodyNetwork(one).fingerprint
    described = [BodyInput(mean=(1, 2, 3)), BodyInput(bgr=True), BodyInput(height=64)]
    assert len({BodyNetwork(one, wanted).fingerprint for wanted in (BodyInput(), *described)}) == 4
    assert BodyNetwork(one).prepare(np.zeros((9, 9, 3), np.uint8)).shape == (256, 128, 3)


def test_what_is_no_such_network_is_refused_at_load(tmp_path: Path) -> None:
    """A missing file, another size than the model's, another output than a row: each by name."""
    with pytest.raises(ModelMissing, match=r"none\.onnx"):
        BodyNetwork(tmp_path / "none.onnx")
    path = save_model(tmp_path / "body.onnx")
    with pytest.raises(ModelError, match="height of 8"):
        BodyNetwork(path, BodyInput(height=16))
    model = onnx.load(path)
    model.graph.node[0].attribute[0].ints[:] = [1]
    onnx.save(model, path)
    with pytest.raises(ModelError, match="a row of numbers"):
        BodyNetwork(path)
