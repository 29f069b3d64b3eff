"""YuNet as its authors publish it: an ONNX file that somebody may bring."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import helper

from face_det.nets import opencv_zoo, weights_path
from face_det.nets.dlib.onnx_export import IR_VERSION, OPSET


def write_yunet(path: Path) -> None:
    """Write the file: float32 BGR of (1, 3, 640, 640) in, and twelve outputs. The one that a package carries
    has its weights in blocks of int8, which ONNX Runtime does not read."""
    published = onnx.load(weights_path("yunet")).graph
    graph = opencv_zoo._QuantisedGraph(published)
    graph.given = [each for each in published.input if each.name == "input"]
    outputs = {
        each.name: [side.dim_value for side in each.type.tensor_type.shape.dim] for each in published.output
    }
    model = helper.make_model(graph.finished(outputs), opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    onnx.save_model(model, path)
