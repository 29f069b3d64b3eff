"""One suite for every classifier on the menu; a new one is tested by being listed."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import synthetic

from face_det.classifiers import specs
from face_det.classifiers.gate import STRANGER
from face_det.classifiers.pixels import PixelClassifier
from face_det.classifiers.recipe import Recipe
from face_det.errors import TooFewPeople
from face_det.storage.pickles import safe_unpickler
from face_det.types import Classifier, Encodings

FAMILY = {"Alice": 12, "Bob": 12, "Carol": 12, "Unknown": 24}


seen_by = {"recipe": ""}
"""The entry whose turn it is: the classic recognisers see grey faces instead of encodings."""


@pytest.fixture(params=sorted(specs.CLASSIFIERS), scope="module")
def recipe(request: pytest.FixtureRequest) -> Recipe:
    """Each entry of the menu."""
    seen_by["recipe"] = request.param
    return specs.CLASSIFIERS.create(request.param)


def photos(name: str, count: int, seed: int = 0) -> Encodings:
    X = synthetic.photos(name, count, seed)
    return X if specs.required_embedder(seen_by["recipe"]) is None else synthetic.grey_faces(X)


def numbered(counts: dict[str, int]) -> tuple[Encodings, np.ndarray]:
    X, y = synthetic.numbered(counts)
    return (X if specs.required_embedder(seen_by["recipe"]) is None else synthetic.grey_faces(X)), y


def search(recipe: Recipe, counts: dict[str, int], jobs: int = 1) -> tuple[Classifier, dict, float | None]:
    X, y = numbered(counts)
    return recipe.search(X, y, jobs=jobs, thorough=False, on_progress=lambda done, total: None)


@pytest.fixture(scope="module")
def found(recipe: Recipe) -> tuple[Classifier, dict, float | None]:
    """Classifier, parameters and score of a family of three and strangers."""
    return search(recipe, FAMILY)


def test_is_named_as_on_the_menu(recipe: Recipe) -> None:
    """The card of a model names the recipe; the registry must find it by that name."""
    assert specs.CLASSIFIERS[recipe.name].target.endswith(f":{type(recipe).__name__}")


def test_probabilities_are_rows_of_one(found: tuple[Classifier, dict, float | None]) -> None:
    """predict_proba has a column a class, no number outside 0..1, and rows that sum to 1."""
    classifier = found[0]
    proba = classifier.predict_proba(np.vstack([photos("Alice", 3, seed=9), photos("Unknown", 3, seed=9)]))
    assert proba.shape == (6, len(classifier.classes_))
    assert proba.min() >= 0
    assert proba.max() <= 1
    assert proba.sum(axis=1) == pytest.approx(np.ones(6), abs=1e-5)


def test_classes_are_the_numbers_of_the_people(found: tuple[Classifier, dict, float | None]) -> None:
    """0..n-1 in order, so that a column is a label; at most the class of nobody comes behind."""
    classes = list(found[0].classes_)
    assert [number for number in classes if number != STRANGER] == [0, 1, 2, 3]
    assert classes[:4] == [0, 1, 2, 3]


@pytest.mark.parametrize(("name", "number"), [("Alice", 0), ("Bob", 1), ("Carol", 2)])
def test_knows_people_in_photos_it_has_not_seen(
    found: tuple[Classifier, dict, float | None], name: str, number: int
) -> None:
    """Nine in ten new photos of an enrolled person have that person as the likeliest."""
    classifier = found[0]
    likeliest = classifier.classes_[classifier.predict_proba(photos(name, 40, seed=5)).argmax(axis=1)]
    assert np.mean(likeliest == number) >= 0.9


def test_takes_strangers_for_nobody(found: tuple[Classifier, dict, float | None]) -> None:
    """At most one stranger in twenty is somebody enrolled with a probability of 0.9.

    The distances of the classic recognisers depend on who is enrolled: strangers set theirs.
    """
    classifier = copy.copy(found[0])
    if isinstance(classifier, PixelClassifier):
        others = classifier.distances(photos("Unknown", 200, seed=6))[:, :3]
        classifier.set_gate(float(np.quantile(others.min(axis=1), 0.02)))
    proba = classifier.predict_proba(photos("Unknown", 200, seed=5))
    assert np.mean(proba[:, :3].max(axis=1) >= 0.9) <= 0.05


def test_score_is_an_accuracy(found: tuple[Classifier, dict, float | None]) -> None:
    """Better than guessing, at most 1; None if there was nothing to search for."""
    _, params, score = found
    assert (score is None) == (not params)
    assert score is None or 0.5 < score <= 1


def test_same_photos_same_classifier(recipe: Recipe, found: tuple[Classifier, dict, float | None]) -> None:
    """A second search, on two threads, ends in the same parameters and probabilities."""
    again, params, score = search(recipe, FAMILY, jobs=2)
    X = photos("Bob", 5, seed=7)
    assert (params, score) == found[1:]
    assert np.array_equal(again.predict_proba(X), found[0].predict_proba(X))


def test_refit_is_the_search_without_searching(
    recipe: Recipe, found: tuple[Classifier, dict, float | None]
) -> None:
    """With the parameters found, refit on the same photos gives the same classifier."""
    X = photos("Carol", 5, seed=7)
    again = recipe.refit(*numbered(FAMILY), found[1])
    assert np.array_equal(again.predict_proba(X), found[0].predict_proba(X))


def test_refit_with_the_defaults(recipe: Recipe) -> None:
    """Where nobody has searched, the defaults serve: the likeliest is right for nearly all."""
    classifier = recipe.refit(*numbered(FAMILY), recipe.defaults)
    likeliest = classifier.classes_[classifier.predict_proba(photos("Alice", 20, seed=5)).argmax(axis=1)]
    assert np.mean(likeliest == 0) >= 0.9


def test_params_of_its_own(recipe: Recipe, found: tuple[Classifier, dict, float | None]) -> None:
    """The parameters can be read off a classifier that has lost its card, and off no other."""
    assert recipe.params_of(found[0]) == found[1]
    assert recipe.params_of(object()) is None


def test_progress_ends_at_the_total(recipe: Recipe) -> None:
    """on_progress counts up by one to a total that does not change."""
    calls: list[tuple[int, int]] = []
    X, y = numbered({"Alice": 3, "Bob": 3})
    recipe.search(X, y, jobs=1, thorough=False, on_progress=lambda done, total: calls.append((done, total)))
    assert calls == [(done, len(calls)) for done in range(1, len(calls) + 1)]


def test_survives_its_file(found: tuple[Classifier, dict, float | None]) -> None:
    """Written and read by the unpickler that allows only what is listed, it answers as before."""
    X = photos("Alice", 5, seed=7)
    again = safe_unpickler.parse_pickle(safe_unpickler.dump_pickle(found[0]), "classifier")
    assert np.array_equal(again.predict_proba(X), found[0].predict_proba(X))


def test_two_people(recipe: Recipe) -> None:
    """Two classes are a case of their own in both libraries: still a column each."""
    classifier, _, _ = search(recipe, {"Alice": 15, "Bob": 15})
    proba = classifier.predict_proba(np.vstack([photos("Alice", 1, seed=5), photos("Bob", 1, seed=5)]))
    assert list(proba.argmax(axis=1)) == [0, 1]
    assert proba.sum(axis=1) == pytest.approx([1, 1], abs=1e-5)


@pytest.mark.parametrize(
    "counts",
    [
        {"Alice": 1, "Bob": 2, "Carol": 2},
        {"Alice": 1, "Bob": 1, "Carol": 3, "Unknown": 2},
        {"Alice": 2, "Bob": 2},
        {"Alice": 2, "Bob": 30},
    ],
    ids=str,
)
def test_few_photos_of_somebody(recipe: Recipe, counts: dict[str, int]) -> None:
    """One or two photos of a person are enough to train without a word of warning."""
    classifier, _, _ = search(recipe, counts)
    people = [number for number in classifier.classes_ if number != STRANGER]
    assert people == list(range(len(counts)))
    assert np.isfinite(classifier.predict_proba(photos("Alice", 2, seed=3))).all()


def test_the_same_photo_again_and_again(recipe: Recipe) -> None:
    """Copies of one photo, with no distance between them, break nothing."""
    X = np.repeat(np.vstack([photos("Alice", 1), photos("Bob", 1)]), 6, axis=0)
    y = np.repeat([0, 1], 6)
    classifier, _, _ = recipe.search(X, y, jobs=1, thorough=False, on_progress=lambda done, total: None)
    assert np.isfinite(classifier.predict_proba(X)).all()


def test_too_few_people_is_an_error_with_advice(recipe: Recipe) -> None:
    """With fewer people than it needs, it says what to do; with as many as it needs, it works."""
    names = ["Alice", "Bob", "Carol"]
    if recipe.minimum_people > 1:
        with pytest.raises(TooFewPeople, match=r"dataset/Unknown, or train nearest"):
            search(recipe, dict.fromkeys(names[: recipe.minimum_people - 1], 5))
    search(recipe, dict.fromkeys(names[: recipe.minimum_people], 5))


def test_stops_when_told_to(recipe: Recipe) -> None:
    """An exception out of on_progress, as Ctrl-C is one, ends the search: what waits is not begun."""
    calls = []

    def stop(done: int, total: int) -> None:
        calls.append(done)
        raise KeyboardInterrupt

    X, y = numbered({"Alice": 5, "Bob": 5})
    with pytest.raises(KeyboardInterrupt):
        recipe.search(X, y, jobs=1, thorough=True, on_progress=stop)
    assert calls == [1]
