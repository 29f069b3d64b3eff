"""Detector `cnn` gives dlib's own boxes, to the pixel and in dlib's order."""

from __future__ import annotations

import functools
import math
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from reference import load_reference

from face_det.detectors import mmod_boxes, mmod_pyramid
from face_det.detectors.cnn import CnnDetector
from face_det.detectors.cnn_dlib import CnnDlibDetector
from face_det.nets.compute import Compute
from face_det.nets.winograd import convolution
from face_det.types import Detection, Rgb

fr = load_reference()


@pytest.fixture(scope="module")
def detector() -> CnnDetector:
    """The detector without a minimum size."""
    return CnnDetector()


@pytest.fixture(scope="module")
def reference() -> CnnDlibDetector:
    """dlib's own detector, for the scores, which face_recognition does not return."""
    return CnnDlibDetector()


@pytest.fixture(scope="module")
def photos(photos: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The photos, and `group`: the upper part of t1 with all its faces, because dlib's own detector takes
    seconds for it all."""
    path = tmp_path_factory.mktemp("photos") / "group.png"
    with PIL.Image.open(photos["t1"]) as picture:
        picture.crop((0, 0, picture.width, picture.height * 11 // 20)).save(path)
    return {**photos, "group": path}


def resized(path: Path, width: int, height: int, mode: str = "RGB") -> Rgb:
    return np.array(PIL.Image.open(path).convert(mode).convert("RGB").resize((width, height)))


@functools.cache
def dlibs(path: Path, width: int, height: int, upsample: int) -> list[tuple[int, int, int, int]]:
    """face_recognition's boxes, computed once because they take longest."""
    boxes: list[tuple[int, int, int, int]] = fr.face_locations(resized(path, width, height), upsample, "cnn")
    return boxes


def noise(width: int, height: int) -> Rgb:
    return np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)


def css(found: list[Detection]) -> list[tuple[float, float, float, float]]:
    return [(f.box.ymin, f.box.xmax, f.box.ymax, f.box.xmin) for f in found]


SIZES = [
    # photo, width, height, doublings
    ("group", 720, 269, 0),
    ("group", 379, 141, 1),
    ("group", 170, 64, 2),
    ("obama", 201, 303, 0),
    ("obama", 97, 141, 1),
    ("obama2", 150, 151, 1),
    ("biden", 99, 101, 2),
    ("obama3", 181, 240, 1),
    ("astronaut", 256, 256, 0),
    ("astronaut", 129, 128, 1),
    ("grace_hopper", 127, 160, 1),
    ("nobody", 160, 120, 1),
    ("biden", 79, 79, 0),
    ("biden", 79, 63, 1),
    ("obama", 48, 64, 2),
    ("obama2", 24, 24, 2),
    ("t1", 900, 60, 0),
    ("t1", 60, 900, 0),
    ("biden", 40, 300, 1),
    ("biden", 300, 40, 1),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "width", "height", "upsample"), SIZES)
def test_boxes_are_those_of_face_recognition(
    detector: CnnDetector, photos: Mapping[str, Path], name: str, width: int, height: int, upsample: int
) -> None:
    """Boxes equal as integers, in the same order: odd sizes, tiny, tall, wide, with and without doubling."""
    rgb = resized(photos[name], width, height)
    assert css(detector.detect(rgb, upsample)) == dlibs(photos[name], width, height, upsample)


@pytest.fixture(scope="module", params=["native", "onnxruntime"])
def named(request: pytest.FixtureRequest) -> CnnDetector:
    """A detector on a named runtime; the other tests use what `auto` finds here."""
    found = convolution.load_checked_kernels()
    if request.param == "native" and found.kernels is None:
        pytest.skip(f"no kernels: {found.reason}")
    detector = CnnDetector(Compute(request.param))
    assert detector.runtime == {"native": "onnxruntime+native"}.get(request.param, request.param)
    return detector


SOME = [*SIZES[1:7:2], *SIZES[8:17:2], SIZES[19]]
"""Some sizes of every kind."""


