"""SFace outside OpenCV gives the same encodings, also for faces that YuNet did not find itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]
import PIL.Image
import pytest

from face_det.detectors import specs
from face_det.detectors.yunet import YunetDetector
from face_det.embedders import create
from face_det.embedders.alignment import ARCFACE_TEMPLATE, FaceAligner, detect_dlib_points, fit_similarity
from face_det.embedders.dlib_resnet import DlibResnetEmbedder
from face_det.embedders.sface import SfaceEmbedder
from face_det.engine.engine import EngineOptions, build_engine
from face_det.nets import yunet
from face_det.nets.catalogue import weights_path
from face_det.nets.compute import DEFAULT_COMPUTE, Compute
from face_det.nets.sface import Sface
from face_det.types import Box, Detection, Rgb

PHOTOS = {"t1": 900, "grace_hopper": 512, "astronaut": 512, "obama": 500, "obama2": 500, "biden": 700}
"""Photos, and the width at which each is searched."""


@pytest.fixture(scope="module")
def embedder() -> SfaceEmbedder:
    return SfaceEmbedder()


@pytest.fixture(scope="module")
def pictures(photos: Mapping[str, Path]) -> dict[str, Rgb]:
    def scaled(name: str, width: int) -> Rgb:
        picture = PIL.Image.open(photos[name]).convert("RGB")
        return np.array(picture.resize((width, round(picture.height * width / picture.width))))

    return {name: scaled(name, width) for name, width in PHOTOS.items()}


@pytest.fixture(scope="module")
def seen(pictures: Mapping[str, Rgb]) -> list[tuple[Rgb, Detection]]:
    """Return each face of each image, with its landmarks."""
    detector = YunetDetector()
    return [(rgb, found) for rgb in pictures.values() for found in detector.detect(rgb)]


def test_encodings_are_those_of_opencv(embedder: SfaceEmbedder, seen: list[tuple[Rgb, Detection]]) -> None:
    """Alignment and network together: a cosine of 1 - 1e-5 or more."""
    theirs = cv2.FaceRecognizerSF.create(str(weights_path("sface")), "")
    assert len(seen) >= 11
    ours = embedder.embed([embedder.align(rgb, found) for rgb, found in seen])
    for encoding, (rgb, found) in zip(ours, seen, strict=True):
        assert found.landmarks is not None
        row = np.array([0, 0, 1, 1, *found.landmarks.ravel(), 1], np.float32)
        expected = theirs.feature(theirs.alignCrop(np.ascontiguousarray(rgb[:, :, ::-1]), row))[0]
        assert np.linalg.norm(encoding) == pytest.approx(1, abs=1e-12)
        assert encoding @ expected / np.linalg.norm(expected) >= 1 - 1e-5


def test_encodings_are_those_of_the_file(embedder: SfaceEmbedder, seen: list[tuple[Rgb, Detection]]) -> None:
    """The model that is built gives what the published one gives, run node by node as it stands."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    model = onnx.load(weights_path("sface"))
    del model.graph.input[1:]  # the rest are weights
    published = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    chips = [embedder.align(rgb, found) for rgb, found in seen]
    for chip, encoding in zip(chips, embedder.embed(chips), strict=True):
        data = chip.transpose(2, 0, 1)[np.newaxis].astype(np.float32)
        ((expected,),) = published.run(None, {"data": data})
        assert np.abs(encoding - expected / np.linalg.norm(expected)).max() < 2e-6


@pytest.mark.parametrize(("precision", "cosine"), [("fp32", 1 - 1e-5), ("bf16", 1 - 5e-3)])
def test_openvino_says_the_same(
    embedder: SfaceEmbedder, seen: list[tuple[Rgb, Detection]], precision: str, cosine: float
) -> None:
    """bf16 gives nearly the same; photos of one person have 0.65."""
    pytest.importorskip("openvino")
    chips = [embedder.align(rgb, found) for rgb, found in seen]
    other = Sface(Compute("openvino", precision)).encode(chips)
    assert (embedder.embed(chips) * other).sum(axis=1).min() >= cosine


