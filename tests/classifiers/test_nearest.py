"""The nearest classifier's probability, and that a stranger is nobody."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import photos

from face_det.classifiers.folds import split_folds
from face_det.classifiers.gate import STRANGER
from face_det.classifiers.nearest import NearestClassifier


def away(distance: float) -> np.ndarray:
    return np.eye(1, 128) * distance


@pytest.fixture
def one() -> NearestClassifier:
    """One person with one photo, at the origin."""
    return NearestClassifier().fit(away(0.0), np.array([0]))


@pytest.mark.parametrize(("distance", "p"), [(0.6, 0.5), (0.5, 0.9), (0.7, 0.1), (0.0, 1.0), (1.4, 0.0)])
def test_probability_follows_the_published_distances(
    one: NearestClassifier, distance: float, p: float
) -> None:
    """Even odds at dlib's threshold, the default minProba at Ringface's gate."""
    assert one.predict_proba(away(distance)) == pytest.approx(np.array([[p, 1 - p]]), abs=1e-5)


def test_one_person_is_not_everybody(one: NearestClassifier) -> None:
    """With one person enrolled a stranger is the stranger, not that person."""
    assert list(one.classes_) == [0, STRANGER]
    assert one.predict(away(0.9)) == [STRANGER]
    assert one.predict(away(0.3)) == [0]


def test_the_closest_photo_counts() -> None:
    """A person is as close as the closest of their photos, in whatever order they were enrolled."""
    X = np.vstack([away(0.0), away(2.0), away(0.9), away(5.0)])
    proba = NearestClassifier().fit(X, np.array([1, 0, 1, 0])).predict_proba(away(0.8))
    assert proba[0, 1] == pytest.approx(1 - 1.5e-5, abs=1e-5)
    assert proba[0, 0] == 0


def test_many_faces_and_photos_fit_in_memory() -> None:
    """500 faces against 5,000 photos: a block of distances, not of differences."""
    y = np.repeat(np.arange(50), 100)
    classifier = NearestClassifier().fit(np.vstack([photos(str(name), 100) for name in range(50)]), y)
    proba = classifier.predict_proba(photos("7", 500, seed=3))
    assert np.mean(proba.argmax(axis=1) == 7) > 0.9


def test_folds_test_everybody_who_has_two_photos_and_train_on_all() -> None:
    """Each photo of somebody with two or more is tested once; everybody is in each training part."""
    y = np.repeat([0, 1, 2, 3], [1, 2, 7, 30])
    parts = split_folds(y)
    assert len(parts) == 5
    assert sorted(np.concatenate([test for _, test in parts])) == list(range(1, 40))
    for train, test in parts:
        assert set(y[train]) == {0, 1, 2, 3}
        assert not set(train) & set(test)
        assert len(train) + len(test) == 40


def test_folds_are_scikit_learns_with_enough_photos() -> None:
    """With five photos of everybody the folds are the original's, seed and all."""
    from sklearn.model_selection import StratifiedKFold

    y = np.tile([0, 1, 2], 8)
    theirs = StratifiedKFold(5, shuffle=True, random_state=1234).split(y, y)
    for (train, test), (their_train, their_test) in zip(split_folds(y), theirs, strict=True):
        assert np.array_equal(train, their_train)
        assert np.array_equal(test, their_test)