@pytest.mark.parametrize(("name", "width", "height", "upsample"), SOME)
def test_with_kernels_and_without(
    named: CnnDetector, photos: Mapping[str, Path], name: str, width: int, height: int, upsample: int
) -> None:
    """Both runtimes give face_recognition's boxes."""
    rgb = resized(photos[name], width, height)
    assert css(named.detect(rgb, upsample)) == dlibs(photos[name], width, height, upsample)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "width", "height", "upsample"), [("group", 700, 261, 0), ("obama", 120, 150, 1)]
)
def test_greyscale_is_rgb_of_three_equal_channels(
    detector: CnnDetector, photos: Mapping[str, Path], name: str, width: int, height: int, upsample: int
) -> None:
    """The boxes are those that dlib finds in the greyscale image itself."""
    rgb = resized(photos[name], width, height, "L")
    found = css(detector.detect(rgb, upsample))
    assert found
    assert found == fr.face_locations(np.ascontiguousarray(rgb[:, :, 0]), upsample, "cnn")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "width", "height", "upsample"), [("group", 701, 261, 0), ("biden", 140, 200, 1)]
)
def test_scores_are_dlibs(
    detector: CnnDetector,
    reference: CnnDlibDetector,
    photos: Mapping[str, Path],
    name: str,
    width: int,
    height: int,
    upsample: int,
) -> None:
    """Scores agree within 1e-3; seen: 1e-5."""
    rgb = resized(photos[name], width, height)
    found, expected = detector.detect(rgb, upsample), reference.detect(rgb, upsample)
    assert found
    assert [f.score for f in found] == pytest.approx([e.score for e in expected], abs=1e-3)


@pytest.mark.parametrize(("width", "height", "upsample"), [(300, 200, 0), (90, 70, 1), (25, 60, 0)])
def test_noise(detector: CnnDetector, width: int, height: int, upsample: int) -> None:
    """In noise it finds the faces that dlib finds there."""
    rgb = noise(width, height)
    assert css(detector.detect(rgb, upsample)) == fr.face_locations(rgb, upsample, "cnn")


@pytest.mark.parametrize("upsample", [0, 1, 2])
def test_specks_have_no_faces(detector: CnnDetector, upsample: int) -> None:
    """Down to one pixel, where dlib raises errors or reads outside its memory."""
    for width, height in ((1, 1), (5, 5), (8, 8), (3, 40), (40, 3), (20, 6), (1, 200), (200, 1)):
        assert detector.detect(noise(width, height), upsample) == []


@pytest.mark.slow
def test_faces_in_noise(detector: CnnDetector, photos: Mapping[str, Path]) -> None:
    """Faces of several sizes are pasted over noise and over each other, some sticking out."""
    rgb = noise(331, 277)
    for name, side, top, left in (("obama", 150, 20, 10), ("biden", 210, 90, 150), ("obama2", 70, 0, 200)):
        face = resized(photos[name], side, side)
        room = rgb[top : top + side, left : left + side]
        room[:] = face[: room.shape[0], : room.shape[1]]
    found = css(detector.detect(rgb, 1))
    assert len(found) >= 2
    assert found == fr.face_locations(rgb, 1, "cnn")


def test_a_view_that_is_read_only_and_has_gaps_will_do(
    detector: CnnDetector, photos: Mapping[str, Path]
) -> None:
    """A slice of an image gives what its copy gives, doubled or not."""
    rgb = resized(photos["t1"], 900, 612)
    part = rgb[10:400, 30:700]
    part.setflags(write=False)
    for upsample in (0, 1):
        found = detector.detect(part, upsample)
        assert found
        assert css(found) == css(detector.detect(part.copy(), upsample))


def test_windows_change_nothing(
    detector: CnnDetector, photos: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pyramid that is processed in many windows has the scores of one that is not."""
    rgb = resized(photos["t1"], 900, 612)
    expected = detector.detect(rgb)
    monkeypatch.setattr(mmod_pyramid, "WINDOW_PIXELS", 30_000)
    monkeypatch.setattr(mmod_pyramid, "BATCH_PIXELS", 200_000)
    sheet = mmod_pyramid.tile_pyramid(612, 900)
    assert len(mmod_pyramid.split_into_windows(sheet.scores)) >= 16
    assert len(list(mmod_pyramid.batch_windows([sheet.scores], sheet))) >= 8
    found = detector.detect(rgb)
    assert len(found) >= 5
    assert css(found) == css(expected)
    assert [f.score for f in found] == pytest.approx([e.score for e in expected], abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height", "upsample"), [(41_000, 12, 1), (60_000, 20, 1), (80_000, 12, 0)])
def test_a_very_wide_picture_spoils_no_memory(width: int, height: int, upsample: int) -> None:
    """Nothing is written past what was allocated; glibc's own checks would notice."""
    script = (
        "import numpy; from face_det.detectors.cnn import CnnDetector\n"
        f"CnnDetector().detect(numpy.full(({height}, {width}, 3), 80, numpy.uint8), {upsample})"
    )
    checks = {}
    if any(Path("/lib").glob("*/libc_malloc_debug.so.0")):
        checks = {"LD_PRELOAD": "libc_malloc_debug.so.0", "MALLOC_CHECK_": "3"}
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **checks}, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