@pytest.mark.parametrize("detector", ["hog", "cnn"])
def test_other_detectors_faces_are_aligned_alike(
    embedder: SfaceEmbedder, pictures: Mapping[str, Rgb], detector: str
) -> None:
    """Each face found by another detector is nearest to its encoding with YuNet's own landmarks."""
    rgb = pictures["t1"]
    with_landmarks = YunetDetector().detect(rgb)
    boxes_only = specs.DETECTORS.create(detector).detect(rgb, 0)
    assert len(boxes_only) >= 5
    assert all(found.landmarks is None for found in boxes_only)
    expected = embedder.embed([embedder.align(rgb, found) for found in with_landmarks])
    cosines = embedder.embed([embedder.align(rgb, found) for found in boxes_only]) @ expected.T
    for found, row in zip(boxes_only, cosines, strict=True):
        landmarks = with_landmarks[int(row.argmax())].landmarks
        assert landmarks is not None
        nose = landmarks[2]
        assert found.box.xmin < nose[0] < found.box.xmax
        assert found.box.ymin < nose[1] < found.box.ymax
        assert row.max() > 0.7
        assert np.sort(row)[-2] < 0.4


def test_without_yunets_points_dlibs_will_do(
    pictures: Mapping[str, Rgb], monkeypatch: pytest.MonkeyPatch
) -> None:
    """dlib's corners of the eyes and base of the nose bring the face to nearly the same place."""
    upright = FaceAligner()
    for name in ("obama", "biden", "grace_hopper"):
        rgb = pictures[name]
        (found,) = specs.DETECTORS.create("hog").detect(rgb, 0)
        usual = upright.find_transform(rgb, found)
        with monkeypatch.context() as patch:
            patch.setattr(upright, "find_landmarks", lambda rgb, box: None)
            other = upright.find_transform(rgb, found)
        middle = np.append(detect_dlib_points(rgb, found.box).mean(axis=0), 1)
        assert np.abs(usual @ middle - other @ middle).max() < 4
        assert np.linalg.det(other[:, :2]) == pytest.approx(np.linalg.det(usual[:, :2]), rel=0.25)


def test_a_neighbour_is_not_taken(pictures: Mapping[str, Rgb]) -> None:
    """There is no face beside a face, although YuNet sees the face in the surroundings."""
    rgb = pictures["obama"]
    (found,) = YunetDetector().detect(rgb)
    box = found.box
    upright = FaceAligner()
    points = upright.find_landmarks(rgb, box)
    assert points is not None
    assert found.landmarks is not None
    apart = np.linalg.norm(found.landmarks[0] - found.landmarks[1])
    assert np.abs(points - found.landmarks).max() < 0.2 * apart
    beside = box.shifted(0.8 * box.width, 0)
    assert upright.find_landmarks(rgb, beside) is None


STRANGE = [
    (0, 0, 1, 1),
    (5, 5, 5, 5),
    (-60, -60, -10, -10),
    (-40, 10, 60, 110),
    (480, 600, 900, 1000),
    (1e6, 1e6, 1e6 + 9, 1e6 + 9),
    (-1e6, -1e6, 1e6, 1e6),
    (10, 10, 11, 400),
]


@pytest.mark.usefixtures("shared_networks")
@pytest.mark.parametrize("name", ["sface", "both", "dlib_views"])
@pytest.mark.parametrize("edges", STRANGE)
def test_no_box_is_an_error(pictures: Mapping[str, Rgb], name: str, edges: tuple[float, ...]) -> None:
    """Boxes outside, across the edge, of a single pixel, larger than the image, or with useless landmarks."""
    both = create.create_embedder(name, DEFAULT_COMPUTE, "dlib")
    for points in (None, np.zeros((5, 2), np.float32), np.full((5, 2), np.nan, np.float32)):
        chip = both.align(pictures["obama"], Detection(Box(*map(float, edges)), 1.0, points))
        assert np.isfinite(both.embed([chip])).all()


