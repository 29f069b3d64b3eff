"""SFace as networks of this kind usually come: float32, channels first, one face at a time."""

from __future__ import annotations

from pathlib import Path

import onnx

from face_det.nets import load_onnx_model


def write_sface(path: Path) -> None:
    """Write the file that a user might bring."""
    model = onnx.load_model_from_string(load_onnx_model("sface"))
    # What goes are the two nodes that take bytes with the channels last.
    del model.graph.node[:2], model.graph.input[:]
    shape = [1, 3, 112, 112]
    model.graph.input.append(onnx.helper.make_tensor_value_info("data", onnx.TensorProto.FLOAT, shape))
    path.write_bytes(model.SerializeToString())
