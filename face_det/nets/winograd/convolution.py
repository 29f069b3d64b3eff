"""Convolutions with a quarter of the multiplications, computed by our own compiled code, winograd.c.

Maps are arrays (n, rows, columns, channels) of float32, with channels padded to a multiple of 16. Outputs
are computed in tiles of 4 x 4. A tile of y = w * x (a correlation with r taps, in one dimension) is

    y = A [(G w) . (B x)]

with the matrices of Toom and Cook: x and w are polynomials that are evaluated at 4 + r - 1 points
(infinity is one of them), multiplied point by point, and interpolated. Every step is linear, so two
dimensions are computed one after the other, and sums over channels are taken at the points: these are
matrix products, 36 or 64 for each tile.

A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks (2016).
"""

from __future__ import annotations

import functools
import itertools
import math
import threading
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from face_det.nets.network import Conv, Float32Array
from face_det.nets.winograd import kernels
from face_det.nets.winograd.kernels import CompiledKernels, KernelStatus

TILE = 4
CHANNEL_MULTIPLE = 16
"""Channels are padded to a multiple of this."""

INTERPOLATION_POINTS = {3: (0, 1, -1, 2, -2), 5: (0, 1, -1, 2, -2, 0.5, -0.5)}
"""Interpolation points besides infinity, by filter size; these keep the numbers small."""


@functools.cache
def load_checked_kernels() -> KernelStatus:
    """Load this machine's kernels, provided that they compute correctly."""
    found = kernels.load_kernels()
    # The code was compiled for this very processor by an unknown compiler: a wrong number means a wrong name.
    if found.kernels is not None and not verify_kernels(found.kernels):
        return KernelStatus(None, "they compute wrong results; install face_det again, with another compiler")
    return found


def verify_kernels(code: CompiledKernels) -> bool:
    """Check the kernels against `convolve_directly`, on small maps with incomplete tiles at the edges."""
    random = np.random.default_rng(1)
    # Wide enough to fill whole registers with results at stride 2, too.
    maps = random.uniform(-1, 1, (2, 9, 27, CHANNEL_MULTIPLE)).astype(np.float32)
    for outputs, taps, stride, padding in ((48, 5, 1, 2), (32, 3, 1, 1), (64, 5, 2, 0), (32, 3, 2, 0)):
        filters = random.uniform(-1, 1, (outputs, CHANNEL_MULTIPLE, taps, taps)).astype(np.float32)
        bias = random.uniform(-1, 1, outputs).astype(np.float32)
        layer = Conv(filters, bias, (stride, stride), (padding, padding))
        convolution = CompiledConvolution(layer, code)
        residuals = random.uniform(-1, 1, convolution.shape(maps.shape)).astype(np.float32)
        expected = np.maximum(convolve_directly(layer, maps) + residuals, 0)
        if not np.allclose(convolution(maps, residuals, relu=True), expected, atol=1e-3):
            return False
    return True


