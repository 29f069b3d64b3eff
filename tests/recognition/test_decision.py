"""From probabilities, and from templates, to names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from synthetic import gallery, photos

from face_det.classifiers.template import TemplateClassifier
from face_det.errors import ModelMismatch
from face_det.gallery.gallery import Gallery
from face_det.recognition import OLDER_TAIL, Verifier, model_file
from face_det.recognition.decision import PROBABILITY_DECISION, DecisionRule, decide_names
from face_det.recognition.model import Model, ModelCard
from face_det.training import train
from face_det.types import UNKNOWN, Box, Candidate, Match, Outcome, Reason

ROWS = {
    "sure": [0.95, 0.03, 0.02],
    "at the gate": [0.05, 0.9, 0.05],
    "torn": [0.5, 0.4, 0.1],
    "stranger": [0, 0.04, 0.96],
}


@pytest.fixture
def family() -> Model:
    """A classifier that answers with ROWS, whatever it is shown."""
    rows = np.array(list(ROWS.values()))
    classifier = SimpleNamespace(classes_=np.arange(3), predict_proba=lambda X: rows[: len(X)])
    labels = ("Alice", "Bob", "Unknown")
    return Model(classifier, labels, ModelCard("svm", "svm", {}, labels, None, None), "")


def test_the_likeliest_is_the_name_if_it_is_likely_enough(family: Model) -> None:
    """minProba itself is enough; Unknown is a name like any other; the rest keeps its probability."""
    assert decide_names(family, np.zeros((4, 128)), DecisionRule(0.9, PROBABILITY_DECISION)) == [
        Match("Alice", 0.95, None, Outcome.KNOWN),
        Match("Bob", 0.9, None, Outcome.KNOWN),
        Match(
            None,
            0.5,
            Reason.UNRECOGNISED,
            Outcome.UNCERTAIN,
            (Candidate("Alice", 0.5), Candidate("Bob", 0.4)),
        ),
        Match("Unknown", 0.96, None, Outcome.UNKNOWN),
    ]


def test_a_lower_gate_names_more(family: Model) -> None:
    """A minProba of next to nothing names everybody."""
    names = [
        match.name
        for match in decide_names(family, np.zeros((4, 128)), DecisionRule(0.01, PROBABILITY_DECISION))
    ]
    assert names == ["Alice", "Bob", "Alice", "Unknown"]


def test_without_a_model_nobody_is_known() -> None:
    """One answer a face all the same."""
    nobody = Match(None, None, Reason.UNRECOGNISED, Outcome.UNCERTAIN)
    assert decide_names(None, np.zeros((2, 128)), DecisionRule(0.01, PROBABILITY_DECISION)) == [nobody] * 2


def test_no_faces_no_answers(family: Model) -> None:
    """An empty picture is no special case for the caller."""
    assert decide_names(family, np.empty((0, 128)), DecisionRule(0.9, PROBABILITY_DECISION)) == []


def test_plain_numbers(family: Model) -> None:
    """What goes over the wire is Python's float: zerorpc cannot send numpy's."""
    assert (
        type(decide_names(family, np.zeros((1, 128)), DecisionRule(0.9, PROBABILITY_DECISION))[0].probability)
        is float
    )


# ---- the rule of a model that carries what it needs


FACES = {**dict.fromkeys([f"Person {number}" for number in range(6)], 6), UNKNOWN: 60}


@pytest.fixture(scope="module")
def verified() -> Model:
    """Templates of six people, with strangers."""
    fitted = train.refit_model(None, gallery(FACES), kind="template")
    assert fitted is not None
    assert fitted.verifier is not None
    return fitted


def test_known_uncertain_unknown(verified: Model) -> None:
    """A new photo is named, a stranger is Unknown, and what lies between gets candidates."""
    own = photos("Person 3", 1, seed=4)
    stranger = photos(UNKNOWN, 1, seed=4)
    between = next(
        mixed
        for part in np.linspace(0, 1, 101)
        if decide_names(verified, mixed := part * own + (1 - part) * stranger, DecisionRule())[0].outcome
        is Outcome.UNCERTAIN
    )
    known, unsure, nobody = decide_names(verified, np.vstack([own, between, stranger]), DecisionRule())
    assert (known.name, known.outcome, known.reason, known.candidates) == (
        "Person 3",
        Outcome.KNOWN,
        None,
        (),
    )
    assert known.probability is not None
    assert known.probability >= 0.9
    assert (unsure.name, unsure.reason) == (None, Reason.UNRECOGNISED)
    assert unsure.candidates[0].name == "Person 3"
    assert unsure.candidates[0].probability == unsure.probability
    assert (nobody.name, nobody.outcome, nobody.reason) == (UNKNOWN, Outcome.UNKNOWN, None)


def test_no_score_no_name(verified: Model) -> None:
    """Below the threshold a face is not named, however likely it is said to be."""
    own = photos("Person 3", 40, seed=4)
    assert verified.verifier is not None
    strict = replace(verified, verifier=replace(verified.verifier, threshold=1e9))
    assert not [
        match for match in decide_names(strict, own, DecisionRule()) if match.outcome is Outcome.KNOWN
    ]


def test_whoever_may_be_named_by_two_looks_needs_more_of_each(verified: Model) -> None:
    """So much that strangers are named by either no more often than by a single one."""
    own = photos("Person 3", 1, seed=4)
    assert verified.verifier is not None
    score = float(verified.verifier.template.scores(own).max())
    between = replace(verified.verifier, threshold=score - verified.verifier.tail * np.log(2) / 2)
    barely = replace(verified, verifier=between)
    asked = np.vstack([own, own])
    outcomes = [
        [match.outcome for match in decide_names(barely, asked, DecisionRule(), looks=looks)]
        for looks in (None, [1, 2])
    ]
    assert outcomes == [[Outcome.KNOWN] * 2, [Outcome.KNOWN, Outcome.UNCERTAIN]]


def test_min_proba_acts_on_the_calibrated_probability(verified: Model) -> None:
    """Whoever is named is at least so likely; the higher, the fewer."""
    own, strangers = photos("Person 3", 100, seed=4), photos(UNKNOWN, 100, seed=4)
    parts = np.linspace(0.3, 0.8, 100)[:, None]
    asked = parts * own + (1 - parts) * strangers
    counts = []
    for least in (0.5, 0.9, 0.99999):
        named = [
            match
            for match in decide_names(verified, asked, DecisionRule(least))
            if match.outcome is Outcome.KNOWN
        ]
        assert all(match.probability >= least for match in named)
        counts.append(len(named))
    assert counts[0] >= counts[1] >= counts[2]
    assert counts[0] > counts[2]


def test_of_twins_neither_is_named() -> None:
    """Two people who look the same: the face is somebody's, and the candidates are both."""
    pair = gallery({"Ann": 6, UNKNOWN: 40})
    twins = Gallery(np.vstack([pair.encodings, photos("Ann", 6, seed=8)]), [*pair.names, *["Bea"] * 6])
    model = train.refit_model(None, twins, kind="template")
    (match,) = decide_names(model, photos("Ann", 1, seed=9), DecisionRule(min_proba=0.3))
    assert match.outcome is Outcome.UNCERTAIN
    assert {candidate.name for candidate in match.candidates} == {"Ann", "Bea"}


