"""Prepares the layers of dlib's networks: the same sums in fewer steps, and in up to three parts."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from face_det.errors import WeightsError
from face_det.nets.network import AddPrev, Affine, Conv, Layer, Network, Pool, Relu, Skip, Tag

VECTOR_LANES = 16
"""float32 numbers in an AVX-512 vector: 45 channels take as long as 48."""


class LayerParts(NamedTuple):
    """The layers before, within and after the part that another library computes faster. Each may be
    empty."""

    stem: list[Layer]
    body: list[Layer]
    head: list[Layer]


def fold_layers(network: Network) -> list[Layer]:
    """Return the layers without normalisations.

    Those of the CNN detector expect pixels minus their means; those of the embedder expect pixels of 0..255.
    Raises WeightsError if the layers do not fit together.
    """
    if network.mmod is not None:
        return _fold_scale(_fold_affine(network), network)
    return list(_fold_normalisation(_fold_affine(network), network))


def split_layers(layers: list[Layer], fits: Callable[[Conv], bool]) -> LayerParts:
    """Split the layers where no tagged map is needed later.

    The body gets as many as possible of the convolutions that `fits` accepts, and no others.
    """
    # The start always counts, even where a tag is missing: building the parts reports that.
    cuts = [0, *(at for at in range(1, len(layers) + 1) if _is_self_contained(layers, at))]
    units = [layers[start:end] for start, end in itertools.pairwise(cuts)]
    start, best, most = 0, slice(0, 0), 0
    for at, within in enumerate([*(_fits_body(unit, fits) for unit in units), False]):
        if not within:
            convolutions = sum(isinstance(layer, Conv) for unit in units[start:at] for layer in unit)
            if convolutions > most:
                best, most = slice(start, at), convolutions
            start = at + 1
    stem, body, head = units[: best.start], units[best], units[best.stop :]
    # A ReLU belongs to the convolution before it.
    while body and all(isinstance(layer, Relu) for layer in body[0]):
        stem.append(body.pop(0))
    return LayerParts(*([layer for unit in part for layer in unit] for part in (stem, body, head)))


def _is_self_contained(layers: list[Layer], at: int) -> bool:
    """Tell whether no layer from index `at` on uses a map that was tagged before."""
    tagged: set[int] = set()
    for layer in layers[at:]:
        match layer:
            case Tag(number):
                tagged.add(number)
            case Skip(number) | AddPrev(number):
                if number not in tagged:
                    return False
    return True


def _fits_body(unit: list[Layer], fits: Callable[[Conv], bool]) -> bool:
    for layer in unit:
        match layer:
            case Conv():
                if not fits(layer):
                    return False
            case Pool():
                if layer != HALVING_POOL:
                    return False
            case Relu() | Tag() | Skip() | AddPrev():
                pass
            case _:
                return False
    return True


HALVING_POOL = Pool("avg", (2, 2), (2, 2), (0, 0))
"""The only pool that a body may contain: the mean of 2 x 2 pixels."""


def _fold_affine(network: Network) -> list[Layer]:
    """Fold each normalisation into the convolution before it: g * (Wx + b) + h = (gW)x + (gb + h)."""
    layers: list[Layer] = []
    for layer in network.layers:
        if not isinstance(layer, Affine):
            layers.append(layer)
            continue
        before = layers[-1] if layers else None
        if not isinstance(before, Conv) or before.bias.shape != layer.gamma.shape:
            raise WeightsError(
                f"{network.place}: must have a convolution before each normalisation of its size"
            )
        gamma = layer.gamma.astype(np.float64)
        both = _conv(before.filters * gamma[:, None, None, None], before.bias * gamma + layer.beta, before)
        if not (np.isfinite(both.filters).all() and np.isfinite(both.bias).all()):
            raise WeightsError(f"{network.place}: must have weights within float32, got infinity")
        layers[-1] = both
    return layers


def _conv(filters: npt.NDArray[np.float64], bias: npt.NDArray[np.float64], like: Conv) -> Conv:
    with np.errstate(over="ignore"):
        return Conv(filters.astype(np.float32), bias.astype(np.float32), like.stride, like.padding)


def _fold_scale(layers: list[Layer], network: Network) -> list[Layer]:
    """Adapt the layers to pixels not divided by 256. That is exact, because 256 is a power of two."""
    first, *others = layers
    if not isinstance(first, Conv):
        raise WeightsError(f"{network.place}: must begin with a convolution")
    return [_conv(first.filters.astype(np.float64) / 256, first.bias.astype(np.float64), first), *others]


def _fold_normalisation(layers: list[Layer], network: Network) -> Iterator[Layer]:
    """Adapt the layers to pixels of 0..255: the first convolution also computes (x - mean) / 256.

    This works only without padding, which would have to be the mean instead of zero.
    """
    first = layers[0]
    if not isinstance(first, Conv) or first.filters.shape[1] != 3 or first.padding != (0, 0):
        raise WeightsError(f"{network.place}: must begin with a convolution of 3 channels without padding")
    filters = first.filters.astype(np.float64) / 256
    # Summed exactly, so that every machine builds the same model.
    shifts = [math.fsum(each.ravel()) for each in filters * np.array(network.means)[:, None, None]]
    yield _conv(filters, first.bias - np.array(shifts), first)
    yield from layers[1:]


def pad_layer_channels(layers: Iterable[Layer], extra: int = 0) -> Iterator[Layer]:
    """Pad channels to whole vectors, with filters and inputs of zeros.

    A convolution to a single channel, which would waste the vector, becomes two: one filter for each column
    of its window (outputs = columns), then a sum that moves the columns into place. `extra` channels of zeros
    are already in the input.
    """
    for layer in layers:
        if not isinstance(layer, Conv):
            yield layer
            continue
        outputs = len(layer.bias)
        filters = np.pad(layer.filters, ((0, 0), (0, extra), (0, 0), (0, 0)))
        if outputs == 1 and layer.stride == (1, 1):
            columns = filters.shape[3]
            yield Conv(
                filters.transpose(3, 1, 2, 0), np.zeros(columns, np.float32), (1, 1), (layer.padding[0], 0)
            )
            moves = np.eye(columns, dtype=np.float32).reshape(1, columns, 1, columns)
            yield Conv(moves, layer.bias, (1, 1), (0, layer.padding[1]))
            extra = 0
            continue
        extra = -outputs % VECTOR_LANES
        filters = np.pad(filters, ((0, extra), (0, 0), (0, 0), (0, 0)))
        yield Conv(filters, np.pad(layer.bias, (0, extra)), layer.stride, layer.padding)
