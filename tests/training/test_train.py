"""Training: what is held out, what is skipped, what is saved; and learning without a search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from io import BytesIO

import numpy as np
import PIL.Image
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from synthetic import gallery, numbered, photos

from face_det.errors import ConfigError, TooFewPeople
from face_det.evaluation.report import training as report_training
from face_det.gallery.gallery import Gallery
from face_det.recognition.decision import DecisionRule, decide_names
from face_det.recognition.model import Model, ModelCard
from face_det.recognition.model_file import assemble_model
from face_det.training import train as training
from face_det.training.held_out import HeldOutResult, NamingCounts
from face_det.training.train import TrainingResult

FAMILY = {"Alice": 10, "Bob": 10, "Unknown": 20}


def made(counts: dict[str, int]) -> Gallery:
    """A gallery that says which network it is of."""
    plain = gallery(counts)
    return Gallery(plain.encodings, plain.names, {"dlib_resnet": "dlib_resnet:1"})


def train(counts: dict[str, int], recipes: Sequence[str] = ("svm", "nearest")) -> TrainingResult:
    return training.train_classifiers(
        made(counts), recipes, jobs=1, thorough=False, on_progress=lambda *_: None
    )


@pytest.fixture(scope="module")
def family() -> TrainingResult:
    """Everything trained on a small family."""
    return train(FAMILY, ("svm", "xgb", "nearest"))


def test_trains_what_is_asked_for_in_that_order(family: TrainingResult) -> None:
    """A model each, with its kind, parameters, embedder and time on the card."""
    assert [model.card.kind for model in family.models] == ["svm", "xgb", "nearest"]
    assert {model.card.fingerprint for model in family.models} == {"dlib_resnet:1"}
    assert all(model.card.trained_at and model.recipe == model.card.kind for model in family.models)
    assert set(family.models[0].card.params) == {"C", "kernel", "gamma"}
    assert family.models[2].card.params == {}
    assert not family.skipped


@pytest.mark.usefixtures("searched_once")
def test_whose_encodings_each_kind_learns_from() -> None:
    """Several views of dlib's where they are known; the original's kinds learn from its own numbers, and
    an embedder that is asked for by either name is the same."""
    one = made(FAMILY)
    views = {"dlib_resnet": one.encodings, "dlib_views": one.encodings * 0.9}
    prints = {"dlib_resnet": "dlib_resnet:1", "dlib_views": "dlib_views:1"}
    both = Gallery(views, one.names, prints)
    for embedder in ("auto", "dlib_resnet", "dlib_views"):
        kinds = ["svm", "template", "xgb", "nearest"]
        result = training.train_classifiers(
            both, kinds, embedder=embedder, jobs=1, thorough=False, on_progress=lambda *_: None
        )
        assert [model.card.fingerprint for model in result.models] == [
            *("dlib_resnet:1", "dlib_views:1", "dlib_resnet:1", "dlib_views:1")
        ]
        for kind, model in zip(kinds, result.models, strict=True):
            again = training.refit_model(model, both, kind=kind, embedder=embedder)
            assert again is not None
            assert again.card.fingerprint == model.card.fingerprint
        plain = training.refit_model(None, one, kind="template", embedder=embedder)
        assert plain is not None
        assert plain.card.fingerprint == "dlib_resnet:1", "of what is there"
    with_sface = Gallery({**views, "sface": -one.encodings}, one.names, {**prints, "sface": "sface:1"})
    assert training.choose_training_embedder(with_sface, "auto") == "sface"
    assert training.choose_training_embedder(with_sface, "dlib_views", "svm") == "dlib_resnet"


def test_one_label_file_serves_all(family: TrainingResult) -> None:
    """The three are written beside one face_labels.pickle."""
    assert {model.card.classes for model in family.models} == {("Alice", "Bob", "Unknown")}


def test_a_fifth_is_held_out_of_everybody(family: TrainingResult) -> None:
    """Stratified: 2 of 10, 2 of 10, 4 of 20; the same for each classifier."""
    for one in family.trained:
        assert one.held_out is not None
        assert sorted(one.held_out.true) == ["Alice"] * 2 + ["Bob"] * 2 + ["Unknown"] * 4
        assert one.held_out.accuracy >= 0.75


def test_what_is_saved_knows_all_photos() -> None:
    """After it was judged, the classifier is trained again with the photos held out."""
    saved = train(FAMILY, ["nearest"]).models[0].classifier
    assert len(saved.photos_) == 40  # type: ignore[attr-defined]


def test_what_is_judged_does_not_know_them() -> None:
    """A photo held out is not in the classifier that is asked about it: no distance of 0, no p of 1."""
    held = train(FAMILY, ["nearest"]).trained[0].held_out
    assert held is not None
    known = held.probability[[name != "Unknown" for name in held.true]]
    assert known.max() < 0.9999


def test_frames_of_one_visit_are_not_judged() -> None:
    """A classifier trained on one frame knows the others: of two visits of five frames each nothing is held
    out, of ten photos of Carol's two are."""
    visits = {name: photos(name, 2) for name in ("Alice", "Bob")}
    frames = [np.repeat(rows, 5, axis=0) + 0.001 * np.arange(10)[:, None] for rows in visits.values()]
    carol, strangers = photos("Carol", 10), photos("Unknown", 20)
    names = ("Alice",) * 10 + ("Bob",) * 10 + ("Carol",) * 10 + ("Unknown",) * 20
    family = Gallery(np.vstack([*frames, carol, strangers]), names)
    result = training.train_classifiers(
        family, ["template"], jobs=1, thorough=False, on_progress=lambda *_: None
    )
    held = result.trained[0].held_out
    assert held is not None
    assert Counter(held.true) == {"Carol": 2, "Unknown": 4}
    alone = family.without("Carol").without("Unknown")
    found = training.train_classifiers(
        alone, ["nearest"], jobs=1, thorough=False, on_progress=lambda *_: None
    ).trained[0]
    assert found.held_out is None
    assert len(found.model.classifier.photos_) == 20, "then all photos are trained on"


