"""Threshold and calibration out of the training photos alone."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import gallery, photos

from face_det.classifiers.similarity import score_to_similarity, similarity_to_score
from face_det.classifiers.template import TemplateClassifier
from face_det.training import calibration, comparison_scores
from face_det.training.background import load_background, load_mean_face
from face_det.training.calibration import fit_tail
from face_det.types import UNKNOWN, Encodings

NAMES = [f"Person {number:02d}" for number in range(12)]
FAMILY = {**dict.fromkeys(NAMES, 6), UNKNOWN: 150}


def fitted(counts: dict[str, int]) -> tuple[TemplateClassifier, Encodings, np.ndarray]:
    made = gallery(counts)
    y = np.array([made.people.index(name) for name in made.names])
    strangers = made.people.index(UNKNOWN) if UNKNOWN in made.people else None
    return TemplateClassifier(strangers=strangers).fit(made.encodings, y), made.encodings, y


def test_each_photo_is_asked_about_without_itself() -> None:
    """Its own person's score is that of a template made of the others, made to the template's length."""
    classifier, X, y = fitted({"Alice": 3, "Bob": 3})
    made = comparison_scores.score_comparisons(classifier, X, y)
    units = X[:3] / np.linalg.norm(X[:3], axis=1, keepdims=True)
    others = units[1:].mean(axis=0) / np.linalg.norm(units.mean(axis=0))
    assert made.genuine[0, 0] == pytest.approx(float(similarity_to_score(units[0] @ others)))
    assert made.genuine[0, 0] < classifier.scores(X[:1])[0, 0]


def test_photos_of_one_burst_do_not_vouch_for_each_other() -> None:
    """A burst counts as one photo: with it alone, a person is without a genuine score."""
    one = photos("Alice", 1)
    burst = np.vstack([one + 0.001 * number for number in range(5)])
    X = np.vstack([burst, photos("Bob", 4)])
    y = np.repeat([0, 1], [5, 4])
    classifier = TemplateClassifier().fit(X, y)
    made = comparison_scores.score_comparisons(classifier, X, y)
    assert set(made.genuine_person.tolist()) == {1}
    assert made.bursts == 2.5


def test_impostors_are_strangers_and_other_people_each_once() -> None:
    """150 strangers and 12 people among the other 11, however many photos they have."""
    made = comparison_scores.score_comparisons(*fitted(FAMILY))
    assert made.impostor_people == 162
    assert len(made.impostor) == 150 + 72
    assert made.enrolled_people == 12


@pytest.mark.parametrize("photos_each", ["copies", "photos"])
def test_a_stranger_counts_once_however_many_photos(photos_each: str) -> None:
    """Five regular passers-by, 100 photos of each, are five people: nothing is claimed to be shown by them,
    and no lower threshold comes of them than of nobody."""
    family = gallery({"Alice": 5, "Bob": 5, "Carol": 5})
    people = [photos(f"passer-by {number}", 100) for number in range(5)]
    if photos_each == "copies":
        people = [np.repeat(one[:1], 100, axis=0) for one in people]
    X = np.vstack([family.encodings, *people])
    y = np.concatenate([np.repeat([0, 1, 2], 5), np.full(500, 3)])
    classifier = TemplateClassifier(strangers=3).fit(X, y)
    made = comparison_scores.score_comparisons(classifier, X, y)
    assert made.impostor_people <= 3 + 3 * 5
    found = calibration.threshold_for_rate(made, "dlib_resnet", 0.002)
    alone = comparison_scores.score_comparisons(TemplateClassifier().fit(X[:15], y[:15]), X[:15], y[:15])
    assert found == calibration.threshold_for_rate(alone, "dlib_resnet", 0.002)
    decides = calibration.calibrate_verifier(classifier, X, y, "dlib_resnet", 0.002)
    assert not decides.claimed


def test_nobody_is_their_own_impostor() -> None:
    """Among the others, a person's own template is left out."""
    made = comparison_scores.score_comparisons(*fitted({"Alice": 4, "Bob": 4}))
    assert np.isneginf(made.impostor[:4, 0]).all()
    assert np.isfinite(made.impostor[:4, 1]).all()


