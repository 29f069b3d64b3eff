"""The reader of dlib's files, given good files, damaged ones and others."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from face_det.detectors import mmod_boxes, mmod_pyramid
from face_det.errors import WeightsError
from face_det.nets.catalogue import weights_path
from face_det.nets.dlib import onnx_export, weights
from face_det.nets.network import AddPrev, Affine, Conv, Dense, Network, Pool, Skip, Tag

DETECTOR = weights_path("mmod").read_bytes()
CHUNK = 64
"""How many bytes before and after a name are changed."""


def wrong(data: bytes) -> str:
    """The message of the error that `data` must raise."""
    with pytest.raises(WeightsError) as error:
        weights.parse_network(data, "net.dat")
    assert "\n" not in str(error.value)
    return str(error.value)


def test_detector_is_read_to_the_last_byte() -> None:
    """Seven convolutions, their normalisations, and the numbers that the detector's code relies on."""
    network = weights.parse_network(DETECTOR, "net.dat")
    convolutions = [layer.filters.shape for layer in network.layers if isinstance(layer, Conv)]
    assert convolutions[0] == (16, 3, 5, 5)
    assert convolutions[-1] == (1, 45, 9, 9)
    assert len(convolutions) == 7
    assert sum(isinstance(layer, Affine) for layer in network.layers) == 6
    assert network.side is None
    assert network.means == pytest.approx(mmod_pyramid.PIXEL_MEANS.tolist(), abs=0)
    assert network.mmod is not None
    assert network.mmod.window == (mmod_boxes.BOX_SPAN_PX + 1, mmod_boxes.BOX_SPAN_PX + 1)
    assert (network.mmod.overlap, network.mmod.covered) == (mmod_boxes.MAX_OVERLAP, 1)


def test_embedder_is_read_to_the_last_byte() -> None:
    """29 convolutions; residual sums add tag 1, those that halve the size skip over it and add tag 2."""
    network = weights.read_network(weights_path("resnet"))
    kinds = [type(layer) for layer in network.layers]
    assert kinds.count(Conv) == kinds.count(Affine) == 29
    assert [layer.number for layer in network.layers if isinstance(layer, AddPrev)].count(2) == 4
    assert kinds.count(AddPrev) == 14
    assert [layer.number for layer in network.layers if isinstance(layer, Skip)] == [1] * 4
    assert [layer.number for layer in network.layers if isinstance(layer, Tag)].count(1) == 14
    assert sum(isinstance(layer, Pool) for layer in network.layers) == 6
    assert isinstance(network.layers[-1], Dense)
    assert network.layers[-1].weights.shape == (256, 128)
    assert (network.side, network.mmod) == ((150, 150), None)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "net.dat: byte 0: must be the version of the loss layer (1 bytes), got the end of the file"),
        (
            b"\x89PNG\r\n\x1a\n",
            "byte 0: must be the version of the loss layer (a count of bytes, 1 to 8), got 0x89",
        ),
        (
            b"\xff\xd8\xff\xe0",
            "byte 0: must be the version of the loss layer (a count of bytes, 1 to 8), got 0xff",
        ),
        (b"not a network at all", "byte 0: must be the version of the loss layer (a count of bytes, 1 to 8)"),
        (b"\x01\x01\x01\x0bloss_yolo_X", "byte 2: must be loss_metric_2 or loss_mmod_, got 'loss_yolo_X'"),
        (b"\x01\x01\x08" + b"\xff" * 8, "byte 2: must be loss_metric_2 or loss_mmod_, got a name of"),
        (DETECTOR[:1000], "the end of the file after"),
        (DETECTOR + b"\x00", f"byte {len(DETECTOR)}: must be the end of the file, got 1 more bytes"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, message: str) -> None:
    """The message tells the place, the byte, what was expected and what was found."""
    assert message in wrong(data)


def test_other_files_of_the_package_are_refused() -> None:
    """A landmark model is a dlib file too, but not a network."""
    assert "must be" in wrong(weights_path("landmarks5").read_bytes())


def test_a_missing_file_and_a_folder_are_weights_errors(tmp_path: Path) -> None:
    """The message tells the path and what the system reported."""
    for path in (tmp_path / "none.dat", tmp_path):
        with pytest.raises(WeightsError, match=r"must be a readable file, got (No such file|Is a directory)"):
            weights.read_network(path)


def test_a_length_beyond_the_file_takes_no_memory() -> None:
    """A tensor of 10**18 numbers is refused before anything is allocated."""
    at = DETECTOR.index(b"bn_con2") + len("bn_con2")
    shape = b"\x01\x02" + b"\x05\x00\x00\x00\x00\x10" * 4
    assert "got the end of the file" in wrong(DETECTOR[:at] + shape + DETECTOR[at:])


