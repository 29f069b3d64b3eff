"""Products of a matrix of small whole numbers with vectors: a quarter of float32's memory to read."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from face_det.nets import memory
from face_det.nets.sessions.session import Session

MAX_MATRIX_VALUE = 63
"""Of a number in the matrix. A processor without VNNI adds two products of bytes in 16 bits, and 2 * 255 * 63
is what fits there: of larger ones the sum would be cut off, without a word."""

MAX_VECTOR_VALUE = 127

_ZERO_POINT = 128
_OPSET = 17


class Int8MatMul:
    """A matrix of whole numbers -63..63, shape (n, d), laid out as the processor likes it best.

    It takes about 2 n d bytes, since ONNX Runtime keeps what it was given, too. One thread; may be
    called from several at once. ModelError if the library cannot do it.
    """

    def __init__(self, matrix: npt.NDArray[np.int8]) -> None:
        # Takes a while to import, and there are rarely so many numbers.
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
        # The model was there three times over while it loaded; glibc would keep that for later.
        del graph, model
        memory.trim_heap()

    def __call__(self, asked: npt.NDArray[np.int16]) -> npt.NDArray[np.int32]:
        """Products with vectors of whole numbers -127..127, shape (m, d) -> (m, n); they are exact."""
        products = self._session.run({"asked": (asked + _ZERO_POINT).astype(np.uint8)})[0]
        return np.asarray(products, dtype=np.int32)
