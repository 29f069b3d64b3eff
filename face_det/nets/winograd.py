"""Convolutions with a quarter of the multiplications, by code of our own: native/winograd.c.

Maps are arrays (n, rows, columns, channels) of float32, with channels filled up to a multiple of 16. Outputs
come in tiles of 4 x 4. A tile of y = w * x (correlated, r taps, in one dimension) is

    y = A [(G w) . (B x)]

with the matrices of Toom and Cook: x and w are polynomials, evaluated at 4 + r - 1 points (infinity is one),
multiplied point by point, and interpolated. All is linear, so that two dimensions are done one after the
other, and sums over channels are taken at the points: matrix products, 36 or 64 for each tile.

A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks (2016).
"""

from __future__ import annotations

import ctypes
import functools
import itertools
from concurrent.futures import Executor
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from face_det.nets.network import Conv, Floats

TILE = 4
CHANNELS = 16
"""Channels are filled up to a multiple of it."""

POINTS = {3: (0, 1, -1, 2, -2), 5: (0, 1, -1, 2, -2, 0.5, -0.5)}
"""Of filters with so many taps, but for infinity: those that keep the numbers small."""

_GROUPS = {16: (48, 64, 32), 8: (24, 16), 4: (12, 16)}
"""How many outputs the code multiplies at once, for so many floats in a vector; the best first."""


class _Layer(ctypes.Structure):
    """struct convolution of winograd.c."""

    _fields_ = [
        (name, ctypes.c_int)
        for name in (
            *("points", "stride", "padding", "rows", "columns", "inputs"),
            *("out_rows", "out_columns", "outputs", "group", "relu"),
        )
    ] + [("filters", ctypes.c_void_p), ("bias", ctypes.c_void_p)]


class Kernels(NamedTuple):
    """The compiled code; how many floats its vectors have here, and how many tiles it takes at once."""

    library: ctypes.CDLL
    lanes: int
    tiles: int


@functools.cache
def kernels() -> Kernels | str:
    """Those of this machine, or why there are none, as a clause."""
    library = _library()
    if library is None:
        return "they were not built, which takes a C compiler (gcc) when face_det is installed"
    found = Kernels(library, library.face_det_lanes(), library.face_det_tiles())
    if not found.lanes:
        return "this processor has neither AVX2 nor AVX-512"
    # Code for this very processor, by a compiler that nobody here has seen: a wrong number is a wrong name.
    if not right(found):
        return "they compute wrongly; install face_det again, with another compiler"
    return found


def _library() -> ctypes.CDLL | None:
    """None where it was not built, or for another kind of machine."""
    for suffix in EXTENSION_SUFFIXES:
        path = Path(__file__).with_name(f"_winograd{suffix}")
        try:
            library = ctypes.CDLL(str(path))
            library.face_det_convolve.argtypes = [
                ctypes.c_int,
                ctypes.POINTER(_Layer),
                *(ctypes.c_void_p,) * 3,
                *(ctypes.c_int,) * 2,
                ctypes.c_void_p,
            ]
            return library
        except (OSError, AttributeError):
            continue
    return None


def right(kernels: Kernels) -> bool:
    """Whether they compute what `direct` does, on small maps of numbers with a remainder of a tile."""
    random = np.random.default_rng(1)
    maps = random.uniform(-1, 1, (2, 9, 11, CHANNELS)).astype(np.float32)
    for outputs, taps, stride, padding in ((48, 5, 1, 2), (32, 3, 1, 1), (64, 5, 2, 0), (32, 3, 2, 0)):
        filters = random.uniform(-1, 1, (outputs, CHANNELS, taps, taps)).astype(np.float32)
        bias = random.uniform(-1, 1, outputs).astype(np.float32)
        layer = Conv(filters, bias, (stride, stride), (padding, padding))
        convolution = Convolution(layer, kernels)
        residuals = random.uniform(-1, 1, convolution.shape(maps.shape)).astype(np.float32)
        expected = np.maximum(direct(layer, maps) + residuals, 0)
        if not np.allclose(convolution(maps, residuals, relu=True), expected, atol=1e-3):
            return False
    return True


