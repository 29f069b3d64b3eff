"""A user's own model: SFace's network, as if somebody had brought its file, names whom sface names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synthetic
from own_sface import write_sface

from face_det.config.load import load_config
from face_det.detectors.yunet import YunetDetector
from face_det.embedders import EMBEDDERS, create_embedder, know_file
from face_det.embedders.onnx_file import make_test_chip
from face_det.embedders.sface import SfaceEmbedder
from face_det.engine import EngineOptions, build_engine
from face_det.errors import ConfigError, ModelError, ModelMissing, TooFewPeople
from face_det.gallery import Gallery
from face_det.media import load_image
from face_det.nets import DEFAULT_COMPUTE
from face_det.recognition import choose_enrolment_embedder, choose_recognition_embedder
from face_det.training import refit_model

SFACE = {"dimensions": 128, "evenDistance": 1.128, "gateDistance": 1.08}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file; each test describes it."""
    path = tmp_path_factory.mktemp("models") / "my+sface.onnx"
    write_sface(path)
    return path


@pytest.fixture(autouse=True)
def _menu() -> Iterator[None]:
    """What a test put on the menu is taken off it."""
    before = [*EMBEDDERS]
    yield
    for name in {*EMBEDDERS} - {*before}:
        del EMBEDDERS[name]


def describe(path: Path, **changes: Any) -> str:
    described = {key: value for key, value in {**SFACE, **changes}.items() if value is not None}
    path.with_suffix(".json").write_text(json.dumps(described))
    return f"onnx:{path}"


def test_the_same_encodings_as_sface(model: Path, small_photos: Mapping[str, Path]) -> None:
    """Aligned alike and equal within rounding, jittered or not; enrolled beside the others' encodings."""
    answer = SfaceEmbedder().embed([make_test_chip(112)])[0, :5].round(4).tolist()
    name = describe(model, knownAnswer=answer)
    ours, theirs = create_embedder(name, DEFAULT_COMPUTE, "fast"), SfaceEmbedder(jitter="fast")
    rgb = load_image(small_photos["obama"])
    (found,) = YunetDetector().detect(rgb)
    np.testing.assert_array_equal(ours.align(rgb, found), theirs.align(rgb, found))
    chips = [ours.align(rgb, found), make_test_chip(112)]
    np.testing.assert_allclose(ours.embed(chips), theirs.embed(chips), atol=1e-5)
    np.testing.assert_allclose(ours.embed(chips, 4), theirs.embed(chips, 4), atol=1e-5)

    assert choose_recognition_embedder(name, None) == name
    joined = choose_enrolment_embedder(name)
    engine = build_engine(EngineOptions(detector="yunet", embedder=joined, focus_threshold=0))
    (faces,) = engine.faces([(rgb, None)])
    assert faces[0].encoding is not None
    gallery = Gallery.empty().plus("Obama", faces[0].encoding, engine.fingerprint)
    assert gallery.embedders == ("dlib_resnet", "dlib_views", "sface", name, "both")
    np.testing.assert_allclose(gallery.of(name), gallery.of("sface"), atol=1e-5)


def test_files_know_it_by_its_content(model: Path, tmp_path: Path) -> None:
    """Encodings and models still fit when the file moves; another description is another embedder."""
    name = know_file(describe(model))
    fingerprint = str(EMBEDDERS[name].fingerprint)
    rows = synthetic.gallery({"Ann": 3, "Bob": 3})
    units = rows.encodings / np.linalg.norm(rows.encodings, axis=1, keepdims=True)
    made_by = {"dlib_resnet": "dlib_resnet:1", name: fingerprint}
    gallery = Gallery({"dlib_resnet": rows.encodings, name: units}, rows.names, made_by)
    trained = refit_model(None, gallery, kind="template", embedder=name)
    assert trained is not None
    (tmp_path / "encodings.pickle").write_bytes(gallery.dumps())
    assert str(model).encode() not in (tmp_path / "encodings.pickle").read_bytes()

    del EMBEDDERS[name]
    moved = tmp_path / "arcface.onnx"
    moved.write_bytes(model.read_bytes())
    assert Gallery.load(tmp_path / "encodings.pickle").embedders == ("dlib_resnet",)
    other = know_file(describe(moved))
    assert EMBEDDERS[other].fingerprint == fingerprint
    np.testing.assert_array_equal(Gallery.load(tmp_path / "encodings.pickle").of(other), units)
    assert choose_recognition_embedder("auto", trained) == other
    del EMBEDDERS[other]
    know_file(describe(moved, alignment="box"))
    assert EMBEDDERS[other].fingerprint != fingerprint
    assert Gallery.load(tmp_path / "encodings.pickle").embedders == ("dlib_resnet",)


def test_without_distances_the_photos_must_say(model: Path) -> None:
    """Nobody is named by distances that were made up: strangers are needed, and one line says so."""
    name = know_file(describe(model, evenDistance=None, gateDistance=None))

    def train(counts: dict[str, int]) -> Any:
        rows = synthetic.gallery(counts)
        apart = rows.encodings - rows.encodings.mean(axis=0)
        units = apart / np.linalg.norm(apart, axis=1, keepdims=True)
        gallery = Gallery({"dlib_resnet": rows.encodings, name: units}, rows.names)
        return refit_model(None, gallery, kind="template", embedder=name)

    with pytest.raises(
        TooFewPeople, match=r"must have photos of 17 people .* or evenDistance and gateDistance"
    ):
        train({"Ann": 3, "Bob": 3})
    assert train({"Ann": 3, "Bob": 3, "Unknown": 20}).verifier.impostors >= 17


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dimensions": 512}, r"my\+sface.json: dimensions: must be 128, finite numbers .* got 512"),
        ({"dimensions": None}, r"my\+sface.json: dimensions: must be given; see docs/how-to/own-embedder.md"),
        ({"alignment": "eyes"}, r"my\+sface.json: alignment: must be 'arcface112', .* got 'eyes'"),
        ({"evenDistance": None}, r"evenDistance, gateDistance: must be both given"),
        ({"output": "fc1"}, r"my\+sface.json: output: must be one of encodings, got 'fc1'"),
        ({"knownAnswer": [0.5]}, r"knownAnswer: must be what the model answers here, .*, got 0.5000"),
        ({"input": {"width": 160, "height": 112}}, r"input.width: must be 112, as in the model, got 160"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_said(model: Path, changes: dict[str, Any], message: str) -> None:
    """In one line that names the file, what it must be and what it is."""
    with pytest.raises(ModelError, match=message) as caught:
        create_embedder(describe(model, **changes), DEFAULT_COMPUTE, "dlib")
    assert "\n" not in str(caught.value)


def test_the_configuration_takes_a_path(model: Path) -> None:
    """Relative to its own folder; a missing file and a classic recogniser beside it are refused."""
    describe(model)
    place = model.with_name("config.json")

    def configure(**settings: str) -> Any:
        place.write_text(json.dumps({"faceDetServer": settings}))
        return load_config(place, {})

    assert configure(embedder="onnx:my+sface.onnx").embedder == f"onnx:{model}"
    with pytest.raises(ModelMissing, match=r"none.onnx: must be an ONNX file, but cannot be read"):
        configure(embedder="onnx:none.onnx")
    with pytest.raises(ConfigError, match="embedder: must be grey or auto for classifier lbph"):
        configure(embedder="onnx:my+sface.onnx", classifier="lbph")
