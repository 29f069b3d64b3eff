"""A network's opinion of liveness: read as described, refused by the place of the fault, off by default."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from face_det.attributes import LivenessNetwork
from face_det.config.load import load_config
from face_det.engine import EngineOptions, build_engine, build_isolated_engine
from face_det.errors import ConfigError, ModelError, ModelMissing
from face_det.media import load_image
from face_det.types import Box

LOGITS = [-1.0, 2.0, 0.5]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A network that answers the mean red of the picture, 0 to 1, times LOGITS."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["pixels"], ["means"]),
        helper.make_node("Flatten", ["means"], ["row"]),
        helper.make_node("MatMul", ["row", "weights"], ["answer"]),
    ]
    weights = np.zeros((3, 3), np.float32)
    weights[0] = LOGITS
    graph = helper.make_graph(
        nodes,
        "liveness",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1, 3, 80, 80])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(weights, "weights")],
    )
    path = tmp_path / "liveness.onnx"
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def describe(path: Path, **description: Any) -> Path:
    path.with_suffix(".json").write_text(json.dumps({"scale": 1 / 255, "liveIndex": 1, **description}))
    return path


def test_read_as_described(model: Path) -> None:
    """The crop has its margin, the colours their order, and the numbers become a probability."""
    rgb = np.zeros((100, 200, 3), np.uint8)
    rgb[:, 80:120, 0] = 255  # red: as wide as the box
    rgb[..., 2] = 51
    box = Box(80, 30, 120, 70)
    wanted = float(np.exp(LOGITS[1]) / np.exp(LOGITS).sum())
    assert LivenessNetwork(describe(model, margin=0)).probability(rgb, box) == pytest.approx(wanted, abs=1e-4)
    half = np.exp(0.5 * np.array(LOGITS))
    found = LivenessNetwork(describe(model, margin=0.5)).probability(rgb, box)
    assert found == pytest.approx(half[1] / half.sum(), abs=0.01)
    sigmoid = LivenessNetwork(describe(model, margin=0, decode="sigmoid", input={"channels": "BGR"}))
    assert sigmoid.probability(rgb, box) == pytest.approx(1 / (1 + np.exp(-0.2 * 2)), abs=1e-3)


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ({"liveIndex": 3}, "liveIndex: must be below 3"),
        ({"output": "score"}, "output: must be one of answer, got 'score'"),
        ({"decode": "best"}, "decode: must be 'softmax', 'sigmoid' or 'probability', got 'best'"),
        ({"threshold": 0.5}, "threshold: unknown key"),
    ],
)
def test_descriptions_that_do_not_fit(model: Path, description: dict[str, Any], said: str) -> None:
    """They are refused when the network is loaded, with the file and the key."""
    with pytest.raises(ModelError) as caught:
        LivenessNetwork(describe(model, **description))
    assert str(caught.value).startswith(f"{model.with_suffix('.json')}: {said}")


def test_faces_have_it_wherever_the_networks_run(model: Path, small_photos: Mapping[str, Path]) -> None:
    """In this process and in others; with a head pose only if that was asked for, too."""
    rgb = load_image(small_photos["obama"])
    options = EngineOptions(embedder="grey", liveness=describe(model))
    here = build_engine(options)
    (face,) = here.faces([(rgb, None)])[0]
    assert face.liveness is not None
    assert 1 / 3 < face.liveness < 1
    assert face.head_pose is None
    isolated = build_isolated_engine(options, 1, 0)
    posing = isolated.with_options(EngineOptions(embedder="grey", liveness=options.liveness, head_pose=True))
    (other,) = posing.faces([(rgb, None)])[0]
    (found,) = here.with_options(posing.options).encode(rgb, here.find(rgb))
    assert other.liveness == found.liveness == face.liveness
    assert other.head_pose == found.head_pose is not None
    with pytest.raises(ModelMissing, match=r"gone\.onnx: must be an ONNX file"):
        build_engine(EngineOptions(embedder="grey", liveness=model.with_name("gone.onnx")))


def test_the_setting(tmp_path: Path) -> None:
    """A path relative to the configuration, after onnx:; anything else is refused by name."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"faceDetServer": {"liveness": {"network": "onnx:nets/live.onnx"}}}))
    loaded = load_config(file, {}).liveness
    assert loaded is not None
    assert loaded.network == tmp_path / "nets/live.onnx"
    file.write_text(json.dumps({"faceDetServer": {"liveness": {"network": "nets/live.onnx"}}}))
    with pytest.raises(ConfigError, match=r"liveness\.network: must be onnx:PATH"):
        load_config(file, {})


def test_nothing_is_loaded_unless_asked_for(small_photos: Mapping[str, Path]) -> None:
    """An engine that finds and encodes faces imports none of it."""
    code = (
        "import sys; from face_det.engine import EngineOptions, build_engine; "
        "from face_det.media import load_image; "
        f"picture = load_image({str(small_photos['obama'])!r}); "
        "build_engine(EngineOptions(embedder='grey')).faces([(picture, None)]); "
        "print([name for name in sys.modules if name.startswith('face_det.attributes')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
