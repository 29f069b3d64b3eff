"""A network as plain data: its layers with their weights, innermost first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]
Pair = tuple[int, int]
"""(vertical, horizontal)."""


@dataclass(frozen=True, eq=False, slots=True)
class Conv:
    """A convolution: filters [out, in, height, width] and bias [out]."""

    filters: Float32Array
    bias: Float32Array
    stride: Pair
    padding: Pair


@dataclass(frozen=True, eq=False, slots=True)
class Affine:
    """y = gamma * x + beta, for each channel."""

    gamma: Float32Array
    beta: Float32Array


@dataclass(frozen=True, slots=True)
class Relu:
    """y = max(x, 0)."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The maximum ("max") or average ("avg") of a window; window (0, 0) is the whole map."""

    kind: str
    window: Pair
    stride: Pair
    padding: Pair


@dataclass(frozen=True, eq=False, slots=True)
class Dense:
    """A matrix product; weights [in, out]."""

    weights: Float32Array


@dataclass(frozen=True, slots=True)
class Tag:
    """Remembers what passes here, under a number."""

    number: int


@dataclass(frozen=True, slots=True)
class Skip:
    """Goes on with what tag `number` remembers."""

    number: int


@dataclass(frozen=True, slots=True)
class AddPrev:
    """Adds what tag `number` remembers; the smaller of the two is filled up with zeros."""

    number: int


Layer = Conv | Affine | Relu | Pool | Dense | Tag | Skip | AddPrev


@dataclass(frozen=True, slots=True)
class MmodOptions:
    """What the detector was trained for: the window (height, width) in pixels, and from which
    overlap, or which part covered, two boxes count as one."""

    window: Pair
    overlap: float
    covered: float


@dataclass(frozen=True, eq=False, slots=True)
class Network:
    """Layers, innermost first. The input is (RGB - means) / 256, `side` its (rows, columns) or None
    for any; `mmod` is None for a network without boxes; `place` is where it was read."""

    layers: tuple[Layer, ...]
    means: tuple[float, float, float]
    side: Pair | None
    mmod: MmodOptions | None
    place: str
