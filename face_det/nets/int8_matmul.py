"""Multiplies an int8 matrix by vectors, reading a quarter of the memory that float32 takes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from face_det.nets import memory
from face_det.nets.sessions.session import Session

MAX_MATRIX_VALUE = 63
"""The largest magnitude in the matrix. A processor without VNNI adds two products of bytes in 16 bits, and
2 * 255 * 63 is the most that fits; larger sums would saturate silently."""

MAX_VECTOR_VALUE = 127

_ZERO_POINT = 128
_OPSET = 17


class Int8MatMul:
    """A matrix of integers from -63 to 63, shape (n, d), in the layout that the processor multiplies fastest.

    It takes about 2 n d bytes, because ONNX Runtime also keeps the model it was given. Each product runs on
    one thread; several threads may multiply at once. Raises ModelError if ONNX Runtime cannot do it.

    >>> matmul = Int8MatMul(np.array([[1, 2], [3, -4]], np.int8))
    >>> matmul(np.array([[10, 1]], np.int16))
    array([[12, 26]], dtype=int32)
    """

    def __init__(self, matrix: npt.NDArray[np.int8]) -> None:
        # onnx takes a while to import, and few galleries are large enough to need it.
        from onnx import TensorProto, helper, numpy_helper

        n, d = matrix.shape
        graph = helper.make_graph(
            [helper.make_node("MatMulInteger", ["asked", "matrix", "zero"], ["products"])],
            "byte_product",
            [helper.make_tensor_value_info("asked", TensorProto.UINT8, ["m", d])],
            [helper.make_tensor_value_info("products", TensorProto.INT32, ["m", n])],
            [
                numpy_helper.from_array(np.ascontiguousarray(matrix.T), "matrix"),
                numpy_helper.from_array(np.array(_ZERO_POINT, np.uint8), "zero"),
            ],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
        self._session = Session(model.SerializeToString())
        # While it loaded, three copies of the model were in memory, which glibc would keep for later.
        del graph, model
        memory.trim_heap()

    def __call__(self, asked: npt.NDArray[np.int16]) -> npt.NDArray[np.int32]:
        """Multiply by vectors of integers from -127 to 127, shape (m, d) -> (m, n); the result is exact."""
        products = self._session.run({"asked": (asked + _ZERO_POINT).astype(np.uint8)})[0]
        return np.asarray(products, dtype=np.int32)
