"""dlib's networks are split into a stem, a body that our kernels compute, and a head; nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest

from face_det.nets import catalogue
from face_det.nets.dlib import layers as dlib_layers
from face_det.nets.dlib import weights
from face_det.nets.dlib.layers import HALVING_POOL, LayerParts, split_layers
from face_det.nets.network import AddPrev, Conv, Dense, Layer, Pool, Relu, Skip, Tag
from face_det.nets.winograd import convolution


def conv(outputs: int = 32) -> Conv:
    return Conv(np.zeros((outputs, 32, 3, 3), np.float32), np.zeros(outputs, np.float32), (1, 1), (1, 1))


def small(layer: Conv) -> bool:
    """The kernels of these networks take up to 32 channels."""
    return len(layer.bias) <= 32


def whole(parts: LayerParts) -> list[Layer]:
    return [*parts.stem, *parts.body, *parts.head]


def same(one: list[Layer], other: list[Layer]) -> bool:
    """Whether two lists hold the very same objects, in order."""
    return list(map(id, one)) == list(map(id, other))


def real(name: str) -> tuple[list[Layer], LayerParts]:
    layers = dlib_layers.fold_layers(weights.read_network(catalogue.verify_weights(name)))
    return layers, split_layers(layers, convolution.suits_winograd)


def sizes(layers: list[Layer]) -> list[tuple[int, ...]]:
    """The filters' shapes and strides."""
    return [(*layer.filters.shape, layer.stride[0]) for layer in layers if isinstance(layer, Conv)]


def test_the_detectors_parts() -> None:
    """The body has every 5 x 5 but the first, which sees three channels; the head has the 9 x 9."""
    layers, parts = real("mmod")
    assert same(whole(parts), layers)
    assert sizes(parts.stem) == [(16, 3, 5, 5, 2)]
    assert sizes(parts.body) == [
        (32, 16, 5, 5, 2),
        (32, 32, 5, 5, 2),
        (45, 32, 5, 5, 1),
        (45, 45, 5, 5, 1),
        (45, 45, 5, 5, 1),
    ]
    assert sizes(parts.head) == [(1, 45, 9, 9, 1)]
    assert isinstance(parts.stem[-1], Relu)
    assert isinstance(parts.body[-1], Relu)


def test_the_embedders_parts() -> None:
    """The body has all blocks of 32 and 64 channels; no 7 x 7, no more channels, no matrix."""
    layers, parts = real("resnet")
    assert same(whole(parts), layers)
    assert sizes(parts.stem) == [(32, 3, 7, 7, 2)]
    assert [(size[0], size[-1]) for size in sizes(parts.body)] == [
        *[(32, 1)] * 6,
        *[(64, 2), *[(64, 1)] * 7],
    ]
    assert sizes(parts.head)[0] == (128, 64, 3, 3, 2)
    assert {size[0] for size in sizes(parts.head)} == {128, 256}
    assert isinstance(parts.head[-1], Dense)


@pytest.mark.parametrize("name", ["mmod", "resnet"])
def test_no_part_asks_for_what_another_remembers(name: str) -> None:
    """Each part runs alone: whole blocks, and a body with nothing that the kernels cannot do."""
    _, parts = real(name)
    for part in parts:
        tagged = set()
        for layer in part:
            if isinstance(layer, Tag):
                tagged.add(layer.number)
            elif isinstance(layer, Skip | AddPrev):
                assert layer.number in tagged
    for layer in parts.body:
        assert isinstance(layer, Conv | Relu | Tag | Skip | AddPrev) or layer == HALVING_POOL
        assert not isinstance(layer, Conv) or convolution.suits_winograd(layer)


def test_nothing_fits() -> None:
    """Everything is head: one library computes it, and there is no stem to wait for."""
    layers: list[Layer] = [
        conv(64),
        Relu(),
        Tag(1),
        conv(64),
        AddPrev(1),
        Dense(np.zeros((1, 1), np.float32)),
    ]
    assert same(split_layers(layers, small).head, layers)
    assert split_layers(layers, small)[:2] == ([], [])
    assert split_layers([], small) == ([], [], [])
    assert split_layers([Relu(), HALVING_POOL], small)[1] == []


def test_everything_fits() -> None:
    """Everything is body, except a ReLU before the first convolution."""
    layers: list[Layer] = [conv(), Relu(), Tag(1), conv(), AddPrev(1), Relu(), HALVING_POOL, conv()]
    assert same(split_layers(layers, small).body, layers)
    parts = split_layers([Relu(), *layers], small)
    assert parts.stem == [Relu()]
    assert same(parts.body, layers)
    assert parts.head == []


def test_the_longest_piece_is_the_body() -> None:
    """The body with most convolutions wins, not the one with most layers; the first one in a tie."""
    short: list[Layer] = [conv(), Relu(), Relu(), HALVING_POOL, HALVING_POOL]
    long: list[Layer] = [conv(), conv()]
    parts = split_layers([*short, conv(64), *long, conv(64), conv()], small)
    assert same(parts.body, long)
    assert sizes(parts.stem)[-1][0] == 64
    first, second = [conv(), conv()], [conv(), conv()]
    assert same(split_layers([*first, conv(64), *second], small).body, first)


def test_a_block_is_not_cut() -> None:
    """A single unsuitable layer keeps its whole block out of the body, also where a tag is used twice."""
    block: list[Layer] = [Tag(1), conv(), Relu(), conv(64), AddPrev(1), Relu()]
    twice: list[Layer] = [Tag(1), conv(), AddPrev(1), conv(), conv(64), AddPrev(1)]
    for odd in (block, twice):
        before, behind = [conv(), Relu()], [conv(), Relu(), conv()]
        parts = split_layers([*before, *odd, *behind], small)
        assert same(whole(parts), [*before, *odd, *behind])
        # The ReLU behind a block goes with it.
        assert sizes(parts.body) == sizes(behind)
        assert sizes(parts.stem) == sizes([*before, *odd])
        assert parts.head == []


def test_a_pool_of_another_kind_does_not_fit() -> None:
    """Only the mean of 2 x 2 may be part of a body."""
    for pool in (
        Pool("max", (2, 2), (2, 2), (0, 0)),
        Pool("avg", (0, 0), (1, 1), (0, 0)),
        Pool("avg", (2, 2), (1, 1), (0, 0)),
        Pool("avg", (2, 2), (2, 2), (1, 1)),
        Pool("avg", (3, 3), (2, 2), (0, 0)),
    ):
        layers: list[Layer] = [conv(), conv(), pool, conv()]
        assert split_layers(layers, small) == ([], layers[:2], layers[2:])


@pytest.mark.parametrize("use", [Skip(3), AddPrev(3)])
def test_a_tag_that_is_missing_loses_nothing(use: Layer) -> None:
    """A layer without its tag is kept, so that the builder can reject it; an unused tag does no harm."""
    layers: list[Layer] = [conv(), use, conv(64), Tag(1), conv()]
    assert same(whole(split_layers(layers, small)), layers)
    assert same(whole(split_layers([use], small)), [use])
