"""A detector from a file that somebody brings: what its outputs mean, and what is said about a wrong one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import own_yunet
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from face_det.cli.encode import command as encode
from face_det.config import Config
from face_det.detectors import DETECTORS
from face_det.errors import ConfigError, ModelError, ModelMissing
from face_det.media import load_image, resize_image
from face_det.types import Detection

SIDE = 64
POINTS = [[20, 24], [36, 24], [28, 32], [22, 40], [34, 40]]
"""The landmarks of the one face, which is in (16, 16, 40, 48), in pixels of an input of SIDE x SIDE."""

Outputs = dict[str, npt.NDArray[np.float32]]
Bring = Callable[..., str]


@pytest.fixture
def bring(tmp_path: Path) -> Bring:
    """Write a model that always gives these outputs, and its description; its name on the menu."""

    def write(outputs: Outputs, shape: tuple[Any, ...] = (1, 3, SIDE, SIDE), **description: Any) -> str:
        nodes = [
            # The input must be used: what is added to each output is 0.
            helper.make_node("ReduceMax", ["picture"], ["most"], keepdims=0),
            helper.make_node("Mul", ["most", "nothing"], ["zero"]),
            *(helper.make_node("Add", [f"{name}_raw", "zero"], [name]) for name in outputs),
        ]
        known = [numpy_helper.from_array(value, f"{name}_raw") for name, value in outputs.items()]
        known.append(numpy_helper.from_array(np.array(0, np.float32), "nothing"))
        graph = helper.make_graph(
            nodes,
            "own",
            [helper.make_tensor_value_info("picture", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            known,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
        model.ir_version = 8
        path = tmp_path / "own.onnx"
        onnx.save_model(model, path)
        path.with_suffix(".json").write_text(json.dumps(description))
        return f"onnx:{path}"

    return write


def zeros(*shape: int) -> npt.NDArray[np.float32]:
    return np.zeros(shape, np.float32)


def scrfd() -> Outputs:
    """The face is the second box of the cell that begins at (24, 32), on the map of 8 px."""
    outputs = {}
    for stride in (8, 16, 32):
        count = 2 * (SIDE // stride) ** 2
        outputs |= {
            f"s{stride}": zeros(count, 1),
            f"b{stride}": zeros(count, 4),
            f"k{stride}": zeros(count, 10),
        }
    at = 2 * (4 * 8 + 3) + 1
    outputs["s8"][at] = 0.9
    outputs["b8"][at] = [1, 2, 2, 2]
    outputs["k8"][at] = ((np.array(POINTS) - [24, 32]) / 8).ravel()
    return outputs


def retinaface() -> Outputs:
    """The face is the first anchor, of 16 px, in the cell whose middle is (28, 28)."""
    count = 2 * (8 * 8 + 4 * 4 + 2 * 2)
    outputs = {"loc": zeros(1, count, 4), "conf": zeros(1, count, 2), "landm": zeros(1, count, 10)}
    outputs["conf"][0, :, 0] = 1
    at = 2 * (3 * 8 + 3)
    outputs["conf"][0, at] = [0.1, 0.9]
    outputs["loc"][0, at] = [0, (32 - 28) / 16 / 0.1, np.log(24 / 16) / 0.2, np.log(32 / 16) / 0.2]
    outputs["landm"][0, at] = ((np.array(POINTS) - 28) / 16 / 0.1).ravel()
    return outputs


def yolov5() -> Outputs:
    rows = zeros(1, 7, 16)
    rows[0, 3] = [28, 32, 24, 32, 1.0, *np.array(POINTS).ravel(), 0.9]
    return {"out": rows}


def yolov8() -> Outputs:
    columns = zeros(1, 20, 7)
    seen = np.hstack([POINTS, np.ones((5, 1))]).ravel()
    columns[0, :, 3] = [28, 32, 24, 32, 0.9, *seen]
    return {"out": columns}


def ultralight() -> Outputs:
    scores, boxes = zeros(1, 9, 2), zeros(1, 9, 4)
    scores[0, 4] = [0.1, 0.9]
    boxes[0, 4] = np.array([16, 16, 40, 48]) / SIDE
    return {"scores": scores, "boxes": boxes}


FAMILIES: dict[str, tuple[str, Callable[[], Outputs], bool]] = {
    "scrfd": ("scrfd", scrfd, True),
    "retinaface": ("retinaface", retinaface, True),
    "yolov5": ("yolo-face", yolov5, True),
    "yolov8": ("yolo-face", yolov8, True),
    "ultralight": ("ultralight", ultralight, False),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_outputs_worked_out_by_hand(bring: Bring, family: str) -> None:
    """Each family's numbers for one face give its box, score and landmarks, in pixels of the picture."""
    decode, outputs, has_points = FAMILIES[family]
    detector = DETECTORS.create(bring(outputs(), decode=decode))
    (face,) = detector.detect(np.zeros((2 * SIDE, 2 * SIDE, 3), np.uint8))
    box = face.box
    np.testing.assert_allclose([box.xmin, box.ymin, box.xmax, box.ymax], [32, 32, 80, 96], atol=1e-3)
    assert face.score == pytest.approx(0.9)
    assert (face.landmarks is not None) == has_points
    if face.landmarks is not None:
        np.testing.assert_allclose(face.landmarks, 2 * np.array(POINTS), atol=1e-3)


