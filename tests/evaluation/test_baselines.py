"""Each rule, checked against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from synthetic import gallery, photos

from face_det.embedders.specs import DistanceThresholds, distance_thresholds
from face_det.evaluation import baselines
from face_det.evaluation.baselines import BASELINE_RULES, BaselineGallery, prepare_baseline_gallery
from face_det.evaluation.metrics import Predictions
from face_det.types import UNKNOWN

PLANE = DistanceThresholds(even_distance=0.6, gate_distance=0.5)


def at(*degrees: float) -> npt.NDArray[np.float64]:
    """Points of the unit circle."""
    turned = np.radians(degrees)
    return np.stack([np.cos(turned), np.sin(turned)], axis=1)


def couple() -> BaselineGallery:
    """Alice at 0 and 20 degrees, Bob at 90, and a stranger at 180 who is not enrolled."""
    return prepare_baseline_gallery(at(0, 20, 90, 180), ("Alice", "Alice", "Bob", UNKNOWN), PLANE)


def said(answers: Predictions) -> list[str | None]:
    return [name if named else None for name, named in zip(answers.likeliest, answers.named, strict=True)]


def chord(degrees: float) -> float:
    """The distance between two points of the circle that are `degrees` apart."""
    return 2 * math.sin(math.radians(degrees) / 2)


def test_pyzm_asks_the_nearest_within_a_distance() -> None:
    """sqrt(3) is 2 neighbours; the gate is .6, which is a chord of 34.9 degrees."""
    answers = baselines.pyzm(couple(), at(-30, -40, 60, 125))
    assert said(answers) == ["Alice", None, "Bob", None]
    assert answers.score[0] == pytest.approx(-chord(30))


def test_pyzm_weighs_votes_by_distance() -> None:
    """At 50 degrees Alice's photo is 30 degrees away and Bob's 40; the nearer vote counts more."""
    assert baselines.pyzm(couple(), at(50)).likeliest == ("Alice",)
    assert baselines.pyzm(couple(), at(60)).likeliest == ("Bob",)


def test_ringface_gates_the_machines_choice() -> None:
    """The gate is the distance to the chosen person's nearest photo: .5 is a chord of 28.96 degrees."""
    answers = baselines.ringface(couple(), at(-28, -30, 110))
    assert said(answers) == ["Alice", None, "Bob"]
    assert answers.score[2] == pytest.approx(-chord(20))


def test_ringface_with_one_person() -> None:
    """With one person there is nothing to classify, and the gate still applies."""
    alone = prepare_baseline_gallery(at(0), ("Alice",), PLANE)
    assert said(baselines.ringface(alone, at(10, 60))) == ["Alice", None]


def test_frigate_confidence() -> None:
    """1 / (1 + exp(-20 (cosine - .3))) is .9 at a cosine of .3 + ln 9 / 20 = .4099, 65.8 degrees off."""
    answers = baselines.frigate(
        prepare_baseline_gallery(at(0, 180), ("Alice", UNKNOWN), PLANE), at(65, 67, 90)
    )
    assert said(answers) == ["Alice", None, None]
    assert answers.score[2] == pytest.approx(1 / (1 + math.exp(6)))


def test_frigate_drops_what_does_not_belong() -> None:
    """Two outliers of eight photos are dropped, more than trimming would remove; of five photos none is."""
    eight = at(0, 2, 4, 356, 358, 0, 100, 110)
    assert baselines.build_frigate_template(eight)[1] == pytest.approx(0, abs=0.02)
    five = at(0, 2, 358, 0, 100)
    # 15 % of five is no photo: nothing is trimmed either, and the mean keeps the fifth.
    assert baselines.build_frigate_template(five) == pytest.approx(five.mean(axis=0))


def test_frigate_trims_each_dimension() -> None:
    """Of seven values the lowest and the highest are trimmed: 15 % of seven is one."""
    rows = np.array([[1.0, value] for value in (-0.9, 0.0, 0.1, 0.2, 0.3, 0.4, 0.9)])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    assert baselines.build_frigate_template(rows)[1] == pytest.approx(np.sort(rows[:, 1])[1:-1].mean())


def test_compreface_similarity() -> None:
    """The similarity is .5 at c0 = 1.1818, and (tanh(5.292 * .1) + 1) / 2 = .7424 at .1 less."""
    found = baselines.compreface_similarity(np.array([1.1818, 1.0818, 5.0]))
    assert found == pytest.approx([0.5, 0.74237, 0.0], abs=1e-4)