def test_similarity_is_the_least_squares() -> None:
    """A rotated, scaled and shifted template comes back exactly; noise is spread over all points."""
    turn = 0.3 * np.exp(0.7j)
    complex_points = (ARCFACE_TEMPLATE @ [1, 1j] - (20 + 7j)) / turn
    points = np.stack([complex_points.real, complex_points.imag], axis=1)
    matrix = fit_similarity(points, ARCFACE_TEMPLATE)
    assert matrix is not None
    np.testing.assert_allclose(
        matrix @ np.column_stack([points, np.ones(5)]).T, ARCFACE_TEMPLATE.T, atol=1e-9
    )
    noisy = points + np.random.default_rng(1).normal(size=(5, 2))
    theirs = cv2.estimateAffinePartial2D(noisy, ARCFACE_TEMPLATE, method=cv2.LMEDS)[0]
    best = fit_similarity(noisy, ARCFACE_TEMPLATE)
    assert best is not None

    def error(found: np.ndarray) -> float:
        away = found @ np.column_stack([noisy, np.ones(5)]).T - ARCFACE_TEMPLATE.T
        return float((away**2).sum())

    changes = np.random.default_rng(2).normal(size=(50, 2)) * 1e-3
    for cosine, sine in changes:
        other = best + np.array([[cosine, -sine, 0], [sine, cosine, 0]])
        assert error(best) < error(other)
    assert error(best) <= error(theirs) + 1e-9
    assert fit_similarity(np.ones((5, 2)), ARCFACE_TEMPLATE) is None


@pytest.mark.slow
def test_the_second_sample_is_the_mirror(embedder: SfaceEmbedder, seen: list[tuple[Rgb, Detection]]) -> None:
    """Two jitters are the chip and its mirror image, of length 1; more stay near, across batches."""
    chips = [embedder.align(rgb, found) for rgb, found in seen[:3]]
    plain, mirrored = embedder.embed(chips), embedder.embed([chip[:, ::-1] for chip in chips])
    expected = plain + mirrored
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(embedder.embed(chips, 2), expected, atol=1e-6)
    fast = SfaceEmbedder(jitter="fast")
    many = fast.embed(chips, 11)
    np.testing.assert_allclose(np.linalg.norm(many, axis=1), 1)
    np.testing.assert_allclose(many, np.vstack([fast.embed([chip], 11) for chip in chips]), atol=1e-5)
    assert (many * expected).sum(axis=1).min() > 0.9


def test_both_are_the_two(embedder: SfaceEmbedder, seen: list[tuple[Rgb, Detection]]) -> None:
    """dlib's numbers come first, then sface's; the fingerprint names both."""
    both, dlib = create.create_embedder("both", DEFAULT_COMPUTE, "dlib"), DlibResnetEmbedder()
    some = seen[:3]
    found = both.embed([both.align(*each) for each in some])
    np.testing.assert_allclose(found[:, :128], dlib.embed([dlib.align(*each) for each in some]), atol=1e-6)
    np.testing.assert_allclose(
        found[:, 128:], embedder.embed([embedder.align(*each) for each in some]), atol=1e-6
    )
    assert both.dimensions == found.shape[1] == 256
    assert both.fingerprint == f"both:{dlib.fingerprint}+{embedder.fingerprint}"


def test_fingerprints_do_not_change(embedder: SfaceEmbedder) -> None:
    """Fingerprints are stored in files that people keep."""
    assert embedder.fingerprint == "sface:fb143eea0783:yunet4-112"
    assert SfaceEmbedder(jitter="fast").fingerprint == embedder.fingerprint


def test_the_best_of_overlapping_boxes_stays() -> None:
    """Of those that overlap by more than MAX_IOU, one is kept; an empty box overlaps nothing."""
    boxes = np.array([[0, 0, 10, 10], [4, 0, 14, 10], [6, 0, 16, 10], [5, 5, 5, 5], [3, 3, 3, 3]], np.float32)
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5], np.float32)
    found = yunet.suppress_overlapping_faces(yunet.YunetFaces(boxes, np.zeros((5, 5, 2), np.float32), scores))
    assert found.scores.tolist() == pytest.approx([0.9, 0.7, 0.6, 0.5])


def test_networks_of_two_embedders_are_loaded_once() -> None:
    """Enrolling with both beside a running sface loads dlib's network, and nothing twice."""
    live = build_engine(EngineOptions(detector="hog", embedder="sface"))
    both = live.with_embedder("both")
    dlib, sface = both._embedder.parts
    assert sface is live._embedder
    assert both.with_embedder("sface")._embedder is live._embedder
    assert both.with_embedder("dlib_resnet")._embedder is dlib
    assert both.fingerprint == build_engine(both.options).fingerprint
    everything = both.with_embedder("all")
    views = everything.with_embedder("dlib_views")
    assert views._embedder.parts == (dlib,)
    assert [*everything._embedder.parts] == [dlib, views._embedder, sface]
    assert views.with_embedder("dlib_resnet")._embedder is dlib