def test_too_far_from_the_photos_is_nobody(verified: Model) -> None:
    """The distance gate: the direction is right, the length is another network's."""
    own = photos("Person 3", 1, seed=4)
    assert decide_names(verified, own, DecisionRule())[0].name == "Person 3"
    assert decide_names(verified, 3 * own, DecisionRule())[0].name is None


def test_the_templates_decide_whatever_the_classifier_says(verified: Model) -> None:
    """An svm that says somebody else, or nobody, takes no name away, and gives none."""
    own = photos("Person 3", 1, seed=4)
    said = np.zeros((1, 7))
    for column in (3, 2, 6):
        said[:] = np.eye(7)[column]
        classifier = SimpleNamespace(classes_=np.arange(7), predict_proba=lambda X: said)
        model = replace(verified, classifier=classifier)
        assert decide_names(model, own, DecisionRule()) == decide_names(verified, own, DecisionRule())
        assert decide_names(model, own, DecisionRule())[0].name == "Person 3"


def test_a_poor_face_is_not_called_unknown(verified: Model) -> None:
    """Nobody's face, seen well, is; seen poorly it is uncertain. It takes no name away."""
    nobody, own = photos("Nobody", 1, seed=9), photos("Person 3", 1, seed=4)
    rule = DecisionRule()
    (clear,) = decide_names(verified, nobody, rule, qualities=[0.99])
    (poor,) = decide_names(verified, nobody, rule, qualities=[0.6])
    assert (clear.outcome, poor.outcome) == (Outcome.UNKNOWN, Outcome.UNCERTAIN)
    assert clear == decide_names(verified, nobody, rule, qualities=[None])[0]
    assert decide_names(verified, own, rule, qualities=[0.05]) == decide_names(verified, own, rule)
    assert decide_names(verified, own, rule)[0].name == "Person 3"