def test_compreface_and_double_take_differ_in_the_threshold() -> None:
    """.5 is our even distance, .6 of a chord; Double Take's 60 % is at .6 - .0195 of it."""
    asked = at(-np.degrees(2 * np.arcsin(0.295)), -np.degrees(2 * np.arcsin(0.305)))
    assert said(baselines.compreface(couple(), asked)) == ["Alice", None]
    assert said(baselines.double_take(couple(), asked)) == [None, None]


def test_deepstack_compares_with_the_mean() -> None:
    """Alice's mean is at 10 degrees; .67 is a cosine of .34, 70.1 degrees."""
    answers = baselines.deepstack(couple(), at(-60, -61, 10))
    assert said(answers) == ["Alice", None, "Alice"]
    assert answers.score[2] == pytest.approx(1.0)


def test_faceid_averages_the_best_cosines() -> None:
    """The best three of four photos count; .50 is a match and .35 is unsure."""
    four = prepare_baseline_gallery(at(0, 0, 0, 180), ("Alice",) * 4, PLANE)
    answers = baselines.faceid(four, at(59, 61, 69, 70))
    assert said(answers) == ["Alice", None, None, None]
    assert answers.uncertain.tolist() == [False, True, True, False]
    assert answers.score[0] == pytest.approx(math.cos(math.radians(59)))


def test_immich_takes_the_nearest_face() -> None:
    """A cosine distance of .5 is 60 degrees."""
    assert said(baselines.immich(couple(), at(-59, -61))) == ["Alice", None]


def test_distances_are_carried_over_to_other_embedders() -> None:
    """With an even distance of 1.2 every gate is twice as wide."""
    wide = prepare_baseline_gallery(at(0, 20, 90, 180), couple().names, DistanceThresholds(1.2, 1.0))
    assert said(baselines.pyzm(wide, at(-70))) == ["Alice"]
    assert said(baselines.ringface(wide, at(-55))) == ["Alice"]


def test_cosines_are_of_what_differs() -> None:
    """Encodings that all point the same way are centred; unit encodings are not."""
    apart = gallery({"Alice": 5, "Bob": 5})
    assert prepare_baseline_gallery(
        apart.encodings, apart.names, distance_thresholds("dlib_resnet")
    ).centre.any()
    assert not couple().centre.any()


def test_the_original_needs_its_probability() -> None:
    """Three people with twelve photos each are named from .9 on; Unknown is a class like any other."""
    many = gallery({"Alice": 12, "Bob": 12, "Carol": 12, UNKNOWN: 30})
    given = prepare_baseline_gallery(many.encodings, many.names, distance_thresholds("dlib_resnet"))
    asked = np.vstack([photos("Alice", 3, seed=9), photos(UNKNOWN, 5, seed=9)])
    answers = baselines.smart_zoneminder(given, asked)
    assert answers.likeliest[:3] == ("Alice",) * 3
    assert np.array_equal(answers.named, answers.score >= 0.9)
    assert not answers.named[3:].any()
    assert UNKNOWN not in answers.likeliest


@pytest.mark.parametrize("name", BASELINE_RULES)
def test_every_rule_answers_for_every_face(name: str) -> None:
    """Every rule answers for people with a single photo too, and never names Unknown."""
    many = gallery({"Alice": 3, "Bob": 1, UNKNOWN: 4})
    given = prepare_baseline_gallery(many.encodings, many.names, distance_thresholds("dlib_resnet"))
    strangers = many.encodings[[name == UNKNOWN for name in many.names]]
    answers = BASELINE_RULES[name](given, np.vstack([photos("Alice", 4, seed=5), strangers]))
    assert len(answers.likeliest) == len(answers.score) == len(answers.named) == 8
    assert set(answers.likeliest) <= {"Alice", "Bob"}
    assert np.isfinite(answers.score).all()


@pytest.mark.parametrize("names", [("anna", "anna"), ("anna", "ben")])
def test_the_original_cannot_be_trained_on_so_little(names: tuple[str, ...]) -> None:
    """With one class, or one photo each, it names nobody, as before its first training."""
    few = prepare_baseline_gallery(at(0, 90), names, distance_thresholds("dlib_resnet"))
    assert said(baselines.smart_zoneminder(few, at(0, 90))) == [None, None]