class Counting:
    """A session that counts the pixels it is given."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.pixels = 0

    def run(self, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        self.pixels += feeds["tile"][0, 0].size
        return self.session.run(feeds)


def with_least_size(min_face_px: float, detector: CnnDetector) -> tuple[CnnDetector, Counting]:
    """A detector with that minimum size, which counts its work."""
    choosy = CnnDetector(min_face_px=min_face_px)
    choosy._session = counting = Counting(detector._session)  # type: ignore[assignment]
    return choosy, counting


def level(found: Detection, upsample: int) -> int:
    """Return the pyramid level on which a face was found: each level holds one size."""
    side = max(found.box.width, found.box.height) * 2**upsample
    return max(round(math.log(side / mmod_boxes.BOX_SPAN_PX, 1.2)), 0)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height", "upsample"), [(1200, 449, 0), (460, 172, 1), (240, 90, 2)])
def test_larger_faces_are_those_of_the_full_run(
    detector: CnnDetector, photos: Mapping[str, Path], width: int, height: int, upsample: int
) -> None:
    """For any minimum size: all faces of the full run that reach it, and all smaller ones on computed
    levels, in the same order, with the same scores, for at most half as much work again."""
    rgb = resized(photos["group"], width, height)
    full, everything = with_least_size(0, detector)
    expected = full.detect(rgb, upsample)
    assert len(expected) >= 5
    sizes = [min(found.box.width, found.box.height) for found in expected]
    spared = smaller = 0
    for least in (40, 60, 80, 100, 125, 150, 180, 220, 270, 330, *sizes, *(size + 1 for size in sizes)):
        choosy, counting = with_least_size(least, detector)
        found = choosy.detect(rgb, upsample)
        first = mmod_boxes.first_level(least, upsample)
        wanted = [
            one
            for one, size in zip(expected, sizes, strict=True)
            if size >= least or level(one, upsample) >= first or css([one])[0] in css(found)
        ]
        assert css(found) == css(wanted)
        assert [f.score for f in found] == pytest.approx([w.score for w in wanted], abs=1e-5)
        assert counting.pixels <= 1.6 * everything.pixels
        spared += counting.pixels < 0.9 * everything.pixels
        smaller += len(found) > sum(size >= least for size in sizes)
    assert spared >= 3
    assert smaller >= 1


@pytest.mark.parametrize("least", [0, 20, 40.9])
def test_small_least_sizes_leave_nothing_out(
    detector: CnnDetector, photos: Mapping[str, Path], least: float
) -> None:
    """Below 41 px with one doubling, every level can hold a large enough face: it is the full run."""
    rgb = resized(photos["t1"], 460, 313)
    assert css(with_least_size(least, detector)[0].detect(rgb, 1)) == css(detector.detect(rgb, 1))


def test_blank_sheet_has_no_score_above_zero(detector: CnnDetector) -> None:
    """Far from every level that is left there is nothing to find."""
    (scores,) = detector._session.run({"tile": np.zeros((1, 3, 801, 613), np.float32)})
    assert scores.max() < -0.1


def test_threads_share_a_detector(detector: CnnDetector, photos: Mapping[str, Path]) -> None:
    """Calls at the same time give what each gives alone."""
    pictures = [resized(photos[name], 260, 260) for name in ("t1", "obama", "biden", "astronaut")] * 3
    alone = [css(detector.detect(rgb)) for rgb in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = [css(found) for found in pool.map(detector.detect, pictures)]
    assert together == alone


def test_more_threads_change_nothing(detector: CnnDetector, photos: Mapping[str, Path]) -> None:
    """A network on two threads finds what it finds on one."""
    rgb = resized(photos["t1"], 900, 612)
    found = CnnDetector(Compute(threads=2)).detect(rgb)
    assert len(found) >= 5
    assert css(found) == css(detector.detect(rgb))


def test_others_run_meanwhile(detector: CnnDetector) -> None:
    """Another thread runs while the network computes, so a daemon's heartbeats are not lost."""
    steps = 0
    during = 0
    stop = threading.Event()

    def step() -> None:
        nonlocal steps
        while not stop.wait(0.001):
            steps += 1

    class Watched:
        def run(self, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
            nonlocal during
            before = steps
            scores = detector._session.run(feeds)
            during += steps - before
            return scores

    watched = CnnDetector()
    watched._session = Watched()  # type: ignore[assignment]
    thread = threading.Thread(target=step)
    thread.start()
    try:
        watched.detect(noise(1500, 1000))
    finally:
        stop.set()
        thread.join()
    assert during >= 5
