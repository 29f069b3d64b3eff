"""The classic recognisers answer what OpenCV's do, and are calibrated by strangers."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import synthetic

from face_det.classifiers.pixels import (
    EigenfacesClassifier,
    FisherfacesClassifier,
    LbphClassifier,
    PixelClassifier,
    _spread_rows,
)
from face_det.errors import ConfigError, TooFewPeople
from face_det.gallery import Gallery
from face_det.recognition import DecisionRule, decide_names, list_requirements
from face_det.training import preview_rates, recalibrate_model, refit_model, train_classifiers
from face_det.types import UNKNOWN, Encodings

opencv: Any = cv2.face
FAMILY = {"Alice": 8, "Bob": 6, "Carol": 5}


def grey_gallery(counts: dict[str, int]) -> Gallery:
    made = synthetic.gallery(counts)
    rows = {"dlib_resnet": made.encodings, "grey": synthetic.grey_faces(made.encodings)}
    return Gallery(rows, made.names, {"dlib_resnet": "dlib_resnet:1", "grey": "grey:1"})


def asked(name: str, count: int) -> Encodings:
    return synthetic.grey_faces(synthetic.photos(name, count, seed=9))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        # Of n photos, OpenCV's last component is a rounding error, which is left out here.
        (EigenfacesClassifier, lambda: opencv.EigenFaceRecognizer_create(sum(FAMILY.values()) - 1)),
        (FisherfacesClassifier, opencv.FisherFaceRecognizer_create),
        (LbphClassifier, opencv.LBPHFaceRecognizer_create),
    ],
)
def test_distances_are_those_of_opencv(ours: type[PixelClassifier], theirs: Any) -> None:
    """The same person at the same distance, within a millionth, for people and for strangers."""
    gallery = grey_gallery(FAMILY)
    X, y = gallery.of("grey"), np.array([gallery.people.index(name) for name in gallery.names])
    recogniser = theirs()
    recogniser.train([*X.astype(np.uint8).reshape(-1, 100, 100)], y.astype(np.int32))
    classifier = ours().fit(X, y)
    for face in [*asked("Alice", 3), *asked("Carol", 3), *asked(UNKNOWN, 4)]:
        label, distance = recogniser.predict(face.astype(np.uint8).reshape(100, 100))
        (found,) = classifier.distances(face[None])
        assert (found.argmin(), found.min()) == (label, pytest.approx(distance, rel=1e-5))


@pytest.mark.parametrize("kind", ["eigenfaces", "fisherfaces", "lbph"])
def test_calibrated_by_strangers(kind: str) -> None:
    """Hardly a stranger gets a name at one in a thousand; another rate moves only the distance."""
    gallery = grey_gallery({**FAMILY, UNKNOWN: 60})
    (model,) = train_classifiers(gallery, [kind], jobs=1, thorough=False, on_progress=lambda *_: None).models
    assert model.verifier is not None
    assert (model.card.kind, model.card.fingerprint, model.verifier.impostors) == (kind, "grey:1", 60)
    rule = DecisionRule()
    strangers = [match.name for match in decide_names(model, asked(UNKNOWN, 300), rule)]
    assert sum(name not in (None, UNKNOWN) for name in strangers) <= 3
    names = [match.name for match in decide_names(model, asked("Alice", 20), rule)]
    assert set(names) <= {"Alice", None, UNKNOWN}

    looser = recalibrate_model(model, gallery, 0.1)
    assert looser is not None
    assert looser.verifier is not None
    gates = [one.classifier.gate_distance for one in (model, looser)]  # type: ignore[attr-defined]
    assert gates[0] < gates[1] == pytest.approx(looser.verifier.gate_distance)
    more = [match.name for match in decide_names(looser, asked("Alice", 20), rule)]
    assert more.count("Alice") >= max(names.count("Alice"), 1)
    found = preview_rates(model, gallery, [0.1, 0.001])
    assert [one.strangers for one in found] == [60, 60]
    requirements = list_requirements(model, asked("Alice", 1), rule)
    assert requirements is not None
    assert [one.kind for one in requirements[1]] == ["score", "ratio", "distance"]


def test_the_fixed_ones_name_within_their_distance() -> None:
    """eigenfaces_4500 names whoever is nearer than that, whatever the false accept rate; nobody beyond."""
    made = grey_gallery({**FAMILY, UNKNOWN: 20})
    farther = np.rint(128 + 1.4 * (made.of("grey") - 128)).clip(0, 255)
    gallery = Gallery({"dlib_resnet": made.encodings, "grey": farther}, made.names)
    result = train_classifiers(
        gallery, ["eigenfaces_4500"], jobs=1, thorough=False, on_progress=lambda *_: None
    )
    (model,) = result.models
    assert model.verifier is None
    faces = np.rint(128 + 1.4 * (np.vstack([asked("Bob", 10), asked(UNKNOWN, 60)]) - 128)).clip(0, 255)
    distances = model.classifier.distances(faces)  # type: ignore[attr-defined]
    assert 0 < (distances.min(axis=1) < 4500).sum() < len(faces)
    for match, row in zip(decide_names(model, faces, DecisionRule()), distances, strict=True):
        assert (match.name not in (None, UNKNOWN)) == (row.min() <= 4500)
        assert match.name in (None, UNKNOWN, model.labels[row.argmin()])


def test_without_strangers_the_nearest_photo_stands_in() -> None:
    """Nothing says how near strangers come: asked for by name it is an error, in the daemon a stand-in."""
    gallery = grey_gallery(FAMILY)
    with pytest.raises(TooFewPeople, match="eigenfaces: must have photos of 2 people and of 17 strangers"):
        train_classifiers(gallery, ["eigenfaces"], jobs=1, thorough=False, on_progress=lambda *_: None)
    model = refit_model(None, gallery, kind="eigenfaces")
    assert model is not None
    assert (model.card.kind, model.recipe, model.card.fingerprint) == ("nearest", "eigenfaces", "grey:1")


def test_they_learn_from_grey_faces_alone() -> None:
    """Another embedder's numbers are refused in a line, before anything is learnt from them."""
    with pytest.raises(ConfigError, match="embedder: must be grey or auto for lbph, got sface"):
        refit_model(None, grey_gallery(FAMILY), kind="lbph", embedder="sface")


def test_everybody_shapes_the_subspace() -> None:
    """Where there are too many photos, each person's first ones come before anybody's second."""
    assert _spread_rows(np.array([0, 0, 0, 0, 1, 2]), 4).tolist() == [0, 1, 4, 5]
