"""Makes ONNX models of a fixed size take pictures of any size."""

from __future__ import annotations

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from face_det.errors import WeightsError


def build_open_size(path: Path) -> bytes:
    """Return a convolutional model (n, channels, rows, columns) that takes any n, rows and columns.

    Only the declared shapes change. Raises WeightsError for a file that is no ONNX model.
    """
    try:
        model = onnx.load_model(path)
    except (DecodeError, ValueError) as error:
        raise WeightsError(
            f"{path}: must be an ONNX model, got another file; reinstall its package"
        ) from error
    graph = model.graph
    weights = {each.name for each in graph.initializer}
    # Old files list their weights among the inputs too, where they would not count as constants.
    inputs = [each for each in graph.input if each.name not in weights]
    del graph.input[:], graph.value_info[:]
    graph.input.extend(inputs)
    for values in (graph.input, graph.output):
        for value in values:
            for axis, name in ((0, "n"), (2, f"{value.name}_rows"), (3, f"{value.name}_columns")):
                value.type.tensor_type.shape.dim[axis].dim_param = name
    serialised: bytes = model.SerializeToString(deterministic=True)
    return serialised
