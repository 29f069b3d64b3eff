"""A new detector, embedder or classifier is one class and one spec: nothing else has to know of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import fake_networks
import numpy as np
import numpy.typing as npt
import pytest
from sklearn.neighbors import KNeighborsClassifier

from face_det.classifiers import CLASSIFIERS
from face_det.classifiers.recipe import UnsearchedRecipe
from face_det.config import Config, list_choices
from face_det.detectors import DETECTORS
from face_det.embedders import EMBEDDERS, DistanceThresholds, EmbedderSpec
from face_det.engine import EngineOptions, Engines
from face_det.evaluation import ExtraMeasurements, RecognitionSettings, evaluate_split, split_dataset
from face_det.gallery import EncodingCache, Gallery, encode_dataset
from face_det.media import load_image
from face_det.nets import Compute
from face_det.recognition import (
    DecisionRule,
    choose_enrolment_embedder,
    choose_recognition_embedder,
    decide_names,
)
from face_det.registry import Spec
from face_det.training import train_classifiers
from face_det.types import UNKNOWN, Box, Classifier, Detection, Encodings, Rgb

PEOPLE, PHOTOS, STRANGERS = 3, 6, 8


class ToyDetector:
    """Finds one face, always in the same place."""

    runtime = "toy"

    def __init__(self, compute: Compute, min_face_px: float) -> None:
        self.compute = compute

    def detect(self, rgb: Rgb, upsample: int = 0) -> list[Detection]:
        """One face."""
        return [Detection(Box(4, 4, 60, 60), 1.0)]


class ToyEmbedder:
    """Reads from the pixels who it is: people are at right angles, and photos differ a little."""

    name = "toy"
    runtime = "toy"
    dimensions = 64
    fingerprint = "toy:1:test"

    def __init__(self, compute: Compute, jitter: str) -> None:
        self.compute = compute

    def align(self, rgb: Rgb, detection: Detection) -> tuple[int, int]:
        """Person and photo, which stand in the second row of pixels."""
        return divmod(int(rgb[1, 0, 0]) + 256 * int(rgb[1, 0, 1]), fake_networks.SEEDS_EACH)

    def embed(self, chips: Sequence[tuple[int, int]], jitters: int = 1) -> Encodings:
        """A row for each chip, of length 1."""
        rows = np.zeros((len(chips), self.dimensions))
        for row, (person, photo) in zip(rows, chips, strict=True):
            row[person] = 1
            row += 0.02 * np.random.default_rng([person, photo]).normal(size=self.dimensions)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True)) if len(rows) else rows


class ToyRecipe(UnsearchedRecipe):
    """The nearest photo decides. A class that pickles may hold already needs no line in their allow-list."""

    name = "toy"

    def __init__(self, distances: DistanceThresholds) -> None:
        self.distances = distances

    def refit(self, X: Encodings, y: npt.NDArray[np.int64], params: Mapping[str, Any]) -> Classifier:
        """scikit-learn's classifier, as it is."""
        return KNeighborsClassifier(n_neighbors=1).fit(X, y)


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The menus with an entry more each; the networks that are there anyway are fakes."""
    fake_networks.install(monkeypatch)
    DETECTORS.register(Spec("toy", f"{__name__}:ToyDetector"))
    EMBEDDERS.register(
        EmbedderSpec(
            "toy",
            f"{__name__}:ToyEmbedder",
            configured_as="toy",
            encodings_key="toy",
            dimensions=64,
            thresholds=DistanceThresholds(1.0, 0.9),
        )
    )
    CLASSIFIERS.register(Spec("toy", f"{__name__}:ToyRecipe"))
    yield
    for menu in (DETECTORS, EMBEDDERS, CLASSIFIERS):
        del menu["toy"]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Three people with six photos each, and eight strangers."""
    for person in range(PEOPLE):
        for photo in range(PHOTOS):
            fake_networks.picture(tmp_path / "dataset" / f"p{person}", person, photo)
    for stranger in range(STRANGERS):
        fake_networks.picture(tmp_path / "dataset" / UNKNOWN, 20 + stranger)
    return tmp_path / "dataset"


OPTIONS = EngineOptions(detector="toy", embedder="toy", focus_threshold=0)


def test_the_configuration_offers_them() -> None:
    """Their names are among the values of their keys, in the order in which they were registered."""
    assert [list_choices(key)[-1] for key in ("faceDetModel", "embedder", "classifier")] == ["toy"] * 3
    config = Config(face_det_model="toy", embedder="toy", classifier="toy")
    assert (config.face_det_model, config.embedder, config.classifier) == ("toy", "toy", "toy")


def test_encoded_trained_and_recognised(dataset: Path, tmp_path: Path) -> None:
    """From photos to names, by the toys alone; their encodings are kept beside the others' in the file."""
    engines = Engines(OPTIONS)
    enrolling = engines.of(choose_enrolment_embedder("toy"))
    with EncodingCache(tmp_path / "cache.sqlite") as cache:
        arguments = (dataset, cache, enrolling.options)
        first, again = (
            encode_dataset(*arguments, jobs=1, engine=enrolling, on_progress=lambda *_: None)
            for _ in range(2)
        )
    assert (first.encoded, again.encoded) == (PEOPLE * PHOTOS + STRANGERS, 0)
    (tmp_path / "encodings.pickle").write_bytes(first.gallery.dumps())
    gallery = Gallery.load(tmp_path / "encodings.pickle")
    assert gallery.embedders == ("dlib_resnet", "dlib_views", "sface", "toy", "both")
    assert gallery.of("toy").shape == (PEOPLE * PHOTOS + STRANGERS, 64)
    assert gallery.fingerprint_of("toy") == ToyEmbedder.fingerprint

    result = train_classifiers(
        gallery, ["toy"], embedder="toy", jobs=1, thorough=False, on_progress=lambda *_: None
    )
    (model,) = result.models
    assert (model.card.kind, model.card.fingerprint) == ("toy", ToyEmbedder.fingerprint)
    assert isinstance(model.classifier, KNeighborsClassifier)

    engine = engines.of(choose_recognition_embedder("auto", model))
    assert (engine.options.embedder, engine.runtime) == ("toy", "toy")
    asked = [fake_networks.picture(tmp_path / "asked", person, 7) for person in (*range(PEOPLE), 40)]
    faces = engine.faces([(load_image(path), None) for path in asked])
    encodings = np.array([face.encoding for (face,) in faces])
    names = [match.name for match in decide_names(model, encodings, DecisionRule(0.5))]
    assert names == ["p0", "p1", "p2", UNKNOWN]


@pytest.mark.slow
def test_evaluated(dataset: Path, tmp_path: Path) -> None:
    """The whole evaluation, with comparisons to other rules, on the toy's encodings."""
    engine = Engines(OPTIONS).of(choose_enrolment_embedder("toy"))
    settings = RecognitionSettings("toy", "toy", DecisionRule(0.5))
    with EncodingCache(tmp_path / "cache.sqlite") as cache:
        found = evaluate_split(
            split_dataset(dataset), engine, cache, settings, ExtraMeasurements(compare=True)
        )
    assert found.embedder == "toy"
    assert found.predictions.answer[:PEOPLE] == ("p0", "p1", "p2")
    assert found.verification["toy"] is not None
    assert set(found.comparisons) == {"toy", "dlib_views"}


def test_an_entry_is_registered_once() -> None:
    """A second one of the same name would hide the first."""
    with pytest.raises(ValueError, match="name must be new to the menu, got 'toy'"):
        DETECTORS.register(Spec("toy", "elsewhere:Detector"))