def convolve_directly(layer: Conv, maps: Float32Array) -> npt.NDArray[np.float64]:
    """Compute a convolution by its definition, slowly."""
    stride, padding, taps = layer.stride[0], layer.padding[0], layer.filters.shape[2]
    around = np.pad(maps.astype(np.float64), [(0, 0), (padding, padding), (padding, padding), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(around, (taps, taps), axis=(1, 2))
    sums = np.einsum("nrcixy,oixy->nrco", windows[:, ::stride, ::stride], layer.filters, optimize=True)
    return np.asarray(sums + layer.bias)


def suits_winograd(layer: Conv) -> bool:
    """Tell whether `CompiledConvolution` accepts this layer and is faster at it than ONNX Runtime.

    Layers with few inputs are not faster, nor are layers with more filters than the cache holds, which would
    be read from memory for a handful of tiles.
    """
    outputs, inputs, rows, columns = layer.filters.shape
    if rows != columns or rows not in INTERPOLATION_POINTS or inputs < CHANNEL_MULTIPLE:
        return False
    if (layer.stride, layer.padding) not in (((1, 1), (rows // 2,) * 2), ((2, 2), (0, 0))):
        return False
    # The code has output groups for these on every processor.
    if padded_channels(outputs) % 48 and padded_channels(outputs) % 32:
        return False
    taps, phases = (rows, 1) if layer.stride == (1, 1) else (3, 4)
    return bool((taps + TILE - 1) ** 2 * phases * inputs * outputs <= MAX_FILTER_NUMBERS)


MAX_FILTER_NUMBERS = 2**19
"""Most transformed filter numbers of a layer: what fits a core's own cache. With more, a single face takes
longer."""


def winograd_matrices(points: tuple[float, ...]) -> tuple[npt.NDArray[np.float64], ...]:
    """Return the transforms A (TILE, n), G (n, taps) and B (n, n) for n - 1 points and infinity.

    >>> output, filters, inputs = winograd_matrices(INTERPOLATION_POINTS[3])
    >>> output.shape, filters.shape, inputs.shape
    ((4, 6), (6, 3), (6, 6))
    """
    count = len(points) + 1
    taps = count - TILE + 1
    back = np.zeros((TILE, count))
    filters = np.zeros((count, taps))
    inputs = np.zeros((count, count))
    for at, point in enumerate(points):
        others = [other for other in points if other != point]
        back[:, at] = np.power(float(point), np.arange(TILE))
        filters[at] = np.power(float(point), np.arange(taps)) / np.prod([point - other for other in others])
        inputs[at, : count - 1] = np.polynomial.polynomial.polyfromroots(others)
    back[-1, -1] = filters[-1, -1] = 1
    inputs[-1] = np.polynomial.polynomial.polyfromroots(points)
    return back, filters, inputs


class _CallPlan(NamedTuple):
    """A call for maps of one size: the result's shape, the number of pieces of work, which threads may share,
    and the floats of scratch memory that each thread needs."""

    layer: kernels.ConvolutionStruct
    shape: tuple[int, int, int, int]
    pieces: int
    scratch: int


class CompiledConvolution:
    """A layer that `suits_winograd`, with transformed filters. Several threads may call it at once."""

    def __init__(self, layer: Conv, code: CompiledKernels) -> None:
        self._code = code
        self._stride = layer.stride[0]
        self._padding = layer.padding[0]
        self._window = layer.filters.shape[2]
        self.outputs, self.inputs = (padded_channels(channels) for channels in layer.filters.shape[:2])
        self._group = next(size for size in kernels.OUTPUT_GROUPS[code.lanes] if self.outputs % size == 0)
        more = [(0, padded_channels(channels) - channels) for channels in layer.filters.shape[:2]]
        filters = np.pad(layer.filters.astype(np.float64), [*more, (0, 0), (0, 0)])
        self._points = 0
        # 3 x 3 with stride 2 would be four phases of 2 x 2, which saves nothing.
        self._direct = (self._window, self._stride) == (3, 2)
        packed = _group_filters(filters, self._group) if self._direct else self._at_points(filters)
        self._filters = _aligned_array(packed.shape)
        self._filters[...] = packed
        self._bias = np.pad(layer.bias, more[0]).astype(np.float32)
        self._planned = functools.lru_cache(8)(self._plan)

    def _at_points(self, filters: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Transform filters (outputs, inputs, r, r) to all pairs of points."""
        if self._stride == 2:
            filters = _split_stride_2(filters)
        _, at, _ = winograd_matrices(INTERPOLATION_POINTS[filters.shape[2]])
        self._points = len(at)
        # [point][input][output], then the outputs in groups.
        moved = np.einsum("ia,oxab,jb->ijxo", at, filters, at, optimize=True)
        grouped = moved.reshape(self._points**2, filters.shape[1], -1, self._group)
        return np.asarray(grouped.swapaxes(1, 2))

    def shape(self, maps: tuple[int, ...]) -> tuple[int, int, int, int]:
        """Return the shape of the result for maps of a shape."""
        rows, columns = (
            max((side + 2 * self._padding - self._window) // self._stride + 1, 0) for side in maps[1:3]
        )
        return maps[0], rows, columns, self.outputs

    def _plan(self, maps: tuple[int, ...], relu: bool) -> _CallPlan:
        shape = self.shape(maps)
        layer = kernels.ConvolutionStruct(
            *(self._points, self._stride, self._padding, *maps[1:]),
            *(*shape[1:], self._group, int(relu)),
            *(self._filters.ctypes.data, self._bias.ctypes.data),
        )
        pieces = shape[0] * (shape[1] if self._direct else -(-shape[1] // TILE) * -(-shape[2] // TILE))
        a_tile = self._points**2 * (self.inputs * self._stride**2 + self.outputs)
        return _CallPlan(layer, shape, pieces, self._code.tiles * a_tile)

    def __call__(
        self,
        maps: Float32Array,
        residuals: Float32Array | None = None,
        *,
        relu: bool = False,
        threads: int = 1,
        executor: Executor | None = None,
    ) -> Float32Array:
        """Compute the layer for maps (n, rows, columns, inputs).

        `residuals`, of the result's shape, are added before the ReLU. With an executor, the work is split
        into `threads` parts; this thread does one of them.
        """
        maps = _require_shape("maps", maps, (*maps.shape[:3], self.inputs))
        plan = self._planned(maps.shape, relu)
        results = _aligned_array(plan.shape)
        others = None if residuals is None else _require_shape("residuals", residuals, plan.shape)
        arrays = (maps.ctypes.data, None if others is None else others.ctypes.data, results.ctypes.data)

        # Each part keeps its arrays alive: if this thread fails, others may still be working.
        def part(first: int, last: int, _held: object = (maps, others, results)) -> None:
            self._code.library.face_det_convolve(
                self._code.lanes, plan.layer, *arrays, first, last, _scratch(plan.scratch)
            )

        parts = 1 if executor is None else max(1, min(threads, plan.pieces // self._code.tiles))
        mine, *rest = itertools.pairwise(plan.pieces * number // parts for number in range(parts + 1))
        waiting = [] if executor is None else [executor.submit(part, *edges) for edges in rest]
        part(*mine)
        for one in waiting:
            one.result()
        return results


def padded_channels(channels: int) -> int:
    """Round a number of channels up to a multiple of CHANNEL_MULTIPLE.

    >>> padded_channels(45)
    48
    """
    return channels + -channels % CHANNEL_MULTIPLE


def _require_shape(name: str, maps: Float32Array, shape: tuple[int, ...]) -> Float32Array:
    """Return the maps as one block of memory; the compiled code trusts their shape and type."""
    if maps.shape != shape or maps.dtype != np.float32:
        raise ValueError(f"{name} must be {shape} of float32, got {maps.shape} of {maps.dtype}")
    return np.ascontiguousarray(maps)


def _group_filters(filters: npt.NDArray[np.float64], group: int) -> npt.NDArray[np.float64]:
    """Rearrange filters (outputs, inputs, r, r) as [outputs / group][row][column][input][group]."""
    moved = filters.reshape(-1, group, *filters.shape[1:])
    return np.ascontiguousarray(moved.transpose(0, 3, 4, 2, 1))


def _split_stride_2(filters: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Turn filters of stride 2 into filters (outputs, 4 * inputs, 3, 3) of stride 1.

    They run over even and odd rows and columns: taps 0, 2 and 4 see the even ones, taps 1 and 3 the odd ones.
    """
    phases = []
    for row in (0, 1):
        for column in (0, 1):
            some = filters[:, :, row::2, column::2]
            phases.append(np.pad(some, [(0, 0), (0, 0), *((0, 3 - side) for side in some.shape[2:])]))
    return np.concatenate(phases, axis=1)


def _aligned_array(shape: tuple[int, ...]) -> Float32Array:
    """Allocate an array aligned to a cache line. Vectors that straddle two lines take twice as long to
    read."""
    room = np.empty(math.prod(shape) * 4 + 64, np.uint8)
    made: Float32Array = np.ndarray(shape, np.float32, room, -room.ctypes.data % 64)
    return made


_thread_memory = threading.local()


def _scratch(floats: int) -> int:
    """Return the address of scratch memory of this thread's own, a megabyte or two; its content is
    arbitrary."""
    if getattr(_thread_memory, "floats", -1) < floats:
        _thread_memory.room, _thread_memory.floats = _aligned_array((floats,)), floats
        _thread_memory.address = _thread_memory.room.ctypes.data
    return int(_thread_memory.address)
