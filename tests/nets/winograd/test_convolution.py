"""Convolutions on our own kernels give what the definition gives, on every kind of vector here."""

from __future__ import annotations

import ctypes
import gc
import re
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from face_det.nets.network import Conv, Float32Array
from face_det.nets.winograd import convolution as winograd
from face_det.nets.winograd import kernels
from face_det.nets.winograd.kernels import CompiledKernels

KINDS = {"5x5": (5, 1, 2), "3x3": (3, 1, 1), "5x5 halving": (5, 2, 0), "3x3 halving": (3, 2, 0)}
"""Taps, stride and padding of everything that `suits_winograd` accepts."""

EXACT = 5e-5
"""The tolerance for results between -3 and 3. Seen: 1.5e-5."""


@pytest.fixture(scope="module", params=sorted(kernels.OUTPUT_GROUPS))
def code(request: pytest.FixtureRequest) -> CompiledKernels:
    """The kernels for vectors of 8 and of 16 floats."""
    return of_lanes(request.param)


def of_lanes(lanes: int) -> CompiledKernels:
    status = kernels.load_kernels()
    found = status.kernels
    if found is None:
        pytest.skip(f"no kernels: {status.reason}")
    if lanes > found.lanes:
        pytest.skip(f"this processor's vectors have {found.lanes} floats, not {lanes}")
    return found._replace(lanes=lanes)


def widest() -> CompiledKernels:
    """The kernels that are used."""
    found = kernels.load_kernels().kernels
    return of_lanes(8 if found is None else found.lanes)