def test_people_with_few_photos_are_trained_and_not_tested() -> None:
    """Carol's and Dave's photos are all for training, and the report says so."""
    result = train({**FAMILY, "Carol": 2, "Dave": 1})
    for one in result.trained:
        assert one.held_out is not None
        assert not {"Carol", "Dave"} & set(one.held_out.true)
        assert {"Carol", "Dave"} <= set(one.model.labels)
    assert any("Carol (2), Dave (1)" in note for note in result.notes)


def test_one_person_trains_what_can_be_trained() -> None:
    """svm and xgb need two people: they are skipped with the reason, nearest is there."""
    result = train({"Alice": 1}, ("svm", "xgb", "nearest"))
    assert [model.card.kind for model in result.models] == ["nearest"]
    assert [skip.kind for skip in result.skipped] == ["svm", "xgb"]
    assert all(
        "add photos of strangers to dataset/Unknown, or train nearest" in s.reason for s in result.skipped
    )
    assert result.trained[0].held_out is None
    matches = decide_names(
        result.models[0], np.vstack([photos("Alice", 1), photos("Bob", 1)]), DecisionRule()
    )
    assert [match.name for match in matches] == ["Alice", "Unknown"]


def test_one_person_with_many_photos() -> None:
    """Nobody to be mistaken for: judged all the same, without a warning."""
    held = train({"Alice": 9}, ["nearest"]).trained[0].held_out
    assert held is not None
    assert set(held.true) == {"Alice"}
    assert report_training.draw_held_out_confusion(held, "nearest")


def test_error_only_if_nothing_can_be_trained() -> None:
    """One message with the reason of each."""
    with pytest.raises(TooFewPeople, match=r"svm: must have .*; xgb: must have "):
        train({"Alice": 5}, ("svm", "xgb"))


def test_photos_too_few_to_test_anything() -> None:
    """One photo each: svm cannot tell its candidates apart, and says that; xgb the same."""
    result = train({"Alice": 1, "Bob": 1, "Carol": 1}, ("svm", "xgb", "nearest"))
    assert [skip.kind for skip in result.skipped] == ["svm", "xgb"]
    assert "two or more photos of 2 people" in result.skipped[0].reason


