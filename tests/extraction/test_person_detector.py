"""Finding persons without a server."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from toy_faces import ToyEngine, toy_frame

from face_det.errors import ModelError, ModelMissing
from face_det.extraction import (
    CropKind,
    FacePersonFinder,
    ModelPersonFinder,
    Person,
    Picture,
    cut_crops,
)
from face_det.extraction.person_detector import head_and_shoulders
from face_det.types import Box, Rgb

SIDE = 64


def save_model(path: Path, answer: np.ndarray, shape=(1, 3, SIDE, SIDE), dtype=TensorProto.FLOAT) -> Path:
    """Write a model that always gives `answer`, plus nothing times its input."""
    nodes = [
        helper.make_node("ReduceMax", ["pixels"], ["most"], keepdims=0),
        helper.make_node("Mul", ["most", "nothing"], ["zero"]),
        helper.make_node("Add", ["answer", "zero"], ["found"]),
    ]
    weights = [
        helper.make_tensor("answer", TensorProto.FLOAT, answer.shape, answer.ravel().tolist()),
        helper.make_tensor("nothing", TensorProto.FLOAT, (), [0.0]),
    ]
    graph = helper.make_graph(
        nodes,
        "persons",
        [helper.make_tensor_value_info("pixels", dtype, shape)],
        [helper.make_tensor_value_info("found", TensorProto.FLOAT, answer.shape)],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def find(finder, rgb: Rgb) -> list[Person]:
    (found,) = finder.find([(Picture("a", "1", "here", lambda: rgb), rgb)])
    return found


def test_boxes_come_back_from_the_letterbox(tmp_path: Path) -> None:
    """A picture of 200 x 100 is scaled to 64 x 32; its boxes are scaled back, and end at its edge."""
    rows = np.float32([[[8, 4, 16, 32, 0.9, 0], [0, 0, 64, 64, 0.8, 2], [32, 0, 90, 40, 0.5, 0]]])
    finder = ModelPersonFinder(save_model(tmp_path / "persons.onnx", rows), min_score=0.4)
    one, two = find(finder, np.zeros((100, 200, 3), np.uint8))
    assert (one.box, round(one.score, 3)) == (Box(25, 12.5, 50, 100), 0.9)
    assert two.box == Box(100, 0, 200, 100)


def test_the_other_shape(tmp_path: Path) -> None:
    """Columns of middle, size and a score for each class: persons only, and each once."""
    columns = np.zeros((1, 6, 10), np.float32)
    columns[0, :, 0] = (32, 16, 20, 30, 0.9, 0.1)
    columns[0, :, 1] = (33, 16, 20, 30, 0.8, 0.1)  # the same person again
    columns[0, :, 2] = (10, 10, 8, 8, 0.5, 0.6)  # something else, more likely
    finder = ModelPersonFinder(save_model(tmp_path / "persons.onnx", columns), min_score=0.4)
    assert [one.box for one in find(finder, np.zeros((64, 64, 3), np.uint8))] == [Box(22, 1, 42, 31)]


def test_the_picture_is_letterboxed(tmp_path: Path) -> None:
    """Its proportions are kept, grey fills the rest, and colours are RGB from 0 to 1."""
    nodes = [
        # Takes what the pixel in the corners shows as a box's score.
        helper.make_node("Slice", ["pixels", "start", "end", "axes", "steps"], ["corners"]),
        helper.make_node("Reshape", ["corners", "shape"], ["found"]),
    ]
    ints = {"start": [0, 0], "end": [SIDE, SIDE], "axes": [2, 3], "steps": [SIDE - 1, SIDE - 1]}
    weights = [helper.make_tensor(name, TensorProto.INT64, [2], value) for name, value in ints.items()]
    weights.append(helper.make_tensor("shape", TensorProto.INT64, [3], [1, 2, 6]))
    graph = helper.make_graph(
        nodes,
        "corners",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, (1, 3, SIDE, SIDE))],
        [helper.make_tensor_value_info("found", TensorProto.FLOAT, (1, 2, 6))],
        weights,
    )
    path = tmp_path / "corners.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    from face_det.nets import PersonNetwork

    network = PersonNetwork(path)
    seen = network._session.run
    told: list[np.ndarray] = []

    def run(feeds):
        told.append(feeds["pixels"])
        return seen(feeds)

    network._session.run = run  # type: ignore[method-assign]
    network.detect(np.full((50, 100, 3), (255, 0, 51), np.uint8), min_score=2)  # what it finds are no boxes
    ((red, green, blue),) = told[0][:, :, 0, 0]
    assert (float(red), float(green), round(float(blue), 3)) == (1.0, 0.0, 0.2)
    assert told[0][0, 0, 31, 63] == 1.0
    assert told[0][0, :, 32:, :].round(3).min() == told[0][0, :, 32:, :].round(3).max() == np.float32(0.447)


def test_models_that_cannot_be_used(tmp_path: Path) -> None:
    """No file, a folder, another file, and other inputs and outputs are errors that say what is expected."""
    with pytest.raises(ModelMissing, match="file not found"):
        ModelPersonFinder(tmp_path / "no.onnx")
    with pytest.raises(ModelMissing, match=r"an ONNX file, but cannot be read: .*, got Is a directory"):
        ModelPersonFinder(tmp_path)
    (tmp_path / "text.onnx").write_text("not a model")
    with pytest.raises(ModelError, match="must be an ONNX model"):
        ModelPersonFinder(tmp_path / "text.onnx")
    flat = save_model(tmp_path / "flat.onnx", np.zeros((1, 1, 6), np.float32), shape=(1, SIDE))
    with pytest.raises(ModelError, match=r"must be float32 of shape \(1, 3, height, width\)"):
        ModelPersonFinder(flat)
    other = save_model(tmp_path / "other.onnx", np.zeros((5, 7), np.float32))
    with pytest.raises(ModelError, match=r"must have the shape \(1, n, 6\)"):
        find(ModelPersonFinder(other), np.zeros((64, 64, 3), np.uint8))


def columns(count: int) -> np.ndarray:
    """What a model of YOLOv8's kind says of a person, with room for other columns."""
    found = np.zeros((1, 4 + count, 200), np.float32)
    found[0, :5, 0] = (32, 16, 20, 30, 0.9)
    return found


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        # Keypoints and masks stand behind the scores; they would pass for classes that are more likely.
        pytest.param(np.where(np.arange(56)[None, :, None] < 5, columns(52), 30), "only detects", id="pose"),
        pytest.param(
            np.where(np.arange(116)[None, :, None] < 84, columns(112), -0.7), "only detects", id="masks"
        ),
        pytest.param(np.float32([[[0.1, 0.1, 0.5, 0.9, 0.9, 0]] * 9]), "must be in pixels", id="shares"),
        pytest.param(np.zeros((1, 3598, 112), np.float32), "must have the shape", id="nanodet"),
        pytest.param(np.zeros((1, 3549, 85), np.float32), "must have the shape", id="yolox"),
    ],
)
def test_models_of_another_kind(tmp_path: Path, answer: np.ndarray, says: str) -> None:
    """What would find nobody, or somebody elsewhere, is an error that says what to export."""
    finder = ModelPersonFinder(save_model(tmp_path / "persons.onnx", np.float32(answer)))
    with pytest.raises(ModelError, match=says) as error:
        find(finder, np.zeros((64, 64, 3), np.uint8))
    assert "\n" not in str(error.value)


