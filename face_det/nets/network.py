"""A neural network as plain data: its layers and their weights, innermost first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]
Pair = tuple[int, int]
"""Vertical, horizontal."""


@dataclass(frozen=True, eq=False, slots=True)
class Conv:
    """A convolution with filters (out, in, height, width) and bias (out,)."""

    filters: Float32Array
    bias: Float32Array
    stride: Pair
    padding: Pair


@dataclass(frozen=True, eq=False, slots=True)
class Affine:
    """y = gamma * x + beta, channel by channel."""

    gamma: Float32Array
    beta: Float32Array


@dataclass(frozen=True, slots=True)
class Relu:
    """y = max(x, 0)."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The maximum ("max") or average ("avg") of a window. The window (0, 0) is the whole map."""

    kind: str
    window: Pair
    stride: Pair
    padding: Pair


@dataclass(frozen=True, eq=False, slots=True)
class Dense:
    """A matrix product with weights (in, out)."""

    weights: Float32Array


@dataclass(frozen=True, slots=True)
class Tag:
    """Stores the current map under a number."""

    number: int


@dataclass(frozen=True, slots=True)
class Skip:
    """Continues with the map that tag `number` stored."""

    number: int


@dataclass(frozen=True, slots=True)
class AddPrev:
    """Adds the map that tag `number` stored; the smaller of the two is padded with zeros."""

    number: int


Layer = Conv | Affine | Relu | Pool | Dense | Tag | Skip | AddPrev


@dataclass(frozen=True, slots=True)
class MmodOptions:
    """What dlib's detector was trained for: the window (height, width) in pixels, and the overlap, or covered
    share, from which two boxes count as one."""

    window: Pair
    overlap: float
    covered: float


@dataclass(frozen=True, eq=False, slots=True)
class Network:
    """Layers, innermost first.

    The input is (RGB - means) / 256. `side` is its (rows, columns), or None for any size; `mmod` is None for
    a network without boxes; `place` tells where it was read from.
    """

    layers: tuple[Layer, ...]
    means: tuple[float, float, float]
    side: Pair | None
    mmod: MmodOptions | None
    place: str
