"""dlib's networks in three parts, the middle one on our own kernels, give what the whole models give."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from face_det.nets import model_cache
from face_det.nets.compute import Compute
from face_det.nets.dlib.layers import HALVING_POOL
from face_det.nets.network import AddPrev, Conv, Float32Array, Layer, Relu, Skip, Tag
from face_det.nets.sessions import native_session
from face_det.nets.sessions.native_session import NativeSession, NetworkBody
from face_det.nets.sessions.onnx_session import OnnxSession
from face_det.nets.winograd import convolution
from face_det.nets.winograd.kernels import CompiledKernels

MEANS = (122.782, 117.001, 104.298)
"""The mean of the detector's pixels."""

VIEWS = [("t1", 401, 273), ("obama", 97, 141), ("nobody", 160, 120), ("biden", 300, 40)]


@pytest.fixture(scope="module")
def code() -> CompiledKernels:
    """This machine's kernels."""
    found = convolution.load_checked_kernels()
    if found.kernels is None:
        pytest.skip(f"no kernels: {found.reason}")
    return found.kernels


@pytest.fixture(scope="module", params=[1, 2], ids=["one thread", "two threads"])
def compute(request: pytest.FixtureRequest) -> Compute:
    return Compute("native", threads=request.param)


@pytest.fixture(scope="module")
def detector(code: CompiledKernels, compute: Compute) -> NativeSession:
    return NativeSession("mmod", compute, code)


@pytest.fixture(scope="module")
def embedder(code: CompiledKernels, compute: Compute) -> NativeSession:
    return NativeSession("resnet", compute, code)


@pytest.fixture(scope="module")
def whole() -> dict[str, OnnxSession]:
    """Both networks in ONNX Runtime alone."""
    return {
        name: OnnxSession(model_cache.load_onnx_model(name), Compute("onnxruntime"))
        for name in ("mmod", "resnet")
    }


def pixels(path: Path, width: int, height: int) -> np.ndarray:
    return np.array(PIL.Image.open(path).convert("RGB").resize((width, height)))


def tile(rgb: np.ndarray) -> Float32Array:
    return np.ascontiguousarray((rgb - np.array(MEANS)).transpose(2, 0, 1)[None], np.float32)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("name", ["mmod", "resnet"])
def test_says_what_it_is(code: CompiledKernels, name: str) -> None:
    """The session has the name that a status shows."""
    assert NativeSession(name, Compute(), code).name == "onnxruntime+native"


@pytest.mark.parametrize(("name", "width", "height"), VIEWS)
def test_scores_of_photos(
    detector: NativeSession,
    whole: dict[str, OnnxSession],
    photos: Mapping[str, Path],
    name: str,
    width: int,
    height: int,
) -> None:
    """The detector's scores agree within 1e-4; seen: 1e-5."""
    feeds = {"tile": tile(pixels(photos[name], width, height))}
    (expected,), (found,) = whole["mmod"].run(feeds), detector.run(feeds)
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 1e-4
    assert np.ptp(expected) > 0.1


@pytest.mark.parametrize("sides", [(29, 29), (30, 44), (61, 29), (101, 133), (29, 260), (206, 199)])
def test_scores_of_noise(
    detector: NativeSession, whole: dict[str, OnnxSession], sides: tuple[int, int]
) -> None:
    """Sizes from the smallest image with a score on, with any remainder of a tile."""
    feeds = {"tile": tile(noise(*sides, 3))}
    (expected,), (found,) = whole["mmod"].run(feeds), detector.run(feeds)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-4


@pytest.mark.parametrize("count", [0, 1, 3, 8])
def test_encodings(
    embedder: NativeSession, whole: dict[str, OnnxSession], photos: Mapping[str, Path], count: int
) -> None:
    """Encodings of photos and of noise agree within an L2 distance of 5e-6; seen: 1.5e-6."""
    for chips in (
        np.stack([pixels(photos[name], 150, 150) for name in list(photos)[:8]])[:count],
        noise(8, 150, 150, 3)[:count],
    ):
        (expected,), (found,) = whole["resnet"].run({"chips": chips}), embedder.run({"chips": chips})
        assert found.shape == expected.shape == (count, 128)
        assert found.dtype == np.float32
        assert np.linalg.norm(found - expected, axis=1).max(initial=0) < 5e-6


def test_shorter_vectors_give_the_same(code: CompiledKernels, whole: dict[str, OnnxSession]) -> None:
    """This is what a processor without AVX-512 runs."""
    avx2 = code._replace(lanes=8)
    feeds = {"tile": tile(noise(101, 133, 3))}
    (expected,), (found,) = whole["mmod"].run(feeds), NativeSession("mmod", Compute(), avx2).run(feeds)
    assert np.abs(found - expected).max() < 1e-4
    chips = {"chips": noise(2, 150, 150, 3)}
    (expected,), (found,) = whole["resnet"].run(chips), NativeSession("resnet", Compute(), avx2).run(chips)
    assert np.linalg.norm(found - expected, axis=1).max() < 5e-6