@pytest.fixture(scope="module", params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> tuple[int, int, int]:
    return KINDS[request.param]


def random_layer(kind: tuple[int, int, int], inputs: int, outputs: int, seed: int = 0) -> Conv:
    """Draw a layer with results of about 0.3 for maps between -1 and 1."""
    taps, stride, padding = kind
    random = np.random.default_rng(seed)
    filters = random.uniform(-1, 1, (outputs, inputs, taps, taps)) / np.sqrt(inputs * taps**2)
    bias = random.uniform(-1, 1, outputs)
    return Conv(filters.astype(np.float32), bias.astype(np.float32), (stride,) * 2, (padding,) * 2)


def random_maps(images: int, rows: int, columns: int, inputs: int, seed: int = 0) -> Float32Array:
    """Draw maps with channels padded with zeros, as layers leave them."""
    maps = np.zeros((images, rows, columns, winograd.padded_channels(inputs)), np.float32)
    maps[..., :inputs] = np.random.default_rng(seed).uniform(-1, 1, (images, rows, columns, inputs))
    return maps


def expected(layer: Conv, maps: Float32Array) -> np.ndarray:
    """Compute maps of any size by the definition; channels are padded."""
    outputs, inputs, taps, _ = layer.filters.shape
    shape = winograd.CompiledConvolution(layer, CompiledKernels(None, 8, 0)).shape(maps.shape)  # type: ignore[arg-type]
    results = np.zeros(shape)
    if min(maps.shape[1:3]) + 2 * layer.padding[0] >= taps:
        results[..., :outputs] = winograd.convolve_directly(layer, maps[..., :inputs])
    return results


def tiles_that_see(
    convolution: winograd.CompiledConvolution,
    maps: Float32Array,
    kind: tuple[int, int, int],
    at: tuple[int, int, int],
) -> np.ndarray:
    """Tell which results may depend on a pixel: those of the tiles whose windows contain it."""
    taps, stride, padding = kind
    # Of stride 2, the window has a row and a column that only the phases' filling sees.
    reach = stride * (winograd.TILE + (taps if stride == 1 else 3) - 1)
    images, rows, columns, _ = convolution.shape(maps.shape)
    near = [
        (edge := np.arange(side) // winograd.TILE * winograd.TILE * stride - padding, edge + reach)
        for side in (rows, columns)
    ]
    sees = [(start <= pixel) & (pixel < end) for (start, end), pixel in zip(near, at[1:], strict=True)]
    return (np.arange(images) == at[0])[:, None, None] & sees[0][:, None] & sees[1]


@pytest.mark.parametrize("taps", sorted(winograd.INTERPOLATION_POINTS))
def test_matrices_make_a_tile(taps: int) -> None:
    """A [(G w) . (B x)] is the correlation of x with w."""
    back, filters, inputs = winograd.winograd_matrices(winograd.INTERPOLATION_POINTS[taps])
    random = np.random.default_rng(taps)
    x, w = random.uniform(-1, 1, winograd.TILE + taps - 1), random.uniform(-1, 1, taps)
    assert back @ ((filters @ w) * (inputs @ x)) == pytest.approx(np.correlate(x, w), abs=1e-13)


@pytest.mark.parametrize(
    ("shape", "stride", "padding", "right"),
    [
        ((32, 32, 5, 5), (1, 1), (2, 2), True),
        ((45, 32, 5, 5), (1, 1), (2, 2), True),
        ((64, 64, 3, 3), (1, 1), (1, 1), True),
        ((128, 128, 3, 3), (1, 1), (1, 1), False),
        ((32, 16, 5, 5), (2, 2), (0, 0), True),
        ((64, 32, 3, 3), (2, 2), (0, 0), True),
        ((16, 3, 5, 5), (2, 2), (0, 0), False),
        ((1, 45, 9, 9), (1, 1), (4, 4), False),
        ((32, 32, 5, 3), (1, 1), (2, 1), False),
        ((32, 32, 4, 4), (1, 1), (2, 2), False),
        ((32, 32, 5, 5), (1, 1), (0, 0), False),
        ((32, 32, 5, 5), (2, 2), (2, 2), False),
        ((32, 32, 5, 5), (1, 2), (2, 0), False),
        ((32, 32, 3, 3), (3, 3), (0, 0), False),
        ((80, 32, 3, 3), (1, 1), (1, 1), False),
        ((1024, 1024, 3, 3), (1, 1), (1, 1), False),
    ],
)
def test_what_fits(
    shape: tuple[int, ...], stride: tuple[int, int], padding: tuple[int, int], right: bool
) -> None:
    """Layers like those of the two networks suit; other windows, strides, paddings and odd groups do not."""
    layer = Conv(np.zeros(shape, np.float32), np.zeros(shape[0], np.float32), stride, padding)
    assert winograd.suits_winograd(layer) is right


def test_every_size(code: CompiledKernels, kind: tuple[int, int, int]) -> None:
    """Sides of 1 to 40: smaller than a tile, with any remainder of one, without a result."""
    layer = random_layer(kind, 16, 48)
    convolution = winograd.CompiledConvolution(layer, code)
    for rows in range(1, 41):
        for columns in (rows * 7 % 40 + 1, rows % 4 + 1):
            maps = random_maps(1, rows, columns, 16, seed=rows)
            np.testing.assert_allclose(convolution(maps), expected(layer, maps), atol=EXACT)


@pytest.mark.parametrize("lanes", sorted(kernels.OUTPUT_GROUPS))
@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from(list(KINDS.values())),
    inputs=st.sampled_from([16, 17, 32, 45, 48, 64, 96, 128]),
    outputs=st.sampled_from([32, 45, 48, 64, 90, 96, 128]),
    images=st.integers(1, 5),
    rows=st.integers(1, 20),
    columns=st.integers(1, 20),
    relu=st.booleans(),
    with_residuals=st.booleans(),
    threads=st.integers(1, 3),
)
def test_equals_the_definition(
    lanes: int,
    kind: tuple[int, int, int],
    inputs: int,
    outputs: int,
    images: int,
    rows: int,
    columns: int,
    relu: bool,
    with_residuals: bool,
    threads: int,
) -> None:
    """Any channels, images and sizes, with and without residuals, ReLU and threads. Padding channels stay
    zero."""
    layer = random_layer(kind, inputs, outputs, seed=rows)
    convolution = winograd.CompiledConvolution(layer, of_lanes(lanes))
    maps = random_maps(images, rows, columns, inputs, seed=columns)
    wanted = expected(layer, maps)
    residuals = None
    if with_residuals:
        residuals = random_maps(*wanted.shape[:3], outputs, seed=1)
        wanted = wanted + residuals
    with ThreadPoolExecutor(2) as pool:
        found = convolution(maps, residuals, relu=relu, threads=threads, executor=pool)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.maximum(wanted, 0) if relu else wanted, atol=EXACT)
    assert not found[..., outputs:].any()