def test_nobody_is_too_few() -> None:
    """An empty gallery is not for training."""
    with pytest.raises(TooFewPeople, match=r"must hold one face or more, got none"):
        training.train_classifiers(
            Gallery.empty(),
            ["nearest"],
            jobs=1,
            thorough=False,
            on_progress=lambda *_: None,
        )


def test_unknown_recipe_is_a_fault_of_the_configuration() -> None:
    """The menu is listed, and the nearest entry suggested."""
    with pytest.raises(
        ConfigError, match=r"one of .*nearest, svm, template, xgb, got 'svn'; did you mean 'svm'"
    ):
        train(FAMILY, ["svn"])


def test_missing_strangers_are_pointed_out() -> None:
    """Without dataset/Unknown strangers are taken from elsewhere, and with few the rate is an estimate."""
    family = {"Alice": 5, "Bob": 5}
    assert any("no strangers" in note for note in train(family, ["svm"]).notes)
    (few,) = train({**family, "Unknown": 30}, ["nearest"]).notes
    assert "3000 would show it by counting" in few


def test_same_gallery_same_models(family: TrainingResult) -> None:
    """A second training answers the same to the last bit."""
    X = photos("Alice", 5, seed=3)
    first, second = family.models[0], train(FAMILY, ["svm"]).models[0]
    assert first.card.params == second.card.params
    assert np.array_equal(first.proba(X), second.proba(X))


# ---- the report


HELD = HeldOutResult(
    ("Ann", "Ann", "Bob", "Bob", "Bob", "Unknown", "Unknown", "Unknown"),
    ("Ann", "Bob", "Bob", "Bob", "Bob", "Unknown", "Unknown", "Ann"),
    np.array([0.95, 0.95, 0.5, 0.9, 0.6, 0.5, 0.9, 0.3]),
    lambda rule: [
        *("Ann", "Bob", None, "Bob", "Unknown", None, "Unknown"),
        "Ann" if rule.min_proba < 0.5 else None,
    ],
)


def test_figures_of_the_photos_held_out() -> None:
    """Right and wrong names as it decides, and the matrix of who was taken for whom."""
    assert HELD.accuracy == 0.75
    assert HELD.named(DecisionRule(0.9)) == NamingCounts(5, right=2, wrong=1, strangers=3, strangers_named=0)
    assert HELD.named(DecisionRule(0.1)).strangers_named == 1
    assert HELD.matrix().tolist() == [[1, 1, 0], [0, 3, 0], [1, 0, 2]]
    assert HELD.report()["Bob"]["recall"] == 1


def test_report_says_everything(family: TrainingResult) -> None:
    """For each classifier: parameters, score, figures, and scikit-learn's report."""
    text = report_training.training_as_text(family, DecisionRule(0.9))
    for expected in (
        "svm: C=",
        "kernel=",
        "cross-validation: accuracy",
        "held-out photos: 8; accuracy of the likeliest person: ",
        "f1-score",
        "Alice",
    ):
        assert expected in text
    values = report_training.training_as_json(family, DecisionRule(0.9))
    assert [one["classifier"] for one in values["trained"]] == ["svm", "xgb", "nearest"]
    assert values["photos"] == FAMILY


