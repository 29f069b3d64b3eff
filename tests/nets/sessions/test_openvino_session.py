"""OpenVINO, where it is installed: dlib's own answers in fp32, and nearly the same faces in bf16."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from face_det.detectors.cnn import CnnDetector
from face_det.embedders.dlib_resnet import DlibResnetEmbedder
from face_det.engine.engine import EngineOptions, build_engine
from face_det.errors import ConfigError
from face_det.nets import model_cache
from face_det.nets.compute import Compute
from face_det.nets.sessions.openvino_session import require_bf16
from face_det.nets.sessions.session import Session
from face_det.types import Box, Rgb

pytest.importorskip("openvino", reason="pip install 'face_det[openvino]' has these tests run")

FP32 = Compute("openvino")
BF16 = Compute("openvino", "bf16")

VIEWS = [
    # photo, longer side, doublings
    ("t1", 1200, 0),
    ("t1", 640, 1),
    ("t1", 300, 2),
    ("obama", 500, 0),
    ("obama2", 160, 2),
    ("obama3", 401, 1),
    ("biden", 300, 1),
    ("astronaut", 512, 0),
    ("grace_hopper", 400, 1),
    ("nobody", 400, 1),
    ("chelsea", 300, 1),
]


def view(path: Path, side: int) -> Rgb:
    picture = PIL.Image.open(path).convert("RGB")
    picture.thumbnail((side, side))
    return np.array(picture)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes."""
    width = max(min(one.xmax, other.xmax) - max(one.xmin, other.xmin), 0)
    height = max(min(one.ymax, other.ymax) - max(one.ymin, other.ymin), 0)
    both = width * height
    return both / (one.width * one.height + other.width * other.height - both)


@pytest.fixture(scope="module")
def reference() -> tuple[CnnDetector, DlibResnetEmbedder]:
    """ONNX Runtime, whose answers are tested against dlib's."""
    return CnnDetector(), DlibResnetEmbedder()


@pytest.fixture(scope="module")
def bf16() -> Compute:
    """The bf16 engine, where the processor has bf16."""
    try:
        require_bf16()
    except ConfigError as error:
        pytest.skip(str(error))
    return BF16


def test_fp32_is_dlib(reference: tuple[CnnDetector, DlibResnetEmbedder], photos: Mapping[str, Path]) -> None:
    """Boxes equal as integers, in the same order; scores within 1e-3, encodings within 1e-5."""
    detector, embedder = CnnDetector(FP32), DlibResnetEmbedder(FP32)
    assert (detector.runtime, embedder.runtime) == ("openvino", "openvino")
    for name, side, upsample in VIEWS:
        rgb = view(photos[name], side)
        found, expected = detector.detect(rgb, upsample), reference[0].detect(rgb, upsample)
        assert [one.box for one in found] == [one.box for one in expected], name
        assert [one.score for one in found] == pytest.approx([one.score for one in expected], abs=1e-3)
        chips = [embedder.align(rgb, one) for one in found]
        away = embedder.embed(chips) - reference[1].embed(chips)
        assert np.linalg.norm(away, axis=1).max(initial=0) < 1e-5


def test_bf16_sees_the_same_faces(
    bf16: Compute, reference: tuple[CnnDetector, DlibResnetEmbedder], photos: Mapping[str, Path]
) -> None:
    """No face is lost or added. Boxes overlap by 0.95 on average (seen: 0.68 or more). A chip's encoding
    moves by 0.010 (seen: 0.015 or less), a face's, whose box may differ, by 0.018 (0.1 or less)."""
    detector, embedder = CnnDetector(bf16), DlibResnetEmbedder(bf16)
    assert (detector.runtime, embedder.runtime) == ("openvino bf16", "openvino bf16")
    overlaps, of_chips, of_faces = [], [], []
    for name, side, upsample in VIEWS:
        rgb = view(photos[name], side)
        expected, found = reference[0].detect(rgb, upsample), detector.detect(rgb, upsample)
        assert len(found) == len(expected), name
        for one in expected:
            other = max(found, key=lambda each, box=one.box: overlap(each.box, box))
            overlaps.append(overlap(one.box, other.box))
            chip = embedder.align(rgb, one)
            exact, near, whole = (
                reference[1].embed([chip]),
                embedder.embed([chip]),
                embedder.embed([embedder.align(rgb, other)]),
            )
            of_chips.append(np.linalg.norm(exact - near))
            of_faces.append(np.linalg.norm(exact - whole))
    assert len(overlaps) >= 20
    assert np.mean(overlaps) > 0.85
    assert min(overlaps) > 0.5
    assert np.mean(of_chips) < 0.02
    assert max(of_chips) < 0.03
    assert max(of_faces) < 0.2
    assert max(of_chips) > 1e-4, "this was fp32"


def test_fingerprint_and_gates_are_those_of_fp32(bf16: Compute, photos: Mapping[str, Path]) -> None:
    """Encodings of both precisions may stand in one file: two photos of a person are 0.3 apart or more."""
    exact = build_engine(EngineOptions(min_face_px=0, focus_threshold=0))
    rough = build_engine(EngineOptions(min_face_px=0, focus_threshold=0, compute=bf16))
    assert rough.fingerprint == exact.fingerprint
    assert rough.runtime == "openvino bf16"
    (face,) = rough.faces([(view(photos["obama"], 300), None)])[0]
    (other,) = exact.faces([(view(photos["obama2"], 300), None)])[0]
    assert face.encoding is not None
    assert other.encoding is not None
    assert np.linalg.norm(face.encoding - other.encoding) < 0.6


def test_others_run_meanwhile() -> None:
    """Another thread runs while the network computes, so a daemon's heartbeats are not lost."""
    session = Session(model_cache.load_onnx_model("mmod"), FP32)
    tile = np.zeros((1, 3, 1600, 1200), np.float32)
    steps = 0
    stop = threading.Event()

    def step() -> None:
        nonlocal steps
        while not stop.wait(0.001):
            steps += 1

    thread = threading.Thread(target=step)
    thread.start()
    try:
        before = steps
        session.run({"tile": tile})
        during = steps - before
    finally:
        stop.set()
        thread.join()
    assert during >= 5


def test_nothing_is_sent_to_anybody(tmp_path: Path) -> None:
    """Left to itself, OpenVINO stores an identity and reports each import to its maker."""
    code = """
import socket
def resolved(*_): raise SystemExit("a name was looked up")
socket.getaddrinfo = resolved
from face_det.nets.compute import Compute
from face_det.nets.sessions.openvino_session import _imported
_imported(Compute("openvino"))
import openvino, sys
assert openvino.tools.ovc.telemetry_utils.tm.__name__.endswith("stub")
assert "openvino_telemetry" not in sys.modules
"""
    environ = {name: value for name, value in os.environ.items() if name != "CI"}
    environ |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-B", "-c", code], env=environ, check=True)
    assert not list(tmp_path.iterdir())