def test_a_person_is_named_once_a_frame(verified: Model) -> None:
    """Two faces of one frame cannot both be Person 3: the likelier is; in two frames they can."""
    two = photos("Person 3", 2, seed=4)
    here, there = Box(0, 0, 50, 50), Box(100, 0, 150, 50)
    alone = decide_names(verified, two, DecisionRule())
    assert [match.name for match in alone] == ["Person 3"] * 2
    together = decide_names(verified, two, DecisionRule(), ["frame", "frame"], [here, there])
    likelier = int(alone[1].probability > alone[0].probability)
    assert together[likelier] == alone[likelier]
    other = together[1 - likelier]
    assert (other.name, other.outcome, other.reason) == (None, Outcome.UNCERTAIN, Reason.UNRECOGNISED)
    assert [candidate.name for candidate in other.candidates] == ["Person 3"]
    apart = decide_names(verified, two, DecisionRule(), ["one", "another"], [here, there])
    assert [match.name for match in apart] == ["Person 3"] * 2


def test_one_face_in_two_persons_boxes_is_one_face(verified: Model) -> None:
    """The boxes of two people overlap, and the same face is seen in both: both are told its name."""
    two = photos("Person 3", 2, seed=4)
    boxes = [Box(0, 0, 50, 50), Box(2, 1, 52, 51)]
    matches = decide_names(verified, two, DecisionRule(), ["frame", "frame"], boxes)
    assert [match.name for match in matches] == ["Person 3"] * 2


def test_without_strangers_among_the_labels_nobody_has_no_name() -> None:
    """A support vector machine without Unknown: the outcome says unknown, the name stays null."""
    fitted = train.refit_model(None, gallery({"Alice": 6, "Bob": 6}), kind="svm")
    assert fitted is not None
    assert UNKNOWN not in fitted.labels
    (match,) = decide_names(fitted, photos(UNKNOWN, 1, seed=4), DecisionRule())
    assert (match.name, match.outcome, match.reason) == (None, Outcome.UNKNOWN, Reason.UNRECOGNISED)


def test_the_originals_rule_on_request(verified: Model) -> None:
    """`proba` asks the classifier alone."""
    stranger = photos(UNKNOWN, 1, seed=4)
    (match,) = decide_names(verified, stranger, DecisionRule(0.01, PROBABILITY_DECISION))
    assert match.probability == pytest.approx(float(verified.proba(stranger).max()))


def test_the_rule_survives_the_files(verified: Model, tmp_path: Path) -> None:
    """Also of a classifier that is no template, which carries the templates with it."""
    asked = np.vstack([photos("Person 1", 5, seed=4), photos(UNKNOWN, 5, seed=4)])
    for model in (verified, train.refit_model(None, gallery(FACES), kind="svm")):
        classifier, labels = model_file.dump_model(model)
        (tmp_path / "c").write_bytes(classifier)
        (tmp_path / "l").write_bytes(labels)
        again = model_file.load_model(tmp_path / "c", tmp_path / "l")
        assert decide_names(again, asked, DecisionRule()) == decide_names(model, asked, DecisionRule())
        assert again.verifier is not None
        assert again.verifier.rate == model.verifier.rate
        assert again.verifier.tail == model.verifier.tail > 0


def test_older_models_have_no_tail(verified: Model) -> None:
    """Then two looks need more than they would."""
    assert verified.verifier is not None
    stored = verified.verifier.as_dict(verified.classifier)
    shape = verified.verifier.template.templates_.shape
    del stored["tail"]
    older = Verifier.from_dict(stored, verified.classifier, shape)
    assert older.threshold == verified.verifier.threshold
    assert older.tail == OLDER_TAIL


@pytest.mark.parametrize(
    "damage",
    [
        {"threshold": float("nan")},
        {"template": "a text"},
        {"template": TemplateClassifier().fit(np.eye(2, 128), np.array([0, 1]))},
        {"rate": None},
        {"tail": -1.0},
    ],
    ids=lambda damage: next(iter(damage)),
)
def test_a_damaged_rule_is_refused(damage: dict, tmp_path: Path) -> None:
    """It would name people by chance."""
    model = train.refit_model(None, gallery(FACES), kind="nearest")
    setattr(
        model.classifier,
        model_file.VERIFIER_ATTRIBUTE,
        {**getattr(model.classifier, model_file.VERIFIER_ATTRIBUTE), **damage},
    )
    classifier, labels = model_file.dump_model(model)
    (tmp_path / "c").write_bytes(classifier)
    (tmp_path / "l").write_bytes(labels)
    with pytest.raises(ModelMismatch, match="intact verifier"):
        model_file.load_model(tmp_path / "c", tmp_path / "l")
