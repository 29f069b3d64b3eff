"""One of dlib's networks, most of its convolutions by kernels of our own, the rest by ONNX Runtime."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from face_det.compute import Compute
from face_det.nets import dlib_layers, dlib_weights, graph_cache, winograd
from face_det.nets.kernels import Kernels
from face_det.nets.network import AddPrev, Conv, Floats, Layer, Relu, Skip, Tag
from face_det.nets.onnx_session import OnnxSession
from face_det.nets.runtime import Feeds

NAME = "onnxruntime+native"


class NativeSession:
    """See runtime.Library. `name` is one of dlib's networks."""

    name = NAME

    def __init__(self, name: str, compute: Compute, code: Kernels) -> None:
        weights, stem, head = graph_cache.parts(name)
        network = dlib_weights.read(weights)
        self._body = Body(dlib_layers.split(dlib_layers.layers(network), winograd.fits).body, code)
        self._stem = OnnxSession(stem, compute)
        self._head = OnnxSession(head, compute)
        self._threads = compute.threads
        self._executor = ThreadPoolExecutor(compute.threads - 1, "convolve") if compute.threads > 1 else None

    def run(self, feeds: Feeds) -> list[npt.NDArray[np.float32]]:
        """See runtime.Library."""
        (maps,) = self._stem.run(feeds)
        return self._head.run({"maps": self._through(maps)})

    def _through(self, maps: Floats) -> Floats:
        """The body: several images are shared out among the threads, a single one's tiles are."""
        if self._executor is None:
            return self._body(maps)
        if len(maps) <= 1:
            return self._body(maps, self._threads, self._executor)
        mine, *others = np.array_split(maps, min(self._threads, len(maps)))
        waiting = [self._executor.submit(self._body, some) for some in others]
        return np.concatenate([self._body(mine), *(one.result() for one in waiting)])


class _Step(NamedTuple):
    """A convolution, with what follows it: adding what a tag remembers, if the sizes are equal, and ReLU."""

    convolution: winograd.Convolution
    added: int | None
    relu: bool


class Body:
    """Layers that `dlib_layers.split` calls the body, on maps (n, rows, columns, channels)."""

    def __init__(self, layers: list[Layer], code: Kernels) -> None:
        self._steps = _steps(layers, code)

    def __call__(self, maps: Floats, threads: int = 1, executor: ThreadPoolExecutor | None = None) -> Floats:
        """What the last layer makes of the maps."""
        remembered: dict[int, Floats] = {}
        for step in self._steps:
            match step:
                case _Step(convolution, added, relu):
                    other = None if added is None else remembered[added]
                    if other is None or other.shape == convolution.shape(maps.shape):
                        maps = convolution(maps, other, relu=relu, threads=threads, executor=executor)
                    else:
                        maps = _sum(convolution(maps, threads=threads, executor=executor), other, relu)
                case Tag(number):
                    remembered[number] = maps
                case Skip(number):
                    maps = remembered[number]
                case AddPrev(number):
                    maps = _sum(maps, remembered[number], relu=False)
                case Relu():
                    maps = np.maximum(maps, 0)
                case _:
                    maps = _halved(maps)
        return maps


def _steps(layers: list[Layer], code: Kernels) -> list[_Step | Layer]:
    """The layers with convolutions made ready, and what can be done in the same breath put into them."""
    rest = list(layers)
    steps: list[_Step | Layer] = []

    def taken(kind: type[Layer]) -> Layer | None:
        return rest.pop(0) if rest and isinstance(rest[0], kind) else None

    while rest:
        layer = rest.pop(0)
        if isinstance(layer, Conv):
            added = taken(AddPrev)
            number = added.number if isinstance(added, AddPrev) else None
            steps.append(_Step(winograd.Convolution(layer, code), number, taken(Relu) is not None))
        else:
            steps.append(layer)
    return steps


def _sum(one: Floats, other: Floats, relu: bool) -> Floats:
    """The sum of two maps; each is filled up with zeros to the larger of both, behind and below."""
    largest = np.maximum(one.shape, other.shape)
    total = np.zeros(largest, np.float32)
    for each in (one, other):
        total[tuple(slice(side) for side in each.shape)] += each
    return np.maximum(total, 0, out=total) if relu else total


def _halved(maps: Floats) -> Floats:
    """The means of 2 x 2."""
    rows, columns = maps.shape[1] // 2 * 2, maps.shape[2] // 2 * 2
    whole = maps[:, :rows, :columns]
    total = whole[:, ::2, ::2] + whole[:, ::2, 1::2] + whole[:, 1::2, ::2] + whole[:, 1::2, 1::2]
    return np.asarray(total * np.float32(0.25))
