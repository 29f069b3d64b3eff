"""Templates: whose photos count, and how much."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import numbered, photos

from face_det.classifiers.bursts import cluster_bursts, normalise_encodings
from face_det.classifiers.gate import STRANGER
from face_det.classifiers.similarity import score_to_similarity
from face_det.classifiers.template import TemplateClassifier, TemplateRecipe
from face_det.embedders.specs import distance_thresholds


def test_a_burst_counts_as_one_photo() -> None:
    """A hundred frames of one visit do not outvote four photos of other days."""
    four = photos("Alice", 4)
    burst = photos("Alice", 1, seed=3) + 0.001 * np.random.default_rng(0).normal(size=(100, 128))
    X = np.vstack([four, burst])
    classifier = TemplateClassifier().fit(X, np.zeros(104, int))
    even = normalise_encodings(normalise_encodings(np.vstack([four, burst[:1]])).sum(axis=0))
    assert classifier.templates_[0] @ even > 0.9999
    assert len(np.unique(classifier.burst_)) == 5


def test_bursts_are_linked_one_by_one() -> None:
    """Frames that drift are one burst as long as each is near the next."""
    line = normalise_encodings(np.array([[1.0, 0.0], [0.99, 0.14], [0.96, 0.28], [0.0, 1.0]]))
    assert cluster_bursts(line, 0.2).tolist() == [0, 0, 0, 1]


def test_somebody_elses_photo_is_left_out() -> None:
    """One of Bob's among nine of Alice's is no part of her template; all of her own are."""
    X = np.vstack([photos("Alice", 9), photos("Bob", 1)])
    classifier = TemplateClassifier().fit(X, np.zeros(10, int))
    assert classifier.inlier_.tolist() == [True] * 9 + [False]


def test_with_three_photos_nobody_is_accused() -> None:
    """Two against one may be wrong about the one."""
    X = np.vstack([photos("Alice", 2), photos("Bob", 1)])
    assert TemplateClassifier().fit(X, np.zeros(3, int)).inlier_.all()


def test_strangers_have_no_template() -> None:
    """The class of Unknown is never the likeliest: its probability is STRANGER's."""
    X, y = numbered({"Alice": 5, "Bob": 5, "Unknown": 30})
    classifier = TemplateRecipe(strangers=2).refit(X, y, {})
    proba = classifier.predict_proba(np.vstack([X, photos("Unknown", 50, seed=8)]))
    assert classifier.classes_.tolist() == [0, 1, 2, STRANGER]
    assert proba[:, 2].max() == 0
    assert (proba[10:, 3] > 0.5).mean() > 0.95


def test_distances_give_the_probability_before_a_calibration() -> None:
    """At the even distance 0.5, at the gate 0.9, whatever the length of the encodings."""
    distances = distance_thresholds("sface")
    classifier = TemplateRecipe(distances).refit(np.eye(1, 128), np.zeros(1, int), {})
    for distance, expected in ((distances.even_distance, 0.5), (distances.gate_distance, 0.9)):
        cosine = 1 - distance**2 / 2
        asked = np.zeros((1, 128))
        asked[0, :2] = cosine, np.sqrt(1 - cosine**2)
        assert classifier.predict_proba(asked)[0, 0] == pytest.approx(expected)


def test_what_everybody_has_in_common_does_not_count() -> None:
    """With the mean face known, a face like the mean is nearer to nobody."""
    everybody = np.zeros(128)
    everybody[0] = 0.5
    X = normalise_encodings(np.eye(3, 128)[1:] + everybody)
    y = np.array([0, 1])
    plain = TemplateClassifier(1.128, 1.0).fit(X, y)
    less = TemplateClassifier(1.128, 1.0, mean_face=everybody).fit(X, y)
    asked = normalise_encodings(everybody[None])
    assert plain.scores(asked).max() > less.scores(asked).max()
    # Linear in the template: the similarity to it, less that to the mean face.
    expected = X[0] @ less.templates_[0] - X[0] @ everybody
    assert score_to_similarity(less.scores(X[:1]))[0, 0] == pytest.approx(expected)


def test_two_alike_share_the_probability() -> None:
    """A face between twins is neither's: about half each, hardly a stranger's."""
    one = normalise_encodings(photos("Alice", 1))[0]
    other = normalise_encodings((one + 0.02 * normalise_encodings(photos("Bob", 1))[0])[None])[0]
    classifier = TemplateClassifier().fit(np.stack([one, other]), np.array([0, 1]))
    proba = classifier.predict_proba(normalise_encodings((one + other)[None]))[0]
    assert proba[:2] == pytest.approx([0.5, 0.5], abs=0.1)


def test_many_photos_of_one_person_are_quick_to_learn() -> None:
    """Beyond a size photos are not compared each with each: 3,000 are taken as they are."""
    X = np.random.default_rng(0).normal(size=(3000, 128))
    classifier = TemplateClassifier().fit(X, np.zeros(3000, int))
    assert len(np.unique(classifier.burst_)) == 3000