def direct(layer: Conv, maps: Floats) -> npt.NDArray[np.float64]:
    """The layer's maps, by the definition."""
    stride, padding, taps = layer.stride[0], layer.padding[0], layer.filters.shape[2]
    around = np.pad(maps.astype(np.float64), [(0, 0), (padding, padding), (padding, padding), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(around, (taps, taps), axis=(1, 2))
    return np.asarray(
        np.einsum("nrcixy,oixy->nrco", windows[:, ::stride, ::stride], layer.filters, optimize=True)
        + layer.bias
    )


def fits(layer: Conv) -> bool:
    """Whether `Convolution` takes this layer, and is faster at it.

    Not with few inputs, and not with so many filters that they would have to be read from memory for
    a handful of tiles.
    """
    outputs, inputs, rows, columns = layer.filters.shape
    if rows != columns or rows not in POINTS or inputs < CHANNELS:
        return False
    if (layer.stride, layer.padding) not in (((1, 1), (rows // 2,) * 2), ((2, 2), (0, 0))):
        return False
    taps, phases = (rows, 1) if layer.stride == (1, 1) else (3, 4)
    return bool((taps + TILE - 1) ** 2 * phases * inputs * outputs <= MOST_FILTERS)


MOST_FILTERS = 2**21
"""Numbers: 8 MB."""


def matrices(points: tuple[float, ...]) -> tuple[npt.NDArray[np.float64], ...]:
    """A (TILE, n), G (n, taps) and B (n, n) for n - 1 points and infinity."""
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


class Convolution:
    """One layer that `fits`, with its filters at the points. May be called from several threads at once."""

    def __init__(self, layer: Conv, kernels: Kernels) -> None:
        self._kernels = kernels
        self._stride = layer.stride[0]
        self._padding = layer.padding[0]
        self._window = layer.filters.shape[2]
        filters = layer.filters.astype(np.float64)
        outputs = filled(filters.shape[0])
        self._group = next((size for size in _GROUPS[kernels.lanes] if outputs % size == 0), 0)
        if not self._group:
            self._group = _GROUPS[kernels.lanes][-1]
            outputs += -outputs % self._group
        self.inputs = filled(filters.shape[1])
        self.outputs = outputs
        more = [(0, outputs - filters.shape[0]), (0, self.inputs - filters.shape[1])]
        filters = np.pad(filters, [*more, (0, 0), (0, 0)])
        if self._stride == 2:
            filters = _phases(filters)
        _, at_points, _ = matrices(POINTS[filters.shape[2]])
        self._points = len(at_points)
        # [point][input][output], then the outputs in groups.
        moved = np.einsum("ia,oxab,jb->ijxo", at_points, filters, at_points, optimize=True)
        grouped = moved.reshape(self._points**2, filters.shape[1], -1, self._group).swapaxes(1, 2)
        self._filters = _aligned(grouped.shape)
        self._filters[...] = grouped
        self._bias = np.pad(layer.bias, (0, outputs - len(layer.bias))).astype(np.float32)

    def shape(self, maps: tuple[int, ...]) -> tuple[int, int, int, int]:
        """Of the result, for maps of a shape."""
        rows, columns = (
            max((side + 2 * self._padding - self._window) // self._stride + 1, 0) for side in maps[1:3]
        )
        return maps[0], rows, columns, self.outputs

    def __call__(
        self,
        maps: Floats,
        residuals: Floats | None = None,
        *,
        relu: bool = False,
        threads: int = 1,
        executor: Executor | None = None,
    ) -> Floats:
        """The layer's maps for maps (n, rows, columns, inputs); `residuals`, of the result's shape, are
        added before the ReLU. With an executor, `threads` parts are done by it and this thread."""
        shape = self.shape(maps.shape)
        images, rows, columns, inputs = maps.shape
        _, out_rows, out_columns, _ = shape
        results = _aligned(shape)
        if not results.size:
            return results
        for given, expected in ((maps, (*maps.shape[:3], self.inputs)), (residuals, shape)):
            if given is not None and (given.shape != expected or given.dtype != np.float32):
                raise ValueError(f"maps must be {expected} of float32, got {given.shape} of {given.dtype}")
        maps = np.ascontiguousarray(maps)
        residuals = None if residuals is None else np.ascontiguousarray(residuals)
        layer = _Layer(
            *(self._points, self._stride, self._padding, rows, columns, inputs),
            *(out_rows, out_columns, self.outputs, self._group, int(relu)),
            *(self._filters.ctypes.data, self._bias.ctypes.data),
        )

        def part(first: int, last: int) -> None:
            scratch = _aligned(
                (self._points**2 * self._kernels.tiles * (inputs * self._stride**2 + self.outputs),)
            )
            self._kernels.library.face_det_convolve(
                self._kernels.lanes,
                layer,
                maps.ctypes.data,
                None if residuals is None else residuals.ctypes.data,
                results.ctypes.data,
                first,
                last,
                scratch.ctypes.data,
            )

        tiles = images * -(-out_rows // TILE) * -(-out_columns // TILE)
        parts = 1 if executor is None else min(threads, -(-tiles // self._kernels.tiles))
        edges = [tiles * number // parts for number in range(parts + 1)]
        mine, *others = itertools.pairwise(edges)
        waiting = [] if executor is None else [executor.submit(part, *edge) for edge in others]
        part(*mine)
        for one in waiting:
            one.result()
        return results


def filled(channels: int) -> int:
    """So many, filled up."""
    return channels + -channels % CHANNELS


def _phases(filters: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Filters of stride 2 as filters (outputs, 4 * inputs, 3, 3) of stride 1 over even and odd rows and
    columns: taps 0, 2, 4 see the even ones, taps 1 and 3 the odd ones."""
    phases = []
    for row in (0, 1):
        for column in (0, 1):
            some = filters[:, :, row::2, column::2]
            phases.append(np.pad(some, [(0, 0), (0, 0), *((0, 3 - side) for side in some.shape[2:])]))
    return np.concatenate(phases, axis=1)


def _aligned(shape: tuple[int, ...]) -> Floats:
    """An array that begins where a vector may: twice as fast to read where each would lie in two lines."""
    size = int(np.prod(shape)) * 4
    room = np.empty(size + 64, np.uint8)
    start = -room.ctypes.data % 64
    return room[start : start + size].view(np.float32).reshape(shape)
