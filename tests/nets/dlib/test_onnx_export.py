"""The ONNX models made from dlib's networks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from face_det.nets import model_cache
from face_det.nets.catalogue import weights_path
from face_det.nets.dlib import onnx_export
from face_det.nets.dlib import weights as dlib_weights
from face_det.nets.network import Affine, Conv, Layer, Network, Relu
from face_det.nets.sessions.session import Session

BUILT = {
    # builder: what it makes of the two networks, and of their parts
    # With 3 the detector divides by 256 itself; 4 differs in SFace alone.
    5: {
        "mmod": "15cdc369b183aa2b",
        "resnet": "b21f37496954046c",
        "mmod stem": "59db540ccd274ee6",
        "mmod head": "a736c59f22fc23de",
        "resnet stem": "07aacecd0ea96685",
        "resnet head": "34f6fad9eccda9bb",
    },
}


def meaning(model: bytes) -> Iterator[bytes]:
    """Return everything in a model that decides what it computes, whatever wrote it."""
    graph = onnx.load_model_from_string(model).graph
    for node in graph.node:
        attributes = sorted(
            (item.name, str(onnx.helper.get_attribute_value(item))) for item in node.attribute
        )
        yield repr((node.op_type, list(node.input), list(node.output), attributes)).encode()
    for weights in graph.initializer:
        yield weights.name.encode() + np.ascontiguousarray(numpy_helper.to_array(weights)).tobytes()


@pytest.mark.parametrize("what", BUILT[model_cache.BUILDER_VERSION])
def test_another_model_needs_another_builder_number(what: str) -> None:
    """The cache identifies models by the builder's version: raise BUILDER_VERSION when what is built changes,
    even if only because networks are split elsewhere."""
    name, _, part = what.partition(" ")
    model = model_cache.build_onnx_model(name, weights_path(name), part)
    digest = hashlib.sha256(b"".join(meaning(model))).hexdigest()
    assert BUILT[model_cache.BUILDER_VERSION][what] == digest[:16]


def test_every_wide_layer_fills_its_vectors() -> None:
    """45 channels became 48, and the head of one channel became convolutions of 9 and 1."""
    graph = onnx.load_model_from_string(model_cache.build_onnx_model("mmod", weights_path("mmod"))).graph
    shapes = {weights.name: tuple(weights.dims) for weights in graph.initializer}
    filters = [shapes[node.input[1]] for node in graph.node if node.op_type == "Conv"]
    assert filters[3:] == [(48, 32, 5, 5), (48, 48, 5, 5), (48, 48, 5, 5), (9, 48, 9, 1), (1, 9, 1, 9)]


def plain(layers: tuple[Layer, ...], tile: np.ndarray) -> np.ndarray:
    """Compute the layers one by one, as they stand in the file, in float64 and without any rewriting."""
    x = tile.astype(np.float64)
    for layer in layers:
        if isinstance(layer, Conv):
            (down, across), (rows, columns) = layer.stride, layer.filters.shape[2:]
            padding = [(0, 0), *((side, side) for side in layer.padding)]
            seen = np.lib.stride_tricks.sliding_window_view(np.pad(x, padding), (rows, columns), axis=(1, 2))
            x = np.einsum("ihwrc,oirc->ohw", seen[:, ::down, ::across], layer.filters, optimize=True)
            x += layer.bias[:, None, None]
        elif isinstance(layer, Affine):
            x = x * layer.gamma[:, None, None] + layer.beta[:, None, None]
        else:
            assert isinstance(layer, Relu)
            x = np.maximum(x, 0)
    return x


def test_rewriting_changes_nothing() -> None:
    """Folded, padded and split, the detector computes what its layers do one by one."""
    network: Network = dlib_weights.read_network(weights_path("mmod"))
    tile = np.random.default_rng(3).uniform(-0.5, 0.5, (3, 101, 133)).astype(np.float32)
    (scores,) = Session(onnx_export.export_detector(network)).run({"tile": tile[None] * 256})
    np.testing.assert_allclose(scores[0], plain(network.layers, tile), atol=1e-5)


@pytest.mark.parametrize("name", ["mmod", "resnet"])
def test_parts_hand_each_other_maps(name: str) -> None:
    """Any number of images, channels last: the stem's last layer gives them, and the head takes them
    padded."""
    network = dlib_weights.read_network(weights_path(name))
    stem = onnx.load_model_from_string(onnx_export.export_stem(network)).graph
    head = onnx.load_model_from_string(onnx_export.export_head(network)).graph
    (given,), (made,), (taken,), (last,) = stem.input, stem.output, head.input, head.output
    whole = onnx.load_model_from_string(model_cache.build_onnx_model(name, weights_path(name))).graph
    assert (given, last.name) == (whole.input[0], whole.output[0].name)
    assert (made.name, taken.name) == ("maps", "maps")
    channels = [[side.dim_value for side in value.type.tensor_type.shape.dim][-1] for value in (made, taken)]
    assert channels == {"mmod": [16, 48], "resnet": [32, 64]}[name]