def test_the_report_is_about_what_is_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Photos held out are judged, calibrated and decided as by the model that answers, but for them."""
    family = made({**dict.fromkeys((f"Person {number}" for number in range(12)), 10), "Unknown": 60})
    (found,) = training.train_classifiers(
        family, ["template"], jobs=1, thorough=False, on_progress=lambda *_: None
    ).trained
    asked: list[Model] = []
    monkeypatch.setattr(training, "decide_names", lambda model, *_: asked.append(model) or [])
    assert found.held_out is not None
    with pytest.raises(ValueError, match="zip"):
        found.held_out.named(DecisionRule())
    (judged,) = asked
    saved = found.model.verifier
    assert saved is not None
    assert judged.verifier is not None
    assert judged.verifier.template is judged.classifier
    assert judged.verifier.threshold == pytest.approx(saved.threshold, abs=0.2)
    assert judged.classifier.slope_ == pytest.approx(found.model.classifier.slope_, rel=0.3)
    assert not np.array_equal(judged.classifier.templates_, found.model.classifier.templates_)


@pytest.mark.slow
@pytest.mark.parametrize("people", [1, 3, 100])
def test_picture_of_any_number_of_people(people: int) -> None:
    """Large enough that each name has its line, small enough to open; any name, without a warning."""
    names = tuple(f"{number:03d} 李 $\\frac$ of a family with a rather long name" for number in range(people))
    held = HeldOutResult(names, names[::-1], np.ones(people), lambda _: names)
    with PIL.Image.open(BytesIO(report_training.draw_held_out_confusion(held, "svm"))) as picture:
        assert 12 * people < picture.height < 5000
        assert 12 * people < picture.width < 5000


# ---- learning without a search


def refit(model: Model | None, counts: dict[str, int], kind: str = "svm") -> Model:
    fitted = training.refit_model(model, made(counts), kind=kind)
    assert fitted is not None
    return fitted


def test_first_photo_of_the_first_person_is_known_at_once() -> None:
    """nearest stands in for svm, which cannot be trained yet, and the card remembers that."""
    model = refit(None, {"Alice": 1})
    assert (model.card.kind, model.recipe) == ("nearest", "svm")
    assert decide_names(model, photos("Alice", 1, seed=2), DecisionRule())[0].name == "Alice"
    assert decide_names(model, photos("Eve", 1), DecisionRule())[0].name == "Unknown"


def test_a_newcomer_is_known_from_the_first_photo(family: TrainingResult) -> None:
    """svm would be unsure of somebody with one photo among people with many; nearest is not."""
    before = family.models[0]
    model = refit(before, {**FAMILY, "Carol": 1})
    assert (model.card.kind, model.recipe, model.card.params) == ("nearest", "svm", before.card.params)
    assert decide_names(model, photos("Carol", 1, seed=2), DecisionRule())[0].name == "Carol"


def test_with_enough_photos_the_recipe_is_back_with_its_parameters(family: TrainingResult) -> None:
    """The search of long ago is not lost while nearest stands in."""
    before = family.models[0]
    between = refit(before, {**FAMILY, "Carol": 1})
    after = refit(between, {**FAMILY, "Carol": 5})
    assert (after.card.kind, after.card.params) == ("svm", before.card.params)
    assert after.labels == ("Alice", "Bob", "Carol", "Unknown")


def test_few_strangers_do_not_matter() -> None:
    """Unknown is no person who must be known from the first photo."""
    assert refit(None, {"Alice": 5, "Bob": 5, "Unknown": 1}).card.kind == "svm"


def test_other_recipe_than_the_models(family: TrainingResult) -> None:
    """Parameters of one recipe are not another's."""
    before = family.models[0]
    model = refit(before, {"Alice": 20, "Bob": 20}, kind="xgb")
    assert model.card.kind == "xgb"
    assert "max_depth" in model.card.params


def test_nobody_left_no_model() -> None:
    """The last person was forgotten."""
    assert training.refit_model(refit(None, FAMILY), Gallery.empty(), kind="svm") is None


def test_parameters_of_the_originals_classifier() -> None:
    """An SVC without a card says itself what it was trained with."""
    svc = SVC(C=7.0, kernel="rbf", gamma=0.5)
    model = Model(svc, ("A",), ModelCard("original", "svm", {}, ("A",), None, None), "")
    assert refit(model, {"Alice": 5, "Bob": 5}).card.params == {"C": 7.0, "kernel": "rbf", "gamma": 0.5}


def test_the_original_with_a_classifier_of_no_recipe() -> None:
    """A kind of which nothing is known is followed by the recipe's defaults."""
    classifier = KNeighborsClassifier().fit(*numbered(FAMILY))
    model = assemble_model(
        classifier, ModelCard("original", "svm", {}, ("Alice", "Bob", "Unknown"), None, None)
    )
    assert refit(model, {"Alice": 5, "Bob": 5}).card.params == {"C": 10.0, "kernel": "rbf", "gamma": 1.0}
