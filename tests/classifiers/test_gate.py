"""Neighbours and a linear machine behind a distance gate, at the distances of their embedder."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from synthetic import numbered, photos

from face_det.classifiers.gate import STRANGER, probability_at_distance
from face_det.classifiers.knn import PYZM_PARAMS, WEB_APP_PARAMS, KnnClassifier, KnnRecipe
from face_det.classifiers.linear_svm import LinearSvmClassifier, LinearSvmRecipe
from face_det.classifiers.nearest import NearestClassifier, NearestRecipe
from face_det.embedders.specs import EMBEDDERS, distance_thresholds
from face_det.storage.pickles import safe_unpickler


def along(*distances: float) -> np.ndarray:
    """Encodings on one line, that far from the origin."""
    return np.outer(distances, np.eye(1, 128)[0])


def test_probability_at_the_two_distances() -> None:
    """Even odds and the gate, for every embedder; nearer is likelier."""
    for distances in filter(None, (spec.thresholds for spec in EMBEDDERS.values())):
        even, gate = distances.even_distance, distances.gate_distance
        p = probability_at_distance([even, gate, 0.0, 100 * even], even, gate)
        assert p == pytest.approx([0.5, 0.9, 1.0, 0.0], abs=0.01)
        falling = np.diff(probability_at_distance(np.linspace(0, 2 * even, 50), even, gate))
        assert np.all(falling <= 0)
        between = np.diff(probability_at_distance(np.linspace(gate, 2 * even - gate, 50), even, gate))
        assert np.all(between < 0)


def test_pyzm_lets_the_root_of_all_vote_by_nearness() -> None:
    """Nine photos, three votes: the nearer two of one person outvote, but the gate is the nearest's."""
    X, y = along(0.0, 0.1, 0.5, *np.arange(10, 16)), np.array([0, 1, 1, 2, 2, 2, 2, 2, 2])
    proba = KnnClassifier(**PYZM_PARAMS).fit(X, y).predict_proba(along(0.05))
    votes = np.array([1 / 0.05, 1 / 0.05 + 1 / 0.45, 0])
    p = probability_at_distance(0.05, 0.6, 0.5)
    assert proba[0] == pytest.approx([*(p * votes / votes.sum()), 1 - p])


def test_the_web_app_wants_all_five_near() -> None:
    """Shares of five votes; the farthest of the five is what the gate looks at."""
    X, y = along(0.0, 0.1, 0.2, 0.3, 0.55, *np.arange(10, 14)), np.array([0, 0, 0, 1, 1, 2, 2, 2, 2])
    proba = KnnClassifier(**WEB_APP_PARAMS).fit(X, y).predict_proba(along(0.0))
    p = probability_at_distance(0.55, 0.6, 0.5)
    assert proba[0] == pytest.approx([0.6 * p, 0.4 * p, 0, 1 - p])


def test_ringface_measures_to_the_person_that_the_machine_says() -> None:
    """A photo of somebody else that is nearer does not open the gate."""
    X, y = np.vstack([along(1.0, 1.1, 1.2, 1.3), -along(1.0, 1.1, 1.2, 1.3)]), np.repeat([0, 1], 4)
    X = np.vstack([X, along(-0.1)])
    classifier = LinearSvmClassifier().fit(X, np.append(y, 0))
    asked = along(-0.35)
    said = classifier.machine_.predict(asked)[0]
    own = X[np.append(y, 0) == said]
    p = probability_at_distance(np.linalg.norm(own - asked, axis=1).min(), 0.6, 0.5)
    proba = classifier.predict_proba(asked)[0]
    assert said == 1
    assert proba == pytest.approx([0, p, 1 - p])
    assert list(classifier.classes_) == [0, 1, STRANGER]


@pytest.mark.parametrize("recipe", [NearestRecipe, KnnRecipe, LinearSvmRecipe])
def test_distances_are_the_embedders(recipe: type) -> None:
    """The same photos, twice as far apart, with twice the distances: the same probabilities."""
    X, y = numbered({"Alice": 6, "Bob": 6})
    asked = np.vstack([photos("Alice", 4, seed=5), photos("Unknown", 4, seed=5)])
    near = recipe(distance_thresholds("dlib_resnet"))
    far = recipe(type(distance_thresholds("dlib_resnet"))(1.2, 1.0))
    params = {**near.defaults, "C": 100.0} if near.name == "linear_svm" else near.defaults
    wide = {**params, "C": 25.0} if near.name == "linear_svm" else params
    expected = near.refit(X, y, params).predict_proba(asked)
    assert far.refit(2 * X, y, wide).predict_proba(2 * asked) == pytest.approx(expected, abs=1e-3)


def test_a_nearest_of_before() -> None:
    """A file whose classifier has photos in float64 and no distances answers as it did."""
    X, _ = numbered({"Alice": 3, "Bob": 3})
    old = NearestClassifier.__new__(NearestClassifier)
    vars(old).update(photos_=X, first_photo_=np.array([0, 3]), classes_=np.array([0, 1, STRANGER]))
    old.n_features_in_ = 128
    again = safe_unpickler.parse_pickle(pickle.dumps(old, protocol=4), "classifier")
    assert isinstance(again, NearestClassifier)
    assert again.get_params() == {"even_distance": 0.6, "gate_distance": 0.5}
    asked = photos("Bob", 3, seed=2)
    distances = np.array([np.linalg.norm(X - one, axis=1).min() for one in asked])
    p = 1 / (1 + np.exp(np.log(9) / 0.1 * (distances - 0.6)))
    assert again.predict_proba(asked)[:, 1] == pytest.approx(p, abs=1e-5)


def test_a_pickle_holds_the_photos_once() -> None:
    """What looks them up is made again, and not written."""
    X, y = numbered({"Alice": 50, "Bob": 50})
    assert len(pickle.dumps(NearestClassifier().fit(X, y))) < 1.1 * X.size * 4
