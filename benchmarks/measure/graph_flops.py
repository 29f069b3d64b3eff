"""Counts the arithmetic of one run of a network from its graph."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper, shape_inference

from face_det.nets import load_onnx_model

NETWORKS = {"tile": "mmod", "chips": "resnet"}
"""The network that each input name belongs to."""


@dataclass(frozen=True)
class Work:
    """Floating-point operations of convolutions and matrix products.

    A multiplication and an addition count as two. `useful_flop` leaves out the zero weights that pad vectors.
    """

    flop: int
    useful_flop: int


@functools.cache
def of_input(name: str, shape: tuple[int, ...]) -> Work:
    """Return the work of one run of the network with this input, for an input of this shape."""
    return count(load_onnx_model(NETWORKS[name]), shape)


def count(model: bytes, shape: tuple[int, ...]) -> Work:
    """Return the work of one run of an ONNX model with one input. Raises ValueError if a size is unknown."""
    loaded = onnx.load_from_string(model)
    dimensions = loaded.graph.input[0].type.tensor_type.shape.dim
    for dimension, size in zip(dimensions, shape, strict=True):
        dimension.dim_value = size
    # The stored sizes would contradict those inferred from the input shape.
    del loaded.graph.value_info[:]
    for output in loaded.graph.output:
        output.type.tensor_type.ClearField("shape")
    inferred = shape_inference.infer_shapes(loaded, strict_mode=True, data_prop=True)
    sizes = {
        value.name: [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        for value in (*inferred.graph.value_info, *inferred.graph.output)
    }
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in inferred.graph.initializer}
    flop = useful_flop = 0
    for node in inferred.graph.node:
        if node.op_type in ("Conv", "MatMul", "Gemm"):
            weight, output = weights[node.input[1]], sizes[node.output[0]]
            if not output or 0 in output:
                raise ValueError(f"{node.name or node.op_type}: the size of its output is not known")
            # Each output position uses the weights of its channel once.
            places = math.prod(output[:1] + output[2:]) if node.op_type == "Conv" else math.prod(output[:-1])
            flop += 2 * places * weight.size
            useful_flop += 2 * places * int(np.count_nonzero(weight))
    return Work(flop, useful_flop)
