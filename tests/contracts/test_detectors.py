"""One suite for every detector on the menu; a new one is tested by being listed."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dlib
import numpy as np
import own_yunet
import PIL.Image
import pytest

from face_det.boxes import intersection_over_union
from face_det.detectors import specs
from face_det.errors import ConfigError
from face_det.nets.compute import Compute
from face_det.types import Box, CoarseDetector, Detection, Detector, Rgb

FACES_FOUND = {"haar": 3, "haar_profile": 4, "lbp": 3}
"""How many of the six faces of the group's photo a detector has to find; five, if it is not listed."""

NO_NETWORKS = ("hog", "haar", "haar_profile", "lbp")

SLOW = ("centerface", "cnn_dlib", "haar_profile", "mtcnn")
"""Each takes ten seconds or more for the suite."""

OWN_FILE = "onnx:PATH"

DESCRIPTION = '{"decode": "yunet", "input": {"channels": "BGR"}, "minScore": 0.7, "maxIou": 0.3}'


def _mark(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name


@pytest.fixture(params=map(_mark, [*sorted(specs.DETECTORS), OWN_FILE]), scope="module")
def name(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Each name on the menu, and a file that somebody brings: YuNet's."""
    if request.param != OWN_FILE:
        return str(request.param)
    path = tmp_path_factory.mktemp("own") / "yunet.onnx"
    own_yunet.write_yunet(path)
    path.with_suffix(".json").write_text(DESCRIPTION)
    return f"onnx:{path}"


@pytest.fixture(scope="module")
def detector(name: str) -> Detector:
    """Each detector on the menu."""
    return specs.DETECTORS.create(name, compute=Compute(threads=1), min_face_px=0)


def small(path: Path, width: int = 600) -> Rgb:
    picture = PIL.Image.open(path).convert("RGB")
    picture.thumbnail((width, width))
    return np.array(picture)


def group(path: Path, width: int) -> Rgb:
    """The upper part of a group's photo, with all its faces: dlib's own network takes seconds for it all."""
    rgb = small(path, width)
    return np.ascontiguousarray(rgb[: rgb.shape[0] * 11 // 20])


@pytest.fixture(scope="module")
def everybody(detector: Detector, _photos: Mapping[str, Path]) -> tuple[Rgb, list[Detection]]:
    """A group's photo and the faces found in it, which takes dlib's own network seconds."""
    rgb = group(_photos["t1"], 900)
    return rgb, detector.detect(rgb, 0)


def test_finds_the_face(detector: Detector, photos: Mapping[str, Path]) -> None:
    """A portrait has one face, in the upper middle and inside the image."""
    rgb = small(photos["obama"], 400)
    (found,) = detector.detect(rgb, 0)
    height, width = rgb.shape[:2]
    box = found.box
    assert 0 <= box.xmin < width / 2 < box.xmax <= width
    assert 0 <= box.ymin < height / 4 < box.ymax <= height / 2
    assert found.score > 0


def test_best_first(name: str, everybody: tuple[Rgb, list[Detection]]) -> None:
    """Several faces come in falling order of confidence, all inside the image."""
    rgb, found = everybody
    assert len(found) >= FACES_FOUND.get(name, 5)
    scores = [detection.score for detection in found]
    assert scores == sorted(scores, reverse=True)
    assert all(d.box == d.box.clipped(rgb.shape[1], rgb.shape[0]) for d in found)


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (300, 7), (79, 81), (3, 5000), (5000, 3)])
def test_nothing_to_see(detector: Detector, shape: tuple[int, int]) -> None:
    """A blank image of any shape has no face, and is not an error."""
    assert detector.detect(np.full((*shape, 3), 128, np.uint8), 1) == []


def test_upsampling_finds_smaller_faces(name: str, detector: Detector, photos: Mapping[str, Path]) -> None:
    """Doubling never finds less in an image of small faces, and its boxes stay in the image."""
    rgb = group(photos["t1"], 480)
    once = detector.detect(rgb, 1)
    assert len(once) >= len(detector.detect(rgb, 0))
    assert len(once) >= FACES_FOUND.get(name, 5)
    assert all(d.box == d.box.clipped(rgb.shape[1], rgb.shape[0]) for d in once)


def test_a_least_size_loses_no_larger_face(
    name: str, detector: Detector, everybody: tuple[Rgb, list[Detection]]
) -> None:
    """Whatever work it saves, the faces that reach the minimum size are the same, in the same order."""
    rgb, found_by_all = everybody
    sizes = sorted(min(found.box.width, found.box.height) for found in found_by_all)
    least = sizes[len(sizes) // 2]
    choosy: Detector = specs.DETECTORS.create(name, min_face_px=least)

    def large(found: list[Detection]) -> list[Box]:
        return [one.box for one in found if min(one.box.width, one.box.height) >= least]

    if name == "auto":
        # It searches at another scale, so boxes move by a pixel; tests/detectors/test_auto.py compares them.
        assert len(large(choosy.detect(rgb, 0))) >= len(large(found_by_all)) - 1
        return
    assert large(choosy.detect(rgb, 0)) == large(found_by_all) != []


def test_a_coarse_search_loses_no_larger_face(
    detector: Detector, everybody: tuple[Rgb, list[Detection]]
) -> None:
    """A call may ask for large faces only; smaller ones may be found as well."""
    rgb, found_by_all = everybody
    if not isinstance(detector, CoarseDetector):
        return
    sizes = sorted(min(found.box.width, found.box.height) for found in found_by_all)
    least = sizes[len(sizes) // 2]
    coarse = detector.detect_from(rgb, least, 0)
    for one in found_by_all:
        if min(one.box.width, one.box.height) >= least:
            assert max(intersection_over_union(one.box, other.box) for other in coarse) > 0.7


@pytest.mark.parametrize(
    ("key", "compute"),
    [
        ("device", Compute(device="cuda")),
        ("precision", Compute(precision="bf16")),
        ("runtime", Compute("openvino")),
    ],
)
def test_what_a_detector_cannot_run_on_is_refused(name: str, key: str, compute: Compute) -> None:
    """It never silently uses something else; a detector that is not a network is not affected."""
    try:
        detector = specs.DETECTORS.create(name, compute=compute)
    except ConfigError as error:
        (fault,) = error.faults
        assert fault.startswith(f"{key}: ")
        assert name not in NO_NETWORKS
    else:
        right = {"device": "cuda", "precision": "bf16", "runtime": "openvino"}[key]
        assert right in detector.runtime.split() or name in NO_NETWORKS
        assert name != "cnn_dlib" or dlib.DLIB_USE_CUDA


def test_picture_is_not_touched(detector: Detector, photos: Mapping[str, Path]) -> None:
    """Detection does not change its image, which may be read-only."""
    rgb = small(photos["obama"], 400)
    before = rgb.copy()
    rgb.setflags(write=False)
    assert detector.detect(rgb, 0)
    np.testing.assert_array_equal(rgb, before)


def test_threads_do_not_disturb_each_other(detector: Detector, photos: Mapping[str, Path]) -> None:
    """What two pictures of different sizes give does not depend on what other threads look at."""
    pictures = [small(photos["obama"], 250), small(photos["biden"], 200)]
    alone = [[one.box for one in detector.detect(rgb, 0)] for rgb in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = [*pool.map(lambda rgb: [one.box for one in detector.detect(rgb, 0)], pictures * 3)]
    assert together == alone * 3