@pytest.mark.parametrize("rate", [0.02, 0.005])
def test_strangers_reach_the_threshold_at_the_wanted_rate(rate: float) -> None:
    """Of 20,000 new strangers, between a fifth of the rate and three times the rate are over it."""
    classifier, X, y = fitted({**FAMILY, UNKNOWN: 600})
    made = comparison_scores.score_comparisons(classifier, X, y)
    found = calibration.threshold_for_rate(made, "an embedder without background", rate)
    assert found is not None
    new = classifier.scores(photos(UNKNOWN, 20_000, seed=77)).max(axis=1)
    assert rate / 5 <= np.mean(new > found) <= 3 * rate


def test_a_lower_rate_is_a_higher_threshold() -> None:
    """Each step costs something."""
    made = comparison_scores.score_comparisons(*fitted(FAMILY))
    found = [
        calibration.threshold_for_rate(made, "dlib_resnet", rate) for rate in (0.05, 0.01, 0.002, 0.0001)
    ]
    assert found == sorted(found)
    assert len(set(found)) == 4


def test_two_looks_need_the_threshold_of_half_the_rate() -> None:
    """And of a quarter of it, four: the tail says so; it is kept when a rate is chosen anew."""
    made = comparison_scores.score_comparisons(*fitted(FAMILY))
    decides = calibration.calibrate_verifier(*fitted(FAMILY), "dlib_resnet", 0.004)
    for looks in (1, 2, 4):
        found = calibration.threshold_for_rate(made, "dlib_resnet", 0.004 / looks)
        assert decides.threshold_for(looks) == pytest.approx(found, abs=0.01)
    assert decides.tail > 0.01


def test_without_impostors_the_background_says_it() -> None:
    """One person, no strangers: the threshold of any such family, not a guess and not an error."""
    made = comparison_scores.score_comparisons(*fitted({"Alice": 4}))
    assert made.impostor_people == 0
    known = load_background("dlib_resnet", 4)
    assert known is not None
    found = calibration.threshold_for_rate(made, "dlib_resnet", 0.002)
    assert float(known.probability_above(found, 1)) == pytest.approx(0.002, rel=0.01)


def test_more_people_more_chances_for_a_stranger() -> None:
    """The threshold of a crowd is higher than a family's, by the background alone."""
    known = load_background("sface", 4)
    assert known is not None
    one, forty = (float(known.probability_above(-0.3, people)) for people in (1, 40))
    assert forty == pytest.approx(1 - (1 - one) ** 40)
    few, many = (calibration.threshold_for_rate(_nobody_seen(people), "sface", 0.002) for people in (2, 200))
    assert few is not None
    assert many is not None
    assert few < many


def _nobody_seen(people: int) -> comparison_scores.ComparisonScores:
    empty = np.empty((0, people))
    return comparison_scores.ComparisonScores(empty, np.empty(0, np.intp), empty, np.empty(0), 4.0)


def test_a_family_member_among_the_strangers_does_not_raise_it_far() -> None:
    """A photo of somebody enrolled in Unknown is an outlier of the tail, and is limited."""
    counts = {**FAMILY, UNKNOWN: 300}
    clean, X, y = fitted(counts)
    before = calibration.threshold_for_rate(
        comparison_scores.score_comparisons(clean, X, y), "dlib_resnet", 0.002
    )
    dirty = X.copy()
    dirty[np.flatnonzero(y == clean.strangers)[0]] = photos(NAMES[0], 1, seed=50)[0]
    again = TemplateClassifier(strangers=clean.strangers).fit(dirty, y)
    after = calibration.threshold_for_rate(
        comparison_scores.score_comparisons(again, dirty, y), "dlib_resnet", 0.002
    )
    assert before is not None
    assert after is not None
    best = comparison_scores.score_comparisons(again, dirty, y).best_impostor.max()
    assert after - before < 0.15 < best - before


