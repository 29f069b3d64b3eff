"""The support vector machines' grid and probabilities, and the trees' candidates."""

from __future__ import annotations

import pickle
import pickletools
import warnings

import numpy as np
import pytest
from sklearn.model_selection import ParameterGrid
from synthetic import numbered, photos

from face_det.classifiers import svm
from face_det.classifiers.folds import split_folds
from face_det.classifiers.svm import SvmRecipe
from face_det.classifiers.xgb import XgbRecipe

TEN = dict.fromkeys("ABCDEFGHIJ", 5)


def test_the_originals_grid() -> None:
    """42 candidates: 6 values of C, linear and with 6 gammas."""
    candidates = list(ParameterGrid(svm.SVM_GRID))
    assert len(candidates) == 42
    assert {candidate["C"] for candidate in candidates} == {0.001, 0.01, 0.1, 1, 10, 100}
    assert {candidate.get("gamma") for candidate in candidates} == {None, 0.001, 0.01, 0.1, 1, 10, 100}


def test_the_random_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """20 candidates on two folds in a quarter of the steps, 6 on all five; the best is fitted to all."""
    tried: list[dict[str, object]] = []

    class Guess:
        def __init__(self, **params: object) -> None:
            tried.append(params)

        def fit(self, X: np.ndarray, y: np.ndarray) -> Guess:
            return self

        def predict_proba(self, X: np.ndarray) -> np.ndarray:
            return np.full((len(X), 10), 0.1)

    monkeypatch.setattr("face_det.classifiers.xgb.XGBClassifier", Guess)
    X, y = numbered(TEN)
    _, params, score = XgbRecipe().search(X, y, jobs=1, thorough=True, on_progress=lambda *_: None)
    pace = [(guess["n_estimators"], guess["learning_rate"]) for guess in tried]
    assert pace == [(50, 0.24)] * 40 + [(200, 0.06)] * 31
    assert len({tuple(sorted(guess.items())) for guess in tried[:40]}) == 20
    assert {guess["tree_method"] for guess in tried} == {"hist"}
    assert {guess["objective"] for guess in tried} == {"multi:softprob"}
    assert params.items() <= tried[-1].items()
    assert score == pytest.approx(0.1)


def test_one_kernel_serves_all_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Margins by a kernel worked out before are those of machines that work out their own."""
    X, y = numbered(TEN)
    train, test = split_folds(y)[0]
    for params in ({"kernel": "rbf", "C": 10.0, "gamma": 1.0}, {"kernel": "linear", "C": 1.0}):
        once = svm._held_out_margins(params, X, y, train, test)
        monkeypatch.setattr(svm, "MAX_SHARED_KERNEL_PHOTOS", 0)
        assert svm._held_out_margins(params, X, y, train, test) == pytest.approx(once, abs=2e-3)
        monkeypatch.undo()


def test_few_photos_of_each_are_enough_to_be_sure() -> None:
    """Five photos of each of ten people: most new ones pass minProba 0.9.

    With a sigmoid of its own for each person, none would: Platt's prior stands against it.
    """
    X, y = numbered(TEN)
    classifier, _, _ = SvmRecipe().search(X, y, jobs=1, thorough=False, on_progress=lambda *_: None)
    proba = np.vstack([classifier.predict_proba(photos(name, 10, seed=5)) for name in TEN])
    own = proba[np.arange(100), np.repeat(np.arange(10), 10)]
    assert np.mean(own >= 0.9) > 0.6


def test_one_rising_sigmoid_serves_all() -> None:
    """More margin is never less probability, and a margin means the same for everybody."""
    classifier = SvmRecipe().refit(*numbered(TEN), SvmRecipe.defaults)
    calibrators = classifier.calibrated_classifiers_[0].calibrators  # type: ignore[attr-defined]
    assert len(calibrators) == 10
    assert len({(one.a_, one.b_) for one in calibrators}) == 1
    assert calibrators[0].a_ < 0


@pytest.mark.parametrize(
    ("positive", "negative"), [([1.0, 2.0, 0.5], [-1.0, -2.0]), ([0.001] * 5, [0.0005] * 50), ([0.0], [0.0])]
)
def test_sigmoid_hits_platts_targets(positive: list[float], negative: list[float]) -> None:
    """The mean probability of each side is the mean of its targets, whatever the margins' scale."""
    margins = np.array(positive + negative)
    own = np.array([True] * len(positive) + [False] * len(negative))
    slope, offset, _ = svm._fit_sigmoid(margins, own)
    p = 1 / (1 + np.exp(-(slope * margins + offset)))
    target = np.where(own, (len(positive) + 1) / (len(positive) + 2), 1 / (len(negative) + 2))
    assert p.mean() == pytest.approx(target.mean(), abs=1e-3)
    assert slope > 0


def test_the_sigmoid_is_fitted_to_photos_not_trained_on() -> None:
    """Margins of photos that the machines know are larger, and a sigmoid of them is another."""
    X, y = numbered(TEN)
    calibrators = SvmRecipe().refit(X, y, SvmRecipe.defaults).calibrated_classifiers_[0].calibrators  # type: ignore[attr-defined]
    unseen = [svm._held_out_margins(SvmRecipe.defaults, X, y, train, test) for train, test in split_folds(y)]
    whose = np.concatenate([y[test] for _, test in split_folds(y)])
    slope, offset, _ = svm._fit_sigmoid(np.concatenate(unseen), whose[:, None] == np.arange(10)[None, :])
    assert (-calibrators[0].a_, -calibrators[0].b_) == pytest.approx((slope, offset))


def test_search_takes_the_best_probabilities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of candidates that make the same mistakes, the one that is sure where it is right."""
    grid = [{"kernel": ["linear"], "C": [0.001]}, {"kernel": ["rbf"], "C": [10.0], "gamma": [1.0]}]
    monkeypatch.setattr(svm, "SVM_QUICK_GRID", grid)
    X, y = numbered(TEN)
    _, params, score = SvmRecipe().search(X, y, jobs=1, thorough=False, on_progress=lambda *_: None)
    assert params["kernel"] == "rbf"
    assert score is not None
    assert score > 0.9


def test_threads_leave_the_warnings_alone() -> None:
    """scikit-learn's own parallel loops would empty the filters that all threads share."""
    before = list(warnings.filters)
    X, y = numbered(TEN)
    SvmRecipe().search(X, y, jobs=4, thorough=False, on_progress=lambda *_: None)
    assert set(before) <= set(warnings.filters)


def test_margins_that_mean_the_opposite_turn_nothing_round() -> None:
    """Where the held-out margins are misleading, everybody is about as likely, in the same order."""
    slope, _, _ = svm._fit_sigmoid(np.array([-1.0, -2.0, 1.0, 2.0]), np.array([True, True, False, False]))
    assert 0 < slope < 1e-3


def test_its_file_needs_scikit_learn_only() -> None:
    """The original's readers have no face_det: the pickle names nothing of ours."""
    data = pickle.dumps(SvmRecipe().refit(*numbered(TEN), SvmRecipe.defaults), protocol=2)
    names = {argument for opcode, argument, _ in pickletools.genops(data) if opcode.name == "GLOBAL"}
    assert {name.split(".")[0].split(" ")[0] for name in names} <= {
        "sklearn",
        "numpy",
        "copy_reg",
        "__builtin__",
        "_codecs",
    }
    assert len(data) < 2**20