def test_threads_change_no_bit(code: CompiledKernels, kind: tuple[int, int, int]) -> None:
    """The result does not depend on how many parts the tiles are split into, nor on other callers; later
    calls do not change earlier results."""
    convolution = winograd.CompiledConvolution(random_layer(kind, 45, 45), code)
    pictures = [random_maps(images, 38, 41, 45, seed=images) for images in (1, 2, 3)]
    alone = [convolution(maps) for maps in pictures]

    def same(number: int) -> bool:
        threads, which = number % 4 + 1, number % 3
        again = convolution(pictures[which], threads=threads, executor=workers)
        return np.array_equal(again, alone[which])

    kept = [one.copy() for one in alone]
    with ThreadPoolExecutor(3) as workers, ThreadPoolExecutor(3) as callers:
        assert all(callers.map(same, range(24)))
    assert all(map(np.array_equal, alone, kept))


class Closing(Executor):
    """An executor that accepts one part, and rejects the next."""

    def __init__(self) -> None:
        self.taken: list[Callable[[], Any]] = []

    def submit(self, call: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        """Runs the first part after the caller has left."""
        if self.taken:
            raise RuntimeError("cannot schedule new futures after shutdown")
        self.taken.append(partial(call, *args, **options))
        return Future()


def test_a_part_that_is_late_has_its_arrays_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that fails or is interrupted leaves parts running, which must not write where other arrays have
    been put since."""
    convolution = winograd.CompiledConvolution(random_layer(KINDS["3x3"], 16, 32), widest())
    convolution(random_maps(1, 4, 4, 16))
    made: list[weakref.ref[np.ndarray]] = []
    monkeypatch.setattr(winograd, "_aligned_array", lambda shape: noted(np.zeros(shape, np.float32), made))
    closing = Closing()
    with pytest.raises(RuntimeError, match="cannot schedule"):
        convolution(
            noted(random_maps(1, 80, 80, 16), made),
            noted(random_maps(1, 80, 80, 32), made),
            threads=3,
            executor=closing,
        )
    gc.collect()
    assert len(made) == 3
    assert all(array() is not None for array in made)
    (late,) = closing.taken
    late()
    results = made[-1]()
    assert results is not None
    assert results.any()


def noted(array: np.ndarray, made: list[weakref.ref[np.ndarray]]) -> np.ndarray:
    """Return the array, which `made` tracks without keeping it alive."""
    made.append(weakref.ref(array))
    return array


def test_an_image_is_what_it_is_alone(code: CompiledKernels, kind: tuple[int, int, int]) -> None:
    """An image's result is equal to the bit: the rest of the batch leaves no trace."""
    convolution = winograd.CompiledConvolution(random_layer(kind, 32, 64), code)
    maps = random_maps(7, 11, 14, 32)
    assert np.array_equal(convolution(maps), np.concatenate([convolution(one[None]) for one in maps]))


def test_pieces_of_arrays_will_do(code: CompiledKernels, kind: tuple[int, int, int]) -> None:
    """Maps and residuals with gaps, reversed, transposed or unaligned give what their copies give."""
    convolution = winograd.CompiledConvolution(random_layer(kind, 16, 32), code)
    whole = random_maps(2, 40, 40, 32)
    flat = np.zeros(2 * 20 * 20 * 16 + 1, np.float32)
    flat[1:] = whole[:, ::2, ::2, :16].ravel()
    shifted = flat[1:].reshape(2, 20, 20, 16)
    for maps in (whole[:, ::2, 1::2, :16], whole[::-1, 5:25, 19::-1, 16:], shifted):
        shape = convolution.shape(maps.shape)
        others = random_maps(shape[0], shape[2], shape[1], shape[3]).swapaxes(1, 2)
        maps.setflags(write=False)
        found = convolution(maps, others, relu=True)
        assert np.array_equal(found, convolution(maps.copy(), others.copy(), relu=True))


def test_wrong_arrays_are_refused() -> None:
    """The compiled code trusts its caller, so shapes and types are checked first."""
    convolution = winograd.CompiledConvolution(random_layer(KINDS["3x3"], 16, 32), widest())
    good, residuals = random_maps(1, 8, 8, 16), random_maps(1, 8, 8, 32)
    convolution(good, residuals)
    wrong: list[Any] = [
        good[..., :15],
        random_maps(1, 8, 8, 32),
        good[0],
        good[None],
        good[0, 0],
        good.astype(np.float64),
        good.astype(np.int32),
        good.astype(">f4"),
    ]
    for maps in wrong:
        with pytest.raises(ValueError, match="must be"):
            convolution(maps)
    for others in (residuals[..., :16], residuals[:, :7], residuals[0], residuals.astype(np.float64)):
        with pytest.raises(ValueError, match=r"residuals must be \(1, 8, 8, 32\) of float32, got"):
            convolution(good, others)


def test_maps_without_a_result(code: CompiledKernels, kind: tuple[int, int, int]) -> None:
    """No images, or a map smaller than the window: an empty result of the right shape."""
    convolution = winograd.CompiledConvolution(random_layer(kind, 16, 48), code)
    assert convolution(random_maps(0, 9, 9, 16)).shape == convolution.shape((0, 9, 9, 16))
    tiny = random_maps(2, 2, 9, 16)
    found = convolution(tiny, threads=2, executor=ThreadPoolExecutor(1))
    assert found.shape == convolution.shape(tiny.shape)
    assert bool(found.size) is (kind[1] == 1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_a_wrong_pixel_stays_where_it_is_seen(
    code: CompiledKernels, kind: tuple[int, int, int], value: float
) -> None:
    """NaN spoils only the tiles whose windows contain it; all others are equal to the bit."""
    convolution = winograd.CompiledConvolution(random_layer(kind, 16, 48), code)
    maps = random_maps(3, 37, 33, 16)
    clean = convolution(maps)
    for at in ((1, 0, 0), (1, 17, 18), (2, 36, 32), (0, 3, 4)):
        spoilt = maps.copy()
        spoilt[(*at, 5)] = value
        found = convolution(spoilt)
        seen = tiles_that_see(convolution, maps, kind, at)
        assert np.array_equal(found[~seen], clean[~seen])
        assert 0 < seen.mean() < 0.2 or at == (2, 36, 32)
        if not np.isfinite(value):
            assert at == (2, 36, 32) or not np.isfinite(found[seen]).all()


def test_a_wrong_residual_stays_where_it_is(code: CompiledKernels, kind: tuple[int, int, int]) -> None:
    """A NaN residual stays in its channel of its pixel."""
    convolution = winograd.CompiledConvolution(random_layer(kind, 16, 48), code)
    maps = random_maps(1, 21, 21, 16)
    residuals = np.zeros(convolution.shape(maps.shape), np.float32)
    residuals[0, 6, 5, 40] = np.nan
    found = convolution(maps, residuals)
    assert np.isnan(found[0, 6, 5, 40])
    assert np.isnan(found).sum() == 1
    found[0, 6, 5, 40] = convolution(maps)[0, 6, 5, 40]
    assert np.array_equal(found, convolution(maps))


def fenced(shape: tuple[int, ...], value: float, fences: list[np.ndarray]) -> Float32Array:
    """Return an array of `value` between 4 kB of NaN on each side; `fences` gets them."""
    size, fence = int(np.prod(shape)), 1024
    room = np.full(size + 2 * fence + 16, np.nan, np.float32)
    start = fence + -(room.ctypes.data // 4) % 16
    fences += [room[:start], room[start + size :]]
    room[start : start + size] = value
    return room[start : start + size].reshape(shape)


def test_nothing_is_read_or_written_beside_the_arrays(
    code: CompiledKernels, kind: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """NaN around maps, residuals, results, scratch memory and filters stays there and gets into no result;
    nor does what was in results and scratch memory before."""
    fences: list[np.ndarray] = []
    monkeypatch.setattr(winograd, "_aligned_array", lambda shape: fenced(shape, np.nan, fences))
    layer = random_layer(kind, 16, 96)
    convolution = winograd.CompiledConvolution(layer, code)
    for images, rows, columns in ((1, 1, 1), (1, 5, 5), (3, 6, 7), (2, 13, 9), (1, 23, 22), (30, 7, 7)):
        maps = fenced((images, rows, columns, 16), 0, fences)
        maps[:] = random_maps(images, rows, columns, 16)
        others = fenced(convolution.shape(maps.shape), 0.5, fences)
        wanted = expected(layer, maps) + 0.5
        with ThreadPoolExecutor(2) as pool:
            found = convolution(maps, others, threads=3, executor=pool)
        np.testing.assert_allclose(found, wanted, atol=EXACT)
        assert all(np.isnan(fence).all() for fence in fences)


class Wrong:
    """The kernels, except that one result of a call is off by a hundredth."""

    def __init__(self, code: CompiledKernels, every: int) -> None:
        self._code, self._every, self._calls = code, every, 0

    def face_det_convolve(
        self, lanes: int, layer: Any, maps: int, residuals: Any, results: int, *rest: Any
    ) -> int:
        self._code.library.face_det_convolve(lanes, layer, maps, residuals, results, *rest)
        self._calls += 1
        if self._calls % self._every == 0:
            last = layer.out_rows * layer.out_columns * layer.outputs - 1
            numbers = (ctypes.c_float * (last + 1)).from_address(results)
            numbers[last] += 0.01
        return 0


def test_both_halves_agree(repository: Path) -> None:
    """The version and the layer's fields with their types, in order: Python and C are changed together."""
    source = (repository / "face_det/nets/winograd/winograd.c").read_text("utf-8")
    (version,) = re.findall(r"^#define FACE_DET_VERSION (\d+)$", source, re.M)
    assert int(version) == kernels.ABI_VERSION
    (tiles,) = re.findall(r"^#define TILES (\d+)$", source, re.M)
    assert all(int(tiles) % rows == 0 for rows in (4, 6, 8, 12))
    (fields,) = re.findall(r"^struct convolution \{\n(.*?)^\};", source, re.M | re.S)
    fields = re.sub(r"/\*.*?\*/", "", fields, flags=re.S)
    declared = []
    for kind, names in re.findall(r"(int|const float) ([^;]+);", fields):
        declared += [(name.strip(" *"), kind == "int") for name in names.split(",")]
    assert declared == [(name, kind is ctypes.c_int) for name, kind in kernels.ConvolutionStruct._fields_]


def test_right_code_is_right(code: CompiledKernels) -> None:
    """The kernels are verified for each width of vectors."""
    assert winograd.verify_kernels(code)


@pytest.mark.parametrize("every", [1, 2, 3, 4])
def test_one_wrong_number_is_noticed(code: CompiledKernels, every: int) -> None:
    """A wrong number in any of the layers that are tried is noticed."""
    assert not winograd.verify_kernels(code._replace(library=Wrong(code, every)))  # type: ignore[arg-type]


def test_code_that_does_nothing_is_noticed() -> None:
    """Kernels that write nothing are noticed, whatever is in the memory of the results."""
    idle = SimpleNamespace(face_det_convolve=lambda *_: -1)
    assert not winograd.verify_kernels(CompiledKernels(idle, 8, 24))  # type: ignore[arg-type]


@pytest.fixture
def forgetful() -> Iterator[None]:
    """Cached knowledge of this machine's kernels is cleared before and after."""
    winograd.load_checked_kernels.cache_clear()
    kernels.load_kernels.cache_clear()
    yield
    winograd.load_checked_kernels.cache_clear()
    kernels.load_kernels.cache_clear()


@pytest.mark.usefixtures("forgetful")
def test_a_file_that_is_no_library_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file that was built for another machine, truncated, or is something else counts as not built."""
    monkeypatch.setattr(kernels, "__file__", str(tmp_path / "kernels.py"))
    for suffix in kernels.EXTENSION_SUFFIXES:
        (tmp_path / f"_winograd{suffix}").write_bytes(b"\x7fELF and no more")
    assert kernels.load_kernels() == kernels.KernelStatus(
        None, "they were not built, which takes a C compiler (gcc) when face_det is installed"
    )