def test_probabilities_are_right_as_often_as_they_say() -> None:
    """New photos and strangers at the prior that is assumed: expected calibration error under 3 %."""
    classifier, X, y = fitted({**FAMILY, UNKNOWN: 400})
    calibration.calibrate_verifier(classifier, X, y, "dlib_resnet", 0.002)
    known = np.vstack([photos(name, 100, seed=9) for name in NAMES])
    strangers = photos(UNKNOWN, int(len(known) / calibration.GENUINE_PER_IMPOSTOR), seed=9)
    truth = np.concatenate([np.repeat(np.arange(12), 100), np.full(len(strangers), -1)])
    proba = classifier.predict_proba(np.vstack([known, strangers]))[:, :12]
    likely, right = proba.max(axis=1), proba.argmax(axis=1) == truth
    bins = np.minimum((likely * 10).astype(int), 9)
    error = sum(
        abs(likely[bins == at].mean() - right[bins == at].mean()) * np.mean(bins == at)
        for at in np.unique(bins)
    )
    assert error <= 0.03


def test_photos_that_are_far_apart_make_no_step_of_the_probabilities() -> None:
    """Where no trial is doubtful the likelihood would be a step; the tails keep it a slope."""
    classifier, X, y = fitted({"Alice": 8, "Bob": 8, UNKNOWN: 20})
    calibration.calibrate_verifier(classifier, X, y, "sface", 0.002)
    assert classifier.slope_ < 250


def test_what_a_claim_needs() -> None:
    """Rule of three: 1,500 impostors for 0.002; 162 are an estimate, 1,600 a claim."""
    classifier, X, y = fitted(FAMILY)
    few = calibration.calibrate_verifier(classifier, X, y, "dlib_resnet", 0.002)
    assert (few.impostors, few.needed, few.claimed) == (162, 1500, False)
    classifier, X, y = fitted({**FAMILY, UNKNOWN: 1590})
    assert calibration.calibrate_verifier(classifier, X, y, "dlib_resnet", 0.002).claimed


def test_tail_of_weighed_values() -> None:
    """The mean excess over the value that a twentieth of the weight lies above."""
    rng = np.random.default_rng(3)
    values = rng.exponential(0.2, 20_000)
    start, scale = fit_tail(values, np.ones(len(values)))
    assert start == pytest.approx(0.2 * np.log(20), rel=0.05)
    assert scale == pytest.approx(0.2, rel=0.1)
    halved = fit_tail(np.repeat(values, 2), np.full(2 * len(values), 0.5))
    assert halved == pytest.approx((start, scale), rel=0.01)


def test_background_of_strangers_is_its_own_tail() -> None:
    """What `strangers` draws lies beyond a score as often as `beyond` says."""
    for embedder in ("dlib_resnet", "sface"):
        known = load_background(embedder, 5)
        assert known is not None
        drawn = known.impostor_scores(10, 20_000)
        for part in (0.5, 0.1, 0.01):
            at = float(np.quantile(drawn, 1 - part))
            assert float(known.probability_above(at, 10)) == pytest.approx(part, rel=0.1)


def test_background_grows_with_the_photos() -> None:
    """A template of more bursts is nearer to its person, also beyond the tables."""
    middles = [
        float(np.median(load_background("sface", count).genuine_scores(100))) for count in (1, 2, 3, 4, 5, 20)
    ]
    assert middles == sorted(middles)
    assert len(set(middles)) == 6


def test_only_sface_has_a_mean_face() -> None:
    """Of length below 1; nothing is known of others."""
    assert load_mean_face("dlib_resnet") is None
    assert load_mean_face("another") is None
    assert load_background("another", 3) is None
    found = load_mean_face("sface")
    assert found is not None
    assert 0.05 < np.linalg.norm(found) < 0.5


def test_likeness_and_score_are_inverse() -> None:
    """Up to rounding."""
    values = np.array([-0.2, 0.0, 0.36, 0.95])
    assert score_to_similarity(similarity_to_score(values)) == pytest.approx(values)