def test_the_order_of_outputs_does_not_matter(bring: Bring) -> None:
    """Exports order them as they like: SCRFD's maps are told apart by their shapes."""
    outputs = dict(reversed(scrfd().items()))
    (face,) = DETECTORS.create(bring(outputs, decode="scrfd")).detect(np.zeros((SIDE, SIDE, 3), np.uint8))
    assert face.box.xmin == pytest.approx(16)


def test_pixels_become_what_the_description_says(tmp_path: Path) -> None:
    """(pixel - mean) * scale, in the order of the channels: the score is what becomes of a red picture."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["picture"], ["means"], axes=[0, 2, 3], keepdims=0),
            helper.make_node("Gather", ["means", "last"], ["score"], axis=0),
            helper.make_node("Reshape", ["score", "one"], ["scores_of_face"]),
            helper.make_node("Concat", ["none", "scores_of_face"], ["scores"], axis=2),
        ],
        "red",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, (1, 3, "h", "w"))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("scores", "boxes")],
        [
            numpy_helper.from_array(np.array([2], np.int64), "last"),
            numpy_helper.from_array(np.array([1, 1, 1], np.int64), "one"),
            numpy_helper.from_array(zeros(1, 1, 1), "none"),
            numpy_helper.from_array(np.array([[[0, 0, 1, 1]]], np.float32), "boxes"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save_model(model, tmp_path / "red.onnx")
    described = {
        "decode": "ultralight",
        "input": {"width": 32, "height": 16, "channels": "BGR"},
        "mean": [0, 0, -10],
        "scale": 0.004,
    }
    (tmp_path / "red.json").write_text(json.dumps(described))
    rgb = np.zeros((16, 32, 3), np.uint8)
    rgb[:, :, 0] = 200
    (face,) = DETECTORS.create(f"onnx:{tmp_path / 'red.onnx'}").detect(rgb)
    assert face.score == pytest.approx((200 + 10) * 0.004)
    assert (face.box.width, face.box.height) == (32, 16)


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ({}, r"own\.json: decode: must be given"),
        ({"decode": "ssd"}, r"own\.json: decode: must be 'scrfd', .* or 'yunet', got 'ssd'"),
        ({"decode": "scrfd", "meen": 1}, r"own\.json: meen: unknown key"),
        ({"decode": "scrfd", "mean": [1, 2]}, r"own\.json: mean.* got"),
        ({"decode": "scrfd", "minScore": 2}, r"own\.json: minScore: must be less than 1, got 2"),
        (
            {"decode": "scrfd", "input": {"width": 32}},
            r"own\.json: input\.width: must be 64, as in the model, got 32",
        ),
        (
            {"decode": "ultralight"},
            r"own\.onnx: ultralight: must have one output of the shape \(1, n, 2\), got 0",
        ),
        (
            {"decode": "retinaface"},
            r"own\.onnx: retinaface: must have one output of the shape \(1, n, 4\), got 3",
        ),
        ({"decode": "yolo-face"}, r"own\.onnx: yolo-face: its first output must have"),
    ],
)
def test_a_wrong_description_is_said_in_a_line(bring: Bring, description: dict[str, Any], said: str) -> None:
    """When it is loaded, not at the first picture."""
    with pytest.raises(ModelError, match=said) as error:
        DETECTORS.create(bring(scrfd(), **description))
    assert "\n" not in str(error.value)


def test_scores_that_are_none_are_refused(bring: Bring) -> None:
    """A model without its last sigmoid would report faces everywhere, or none."""
    outputs = ultralight()
    outputs["scores"] *= 9
    with pytest.raises(ModelError, match=r"its scores must lie in 0\.\.1, got 0 to 8\.1; export it with"):
        DETECTORS.create(bring(outputs, decode="ultralight"))


def test_missing_and_damaged_files(bring: Bring, tmp_path: Path) -> None:
    """Without the model, without its description, and with something else in either."""
    with pytest.raises(ModelMissing, match=r"none\.onnx: must be an ONNX file, but cannot be read"):
        DETECTORS.create(f"onnx:{tmp_path}/none.onnx")
    name = bring(scrfd(), decode="scrfd")
    path, described = tmp_path / "own.onnx", tmp_path / "own.json"
    described.write_text("{decode")
    with pytest.raises(ModelError, match=r"own\.json: must be JSON, got"):
        DETECTORS.create(name)
    described.unlink()
    with pytest.raises(ModelMissing, match=r"own\.json: must describe own\.onnx, .*own-detector\.md"):
        DETECTORS.create(name)
    described.write_text('{"decode": "scrfd"}')
    path.write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"own\.onnx: must be an ONNX model, got something else"):
        DETECTORS.create(name)


def test_a_changed_file_is_another_detector(bring: Bring, tmp_path: Path) -> None:
    """What the old file found is not taken for what the new one finds; other names stay as they are."""
    name = bring(scrfd(), decode="scrfd")
    before = DETECTORS.identify(name)
    assert before == DETECTORS.identify(name) != name
    (tmp_path / "own.json").write_text('{"decode": "scrfd", "minScore": 0.6}')
    assert DETECTORS.identify(name) != before
    assert DETECTORS.identify("hog") == "hog"


def test_it_can_be_configured(bring: Bring, tmp_path: Path) -> None:
    """A relative path counts from the folder of config.json; a prefix alone names nothing."""
    config = Config.model_validate({"faceDetModel": "onnx:own.onnx"}, context={"base": tmp_path})
    assert config.face_det_model == f"onnx:{tmp_path}/own.onnx"
    for wrong in ("onnx:", "onnx", "onx:own.onnx"):
        with pytest.raises(ValueError, match="not on the menu"):
            Config(face_det_model=wrong)
    with pytest.raises(ConfigError, match=r"must be one of auto, .*, yunet or onnx:PATH, got 'yunett'"):
        DETECTORS.create("yunett")
    done = CliRunner().invoke(encode, ["-d", "own.onnx"])
    assert "'own.onnx' is not one of" in done.output


def largest(found: list[Detection]) -> Detection:
    return max(found, key=lambda one: one.box.width)


def test_a_real_file_finds_what_its_detector_finds(photos: Mapping[str, Path], tmp_path: Path) -> None:
    """YuNet's published file, brought along, finds the face that `yunet` finds, in the same place."""
    own_yunet.write_yunet(tmp_path / "yunet.onnx")
    (tmp_path / "yunet.json").write_text('{"decode": "yunet", "input": {"channels": "BGR"}, "maxIou": 0.3}')
    rgb = resize_image(load_image(photos["astronaut"]), 640, 640)
    ours = largest(DETECTORS.create(f"onnx:{tmp_path}/yunet.onnx").detect(rgb))
    theirs = largest(DETECTORS.create("yunet").detect(rgb))
    for edge in ("xmin", "ymin", "xmax", "ymax"):
        assert getattr(ours.box, edge) == pytest.approx(getattr(theirs.box, edge), abs=0.1)
    assert ours.score == pytest.approx(theirs.score, abs=1e-3)
    assert ours.landmarks is not None
    assert theirs.landmarks is not None
    np.testing.assert_allclose(ours.landmarks, theirs.landmarks, atol=0.1)
