"""Runs one of dlib's networks: most convolutions on our own kernels, the rest in ONNX Runtime."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from face_det.nets import model_cache
from face_det.nets.compute import Compute
from face_det.nets.dlib import layers as dlib_layers
from face_det.nets.dlib import weights as dlib_weights
from face_det.nets.network import AddPrev, Conv, Float32Array, Layer, Relu, Skip, Tag
from face_det.nets.sessions.backend import Feeds
from face_det.nets.sessions.onnx_session import OnnxSession
from face_det.nets.winograd import convolution as winograd
from face_det.nets.winograd.kernels import CompiledKernels

NATIVE_NAME = "onnxruntime+native"


class NativeSession:
    """A Backend for one of dlib's networks, `mmod` or `resnet`."""

    name = NATIVE_NAME

    def __init__(self, name: str, compute: Compute, code: CompiledKernels) -> None:
        weights, stem, head = model_cache.load_stem_and_head(name)
        network = dlib_weights.read_network(weights)
        self._body = NetworkBody(
            dlib_layers.split_layers(dlib_layers.fold_layers(network), winograd.suits_winograd).body, code
        )
        self._stem = OnnxSession(stem, compute)
        self._head = OnnxSession(head, compute)
        self._threads = compute.threads
        self._executor = ThreadPoolExecutor(compute.threads - 1, "convolve") if compute.threads > 1 else None

    def run(self, feeds: Feeds) -> list[npt.NDArray[np.float32]]:
        """Compute all outputs; see Backend."""
        (maps,) = self._stem.run(feeds)
        return self._head.run({"maps": self._through(maps)})

    def _through(self, maps: Float32Array) -> Float32Array:
        """Run the body. Threads share out several images, or the tiles of a single one."""
        if self._executor is None:
            return self._body(maps)
        if len(maps) <= 1:
            return self._body(maps, self._threads, self._executor)
        mine, *others = np.array_split(maps, min(self._threads, len(maps)))
        waiting = [self._executor.submit(self._body, some) for some in others]
        return np.concatenate([self._body(mine), *(one.result() for one in waiting)])


class _ConvolutionStep(NamedTuple):
    """A convolution and what follows it: the sum with a tagged map, if the sizes are equal, and the ReLU."""

    convolution: winograd.CompiledConvolution
    added: int | None
    relu: bool


class NetworkBody:
    """The layers that `split_layers` calls the body, for maps of shape (n, rows, columns, channels)."""

    def __init__(self, layers: list[Layer], code: CompiledKernels) -> None:
        self._steps = _fuse_steps(layers, code)

    def __call__(
        self, maps: Float32Array, threads: int = 1, executor: ThreadPoolExecutor | None = None
    ) -> Float32Array:
        """Compute the last layer's output for the given maps."""
        remembered: dict[int, Float32Array] = {}
        for step in self._steps:
            match step:
                case _ConvolutionStep(convolution, added, relu):
                    other = None if added is None else remembered[added]
                    if other is None or other.shape == convolution.shape(maps.shape):
                        maps = convolution(maps, other, relu=relu, threads=threads, executor=executor)
                    else:
                        maps = _add_padded(convolution(maps, threads=threads, executor=executor), other, relu)
                case Tag(number):
                    remembered[number] = maps
                case Skip(number):
                    maps = remembered[number]
                case AddPrev(number):
                    maps = _add_padded(maps, remembered[number], relu=False)
                case Relu():
                    maps = np.maximum(maps, 0)
                case _:
                    maps = _average_2x2(maps)
        return maps


def _fuse_steps(layers: list[Layer], code: CompiledKernels) -> list[_ConvolutionStep | Layer]:
    """Prepare the convolutions, each fused with the sum and the ReLU that follow it."""
    rest = list(layers)
    steps: list[_ConvolutionStep | Layer] = []

    def taken(kind: type[Layer]) -> Layer | None:
        return rest.pop(0) if rest and isinstance(rest[0], kind) else None

    while rest:
        layer = rest.pop(0)
        if isinstance(layer, Conv):
            added = taken(AddPrev)
            number = added.number if isinstance(added, AddPrev) else None
            steps.append(
                _ConvolutionStep(winograd.CompiledConvolution(layer, code), number, taken(Relu) is not None)
            )
        else:
            steps.append(layer)
    return steps


def _add_padded(one: Float32Array, other: Float32Array, relu: bool) -> Float32Array:
    """Add two maps, each padded with zeros at the end of every axis to the larger size of both."""
    largest = np.maximum(one.shape, other.shape)
    total = np.zeros(largest, np.float32)
    for each in (one, other):
        total[tuple(slice(side) for side in each.shape)] += each
    return np.maximum(total, 0, out=total) if relu else total


def _average_2x2(maps: Float32Array) -> Float32Array:
    """Average each square of 2 x 2 pixels."""
    rows, columns = maps.shape[1] // 2 * 2, maps.shape[2] // 2 * 2
    whole = maps[:, :rows, :columns]
    total = whole[:, ::2, ::2] + whole[:, ::2, 1::2] + whole[:, 1::2, ::2] + whole[:, 1::2, 1::2]
    return np.asarray(total * np.float32(0.25))