def test_an_empty_tensor_of_huge_sides_is_empty() -> None:
    """Zero times 2**40 numbers are no numbers: the file is as good as before."""
    at = DETECTOR.rindex(b"\x01\x02" + b"\x01\x00" * 4) + 2
    shape = b"\x01\x00" + b"\x06\x00\x00\x00\x00\x00\x01" * 3
    network = weights.parse_network(DETECTOR[:at] + shape + DETECTOR[at + 8 :], "net.dat")
    assert len(network.layers) == 19


def test_layers_without_end_are_refused() -> None:
    """A file that only has versions does not become a list as long as the file."""
    start = DETECTOR.index(b"\x01\x02\x01\x02\x01\x02")
    assert "the end of the layers' versions" in wrong(DETECTOR[:start] + b"\x01\x02" * 1_000_000)


def test_infinity_is_refused() -> None:
    """dlib's own notation for infinity, in place of the loss per false alarm."""
    start = DETECTOR.index(b"\x01\x50\x01\x50") + 4
    assert f"byte {start}: must be loss per false alarm (a finite number)" in wrong(
        DETECTOR[:start] + b"\x01\x00\x02\x00\x7d" + DETECTOR[start + 5 :]
    )


def test_a_weight_that_is_no_number_is_refused() -> None:
    """A NaN among the last weights is reported at its own byte."""
    at = DETECTOR.rindex(b"con_4") + 400
    damaged = DETECTOR[:at] + b"\x00\x00\xc0\x7f" * 4 + DETECTOR[at + 16 :]
    assert "(finite numbers), got nan" in wrong(damaged)


@settings(deadline=None, max_examples=150)
@given(end=st.integers(0, len(DETECTOR) - 1))
@example(end=len(DETECTOR) - 1)
def test_a_shorter_file_is_an_error(end: int) -> None:
    """A truncated file is rejected, wherever it ends."""
    wrong(DETECTOR[:end])


def survive(data: bytes, build: Callable[[Network], bytes] = onnx_export.export_detector) -> None:
    """Any damage leads to WeightsError or to a finished model; a changed weight cannot be detected."""
    with contextlib.suppress(WeightsError):
        build(weights.parse_network(data, "net.dat"))


def structure(data: bytes) -> list[int]:
    """Changes near the names, where all lengths, shapes and versions are."""
    names = re.finditer(
        rb"loss_m|input_rgb|con_4|bn_con2|affine_|relu_|add_prev_|(?:max|avg)_pool|fc_2", data
    )
    near = {at for name in names for at in range(name.start() - CHUNK, name.start() + CHUNK)}
    return sorted(at for at in near if 0 <= at < len(data))


STRUCTURE = structure(DETECTOR)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(STRUCTURE), st.integers(0, 255)), min_size=1, max_size=4))
def test_changed_bytes_raise_nothing_else(changes: list[tuple[int, int]]) -> None:
    """Changes in the structure lead to WeightsError, never to a hang or to exhausted memory."""
    data = bytearray(DETECTOR)
    for at, value in changes:
        data[at] = value
    survive(bytes(data))


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(STRUCTURE), st.binary(max_size=12), st.integers(0, 12))
def test_bytes_put_in_or_left_out_raise_nothing_else(at: int, put: bytes, leave: int) -> None:
    """Everything after a place is shifted."""
    survive(DETECTOR[:at] + put + DETECTOR[at + leave :])


@pytest.mark.slow
def test_changes_of_the_embedder_raise_nothing_else() -> None:
    """The other network has sums, pools and a matrix."""
    whole = weights_path("resnet").read_bytes()
    places = structure(whole)

    @settings(deadline=None, max_examples=40)
    @given(st.sampled_from(places), st.integers(0, 255))
    def change(at: int, value: int) -> None:
        survive(whole[:at] + bytes([value]) + whole[at + 1 :], onnx_export.export_embedder)

    change()


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_raise_nothing_else(data: bytes) -> None:
    """Arbitrary bytes, alone and after a genuine beginning, are rejected."""
    survive(data)
    survive(DETECTOR[:40] + data)


def test_layers_that_do_not_fit_are_refused() -> None:
    """Two networks' layers in a row are rejected: their channels do not match."""
    network = weights.parse_network(DETECTOR, "net.dat")
    twice = Network(network.layers * 2, network.means, None, network.mmod, "net.dat")
    with pytest.raises(WeightsError, match=r"net\.dat: must have .* channels into a convolution"):
        onnx_export.export_detector(twice)
    with pytest.raises(WeightsError, match=r"net\.dat: must be a network for images of one size"):
        onnx_export.export_embedder(network)
