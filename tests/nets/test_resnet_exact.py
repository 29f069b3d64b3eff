"""The embedder's network gives dlib's own encodings."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import dlib
import numpy as np
import PIL.Image
import pytest
from reference import load_reference

from face_det.errors import ModelError
from face_det.nets.catalogue import weights_path
from face_det.nets.compute import Compute
from face_det.nets.resnet import RESNET_BATCH, Resnet
from face_det.nets.winograd import convolution
from face_det.types import Rgb

fr = load_reference()

PEOPLE = ("obama", "obama2", "obama3", "biden", "astronaut", "grace_hopper", "t1")


@pytest.fixture(scope="module")
def resnet() -> Resnet:
    """The network on one thread."""
    return Resnet()


@pytest.fixture(scope="module")
def landmarks() -> dlib.shape_predictor:
    """The five landmarks that face_recognition uses."""
    return dlib.shape_predictor(str(weights_path("landmarks5")))


@functools.cache
def faces(path: Path, landmarks: dlib.shape_predictor) -> tuple[list[np.ndarray], list[Rgb]]:
    """Return face_recognition's encodings of all faces of an image, and the chips they were made from."""
    picture = PIL.Image.open(path).convert("RGB")
    picture.thumbnail((700, 700))
    rgb = np.array(picture)
    places = fr.face_locations(rgb, 0)
    shapes = [landmarks(rgb, dlib.rectangle(left, top, right, bottom)) for top, right, bottom, left in places]
    return fr.face_encodings(rgb, places), [dlib.get_face_chip(rgb, shape, 150, 0.25) for shape in shapes]


@pytest.mark.parametrize("name", PEOPLE)
def test_encodings_are_those_of_face_recognition(
    resnet: Resnet, landmarks: dlib.shape_predictor, photos: Mapping[str, Path], name: str
) -> None:
    """Encodings agree within an L2 distance of 1e-5; seen: 2e-6. Two photos of a person are 0.3 apart or
    more."""
    expected, chips = faces(photos[name], landmarks)
    assert chips
    found = resnet.encode(chips)
    assert found.shape == (len(chips), 128)
    assert found.dtype == np.float64
    assert np.linalg.norm(found - expected, axis=1).max() < 1e-5


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("runtime", ["native", "onnxruntime"])
def test_with_kernels_and_without(
    landmarks: dlib.shape_predictor, photos: Mapping[str, Path], runtime: str, threads: int
) -> None:
    """Each named runtime gives the same, on several threads and on one."""
    found = convolution.load_checked_kernels()
    if runtime == "native" and found.kernels is None:
        pytest.skip(f"no kernels: {found.reason}")
    resnet = Resnet(Compute(runtime, threads=threads))
    assert resnet.runtime == {"native": "onnxruntime+native"}.get(runtime, runtime)
    for name in ("obama2", "biden", "t1"):
        expected, chips = faces(photos[name], landmarks)
        assert np.linalg.norm(resnet.encode(chips) - expected, axis=1).max() < 1e-5


def test_batches_change_nothing(
    resnet: Resnet, landmarks: dlib.shape_predictor, photos: Mapping[str, Path]
) -> None:
    """More chips than fit a batch come back in order, each as it is alone."""
    _, (first, *_) = faces(photos["obama"], landmarks)
    chips = [np.roll(first, shift, axis=1) for shift in range(RESNET_BATCH + 3)]
    together = resnet.encode(chips)
    alone = np.concatenate([resnet.encode([chip]) for chip in chips])
    assert np.linalg.norm(together - alone, axis=1).max() < 1e-5
    assert np.linalg.norm(together[0] - together[-1]) > 0.1


def test_no_chips_no_encodings(resnet: Resnet) -> None:
    """An empty batch has the right shape."""
    assert resnet.encode([]).shape == (0, 128)


def test_a_chip_of_another_size_is_an_error(resnet: Resnet) -> None:
    """A wrong shape is reported, not computed."""
    with pytest.raises(ModelError, match=r"inputs must fit the model, got chips \(1, 96, 96, 3\)"):
        resnet.encode([np.zeros((96, 96, 3), np.uint8)])