def test_persons_by_their_faces() -> None:
    """Head and shoulders around each face, as far as the picture goes."""
    found = find(FacePersonFinder(ToyEngine()), toy_frame((1, 300, 100), (2, 10, 10)))
    expected = head_and_shoulders(Box(300, 100, 340, 140)), Box(0, 0, 90, 170)
    assert {one.box for one in found} == set(expected)


def test_two_who_stand_close() -> None:
    """Their boxes overlap so much that they might be one person; but each keeps the face of their own."""
    engine = ToyEngine()
    rgb = toy_frame((1, 300, 100), (2, 322, 100))
    for encode in (False, True):
        cut = cut_crops(
            rgb, find(FacePersonFinder(engine), rgb), engine, frozenset({CropKind.PERSON}), encode=encode
        )
        assert (cut.persons, cut.faces) == (2, 2)
        assert len({crop.face.box for crop in cut.crops if crop.face is not None}) == 2
        assert [crop.face.encoding is not None for crop in cut.crops if crop.face] == [encode] * 2


def test_whole_persons_of_a_real_photo(photos: dict[str, Path], shared_networks: None) -> None:
    """Everybody in a photo of six is found once, with a face of their own."""
    from face_det.engine import EngineOptions, build_engine
    from face_det.media import load_image

    engine = build_engine(EngineOptions(detector="auto", embedder="sface"))
    rgb = load_image(photos["t1"])
    cut = cut_crops(rgb, find(FacePersonFinder(engine), rgb), engine, frozenset(CropKind))
    assert [crop.kind for crop in cut.crops] == [CropKind.FACE, CropKind.PERSON] * 6