def test_callers_share_a_session(detector: NativeSession, embedder: NativeSession) -> None:
    """Callers at the same time, each on several threads, get and keep their own answers."""
    tiles = [{"tile": tile(noise(60 + 8 * number, 150, 3))} for number in range(4)]
    chips = [{"chips": noise(number + 1, 150, 150, 3)} for number in range(3)]
    work = [(detector, feeds) for feeds in tiles] + [(embedder, feeds) for feeds in chips]
    alone = [session.run(feeds)[0] for session, feeds in work]
    with ThreadPoolExecutor(4) as pool:
        together = [*pool.map(lambda one: one[0].run(one[1])[0], work * 3)]
    for found, expected in zip(together, alone * 3, strict=True):
        assert np.array_equal(found, expected)


def conv(inputs: int, outputs: int, stride: int, seed: int) -> Conv:
    random = np.random.default_rng(seed)
    filters = random.uniform(-0.1, 0.1, (outputs, inputs, 3, 3)).astype(np.float32)
    bias = random.uniform(-1, 1, outputs).astype(np.float32)
    return Conv(filters, bias, (stride,) * 2, (stride % 2,) * 2)


def plain(layers: list[Layer], maps: Float32Array) -> np.ndarray:
    """Compute the layers one by one, by their definitions."""
    x: np.ndarray = maps.astype(np.float64)
    tags = {}
    for layer in layers:
        match layer:
            case Conv():
                x = convolution.convolve_directly(layer, x)  # type: ignore[arg-type]
            case Relu():
                x = np.maximum(x, 0)
            case Tag(number):
                tags[number] = x
            case Skip(number):
                x = tags[number]
            case AddPrev(number):
                largest = np.maximum(x.shape, tags[number].shape)
                x, other = (
                    np.pad(one, [(0, more) for more in largest - one.shape]) for one in (x, tags[number])
                )
                x = x + other
            case _:
                n, rows, columns, channels = x.shape
                x = x[:, : rows // 2 * 2, : columns // 2 * 2]
                x = x.reshape(n, rows // 2, 2, columns // 2, 2, channels).mean((2, 4))
    return x


BODIES: dict[str, list[Layer]] = {
    "a block": [Tag(1), conv(32, 32, 1, 1), Relu(), conv(32, 32, 1, 2), AddPrev(1), Relu()],
    "a sum without ReLU": [Tag(1), conv(32, 32, 1, 1), AddPrev(1), conv(32, 32, 1, 2)],
    "a block that halves": [
        *(Tag(1), conv(32, 64, 2, 1), Relu(), conv(64, 64, 1, 2), Tag(2)),
        *(Skip(1), HALVING_POOL, AddPrev(2), Relu()),
    ],
    "a sum of unequal maps": [Tag(1), conv(32, 64, 2, 1), AddPrev(1), Relu()],
    "a sum of unequal maps without ReLU": [Tag(1), conv(32, 64, 2, 1), AddPrev(1)],
    "a tag for two": [Tag(1), conv(32, 32, 1, 1), AddPrev(1), conv(32, 32, 1, 2), AddPrev(1), Relu()],
    "two tags": [Tag(1), conv(32, 32, 1, 1), Tag(2), conv(32, 32, 1, 2), AddPrev(1), AddPrev(2)],
    "a ReLU before the tag": [conv(32, 32, 1, 1), Relu(), Relu(), Tag(1), conv(32, 32, 1, 2), AddPrev(1)],
    "nothing": [],
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("sides", [(12, 12), (11, 13), (12, 9), (3, 4)])
def test_bodies(code: CompiledKernels, name: str, sides: tuple[int, int]) -> None:
    """Sums, skips and halves of odd and even sides, one by one or fused with convolutions; the input is not
    changed."""
    maps = np.random.default_rng(5).uniform(-1, 1, (2, *sides, 32)).astype(np.float32)
    before = maps.copy()
    found = NetworkBody(BODIES[name], code)(maps)
    np.testing.assert_allclose(found, plain(BODIES[name], maps), atol=5e-5)
    assert np.array_equal(maps, before)


def test_what_follows_a_convolution_is_done_with_it(code: CompiledKernels) -> None:
    """A sum and a ReLU take no pass through memory of their own."""
    steps = native_session._fuse_steps(BODIES["a block"], code)
    assert [type(step).__name__ for step in steps] == ["Tag", "_ConvolutionStep", "_ConvolutionStep"]
