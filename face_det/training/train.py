"""Turns encodings into classifiers, and measures how good they are on held-out photos.

As in the original, a fifth of the photos is held out. The search sees only the rest, and its winner is judged
on that fifth. Then, unlike in the original, the winner is trained once more **on all photos**, with the
parameters found, and that is what is saved. No enrolled photo is wasted, and the figures are those of a
classifier that knew a fifth less.
"""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from face_det.classifiers import Recipe, RowIndices, required_embedder, split_folds
from face_det.embedders import (
    DLIB_RESNET,
    DLIB_VIEWS,
    SFACE,
    configurable_embedder,
    embedder_from_fingerprint,
)
from face_det.errors import ConfigError, TooFewPeople
from face_det.gallery import Gallery
from face_det.recognition import AUTO_EMBEDDER, ORIGINAL_KIND, Model, decide_names
from face_det.training.held_out import HeldOutResult
from face_det.training.training_set import TEMPLATE_RECIPE, TrainingSet
from face_det.types import UNKNOWN, Encodings

NEAREST_RECIPE = "nearest"

DEFAULT_FALSE_ACCEPT_RATE = 0.001
"""The share of strangers wrongly named that is accepted; the default of falseAcceptRate."""

ORIGINAL_RECIPES = ("svm", "xgb")
"""Kinds that the original has as well. With dlib, they learn from the original's own encodings, one view of
a face, so that their pickles mean the same there."""

MIN_PHOTOS_TO_HOLD_OUT = 3
"""The photos a person needs for one to be held out; two then remain for the search."""


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """The model of one recipe, and how good it is."""

    model: Model
    score: float | None
    """Accuracy in cross-validation; None if there was nothing to search for."""
    held_out: HeldOutResult | None
    """None if nobody had photos to spare."""

    @property
    def kind(self) -> str:
        """The kind of classifier: template, svm, xgb and so on."""
        return self.model.card.kind


@dataclass(frozen=True)
class SkippedRecipe:
    """A recipe that these photos cannot train, and why."""

    kind: str
    reason: str


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What was trained, what was skipped, and notes about the photos for the user."""

    trained: tuple[TrainedModel, ...]
    skipped: tuple[SkippedRecipe, ...]
    photos: Mapping[str, int]
    """The number of photos of each person, sorted by name."""
    notes: tuple[str, ...]

    @property
    def models(self) -> tuple[Model, ...]:
        """The models, in the order in which the recipes were requested; never empty."""
        return tuple(one.model for one in self.trained)


def train_classifiers(
    gallery: Gallery,
    recipes: Sequence[str],
    *,
    embedder: str = AUTO_EMBEDDER,
    false_accept_rate: float = DEFAULT_FALSE_ACCEPT_RATE,
    jobs: int,
    thorough: bool,
    on_progress: Callable[[str, int, int], None],
) -> TrainingResult:
    """Search, judge and train each recipe. The same gallery gives the same models.

    `embedder` says whose encodings to learn from; see choose_training_embedder. `jobs` is the number of
    threads, and `on_progress` gets (recipe, done, total). A recipe that needs a larger gallery is skipped.

    Raises TooFewPeople if that is true of every recipe, ConfigError for an unknown recipe, and BadEncodings
    if the gallery has no encodings of that embedder.

    >>> gallery = Gallery(np.eye(4, 128), ["Ann", "Ann", "Bob", "Bob"])
    >>> result = train_classifiers(
    ...     gallery, ["template"], jobs=1, thorough=False, on_progress=lambda recipe, done, total: None
    ... )
    >>> result.models[0].labels, dict(result.photos)
    (('Ann', 'Bob', 'Unknown'), {'Ann': 2, 'Bob': 2})
    """
    set_of_kind = _training_sets(gallery, embedder, false_accept_rate)
    return train_on_sets(set_of_kind, recipes, jobs=jobs, thorough=thorough, on_progress=on_progress)


def train_on_sets(
    set_of_kind: Callable[[str], TrainingSet],
    recipes: Sequence[str],
    *,
    jobs: int,
    thorough: bool,
    on_progress: Callable[[str, int, int], None],
) -> TrainingResult:
    """Train each recipe on the set of its kind, as `train_classifiers` does; the sets show the same people.

    Raises TooFewPeople and ConfigError as that does.
    """
    chosen = [(set_of_kind(name), set_of_kind(name).make_recipe(name)) for name in recipes]
    first = chosen[0][0]
    if not len(first.y):
        raise TooFewPeople("encodings: must hold one face or more, got none; run 'face-det encode'")
    # Kinds may learn from different encodings, but the photos and their people are the same.
    kept, held = _hold_out_rows(first)
    trained: list[TrainedModel] = []
    skipped: list[SkippedRecipe] = []
    for training_set, recipe in chosen:

        def progress(done: int, total: int, name: str = recipe.name) -> None:
            on_progress(name, done, total)

        try:
            trained.append(_train_one(training_set, recipe, kept, held, jobs, thorough, progress))
        except TooFewPeople as error:
            skipped.append(SkippedRecipe(recipe.name, str(error)))
    if not trained:
        raise TooFewPeople("; ".join(skip.reason for skip in skipped))
    photos = dict(sorted(Counter(first.people[number] for number in first.y).items()))
    return TrainingResult(tuple(trained), tuple(skipped), photos, _training_notes(photos, trained))


def refit_model(
    model: Model | None,
    gallery: Gallery,
    *,
    kind: str,
    embedder: str = AUTO_EMBEDDER,
    false_accept_rate: float = DEFAULT_FALSE_ACCEPT_RATE,
) -> Model | None:
    """Train a model on this gallery without a search, in seconds; None for an empty gallery.

    The recipe is `kind`, with the parameters found for `model` if that has the same recipe. While there are
    too few photos for the recipe (`photos_each`), `nearest` stands in for it: it knows somebody from the
    first photo on, while the others are unsure until they have seen several.

    >>> model = refit_model(None, Gallery(np.eye(1, 128), ["Ann"]), kind="svm")
    >>> model.card.kind, model.recipe
    ('nearest', 'svm')
    """
    if not gallery.names:
        return None
    chosen = choose_training_embedder(gallery, embedder, kind)
    return refit_on_set(model, TrainingSet.from_gallery(gallery, chosen, false_accept_rate), kind)


def refit_on_set(model: Model | None, training_set: TrainingSet, kind: str) -> Model:
    """Train a model on this set, which is not empty, without a search, as `refit_model` does."""
    recipe = training_set.make_recipe(kind)
    params = _refit_params(model, recipe)
    counts = zip(training_set.people, np.bincount(training_set.y), strict=True)
    enrolled = [count for name, count in counts if name != UNKNOWN]
    if all(count >= recipe.photos_each for count in enrolled):
        with contextlib.suppress(TooFewPeople):
            fitted = recipe.refit(training_set.X, training_set.y, params)
            return training_set.make_model(fitted, kind, kind, params)
    stand_in = training_set.make_recipe(NEAREST_RECIPE).refit(training_set.X, training_set.y, {})
    return training_set.make_model(stand_in, NEAREST_RECIPE, kind, params)


def fit_single_face(encoding: Encodings, name: str, fingerprint: str, false_accept_rate: float) -> Model:
    """Return a template model of one face, shape (d,), as if a person `name` had this photo alone.

    `fingerprint` is that of the network which encoded it. The built-in background alone calibrates it.

    >>> fit_single_face(np.eye(128)[0], "Ann", "dlib_resnet:abc", 0.001).labels
    ('Ann', 'Unknown')
    """
    embedder, rows = embedder_from_fingerprint(fingerprint), np.asarray(encoding, np.float64)[None]
    number = np.zeros(1, np.int64)
    training_set = TrainingSet(rows, number, (name,), embedder, fingerprint, false_accept_rate)
    fitted = training_set.make_recipe(TEMPLATE_RECIPE).refit(rows, number, {})
    return training_set.make_model(fitted, TEMPLATE_RECIPE, TEMPLATE_RECIPE, {})


def choose_training_embedder(gallery: Gallery, embedder: str, kind: str = TEMPLATE_RECIPE) -> str:
    """Choose whose encodings a classifier of that kind learns from.

    AUTO_EMBEDDER means sface if the gallery has its encodings, else dlib_resnet: sface names more people and
    fewer strangers than dlib_resnet, and than both together (docs/how-to/tune.md has the figures). For
    dlib_resnet, encodings of several views are chosen where the gallery has them and the kind is not one of
    ORIGINAL_RECIPES. A kind that learns from one embedder alone gets that; ConfigError if another is wanted.

    >>> choose_training_embedder(Gallery(np.eye(1, 128), ["Ann"]), "auto")
    'dlib_resnet'
    """
    chosen, required = configurable_embedder(embedder), required_embedder(kind)
    if required is not None:
        if chosen not in (AUTO_EMBEDDER, required):
            raise ConfigError([f"embedder: must be {required} or {AUTO_EMBEDDER} for {kind}, got {chosen}"])
        return required
    if chosen == AUTO_EMBEDDER:
        chosen = SFACE if SFACE in gallery.embedders else DLIB_RESNET
    several_views = DLIB_VIEWS in gallery.embedders and kind not in ORIGINAL_RECIPES
    return DLIB_VIEWS if chosen == DLIB_RESNET and several_views else chosen


def _training_sets(gallery: Gallery, embedder: str, false_accept_rate: float) -> Callable[[str], TrainingSet]:
    """Return the training set of each kind; kinds that learn from the same encodings share theirs."""
    made = functools.cache(lambda name: TrainingSet.from_gallery(gallery, name, false_accept_rate))
    return lambda kind: made(choose_training_embedder(gallery, embedder, kind))


def _hold_out_rows(training_set: TrainingSet) -> tuple[RowIndices, RowIndices]:
    """Return (rows to search with, rows to judge with).

    A fifth of the photos is held out, of those who can spare one. Photos in a burst with a photo that is
    trained on are left out of both: any classifier would know them.
    """
    y, rows = training_set.y, np.arange(len(training_set.y))
    can_spare = rows[np.bincount(y)[y] >= MIN_PHOTOS_TO_HOLD_OUT]
    if not len(can_spare):
        return rows, rows[:0]
    held = can_spare[split_folds(y[can_spare])[0][1]]
    kept = np.setdiff1d(rows, held)
    people = held[y[held] != training_set.strangers] if training_set.strangers is not None else held
    held = np.setdiff1d(held, people[training_set.in_training_burst(people, kept)])
    return (kept, held) if len(held) else (rows, held)


def _train_one(
    training_set: TrainingSet,
    recipe: Recipe,
    kept: RowIndices,
    held: RowIndices,
    jobs: int,
    thorough: bool,
    on_progress: Callable[[int, int], None],
) -> TrainedModel:
    """Search on the rows `kept`, judge on the rows `held`, then train on all of them."""
    X, y = training_set.X, training_set.y
    fitted, params, score = recipe.search(
        X[kept], y[kept], jobs=jobs, thorough=thorough, on_progress=on_progress
    )
    judged = None
    if len(held):
        part = replace(training_set, X=X[kept], y=y[kept])
        candidate = part.make_model(fitted, recipe.name, recipe.name, params)
        judged = _judge_held_out(candidate, X[held], [training_set.people[i] for i in y[held]])
        fitted = recipe.refit(X, y, params)
    return TrainedModel(training_set.make_model(fitted, recipe.name, recipe.name, params), score, judged)


def _judge_held_out(model: Model, encodings: Encodings, true: Sequence[str]) -> HeldOutResult:
    proba = model.proba(encodings)
    predicted = tuple(model.labels[column] for column in proba.argmax(axis=1))
    return HeldOutResult(
        tuple(true),
        predicted,
        proba.max(axis=1),
        lambda rule: [match.name for match in decide_names(model, encodings, rule)],
    )


def _refit_params(model: Model | None, recipe: Recipe) -> dict[str, Any]:
    if model is not None and model.card.kind == ORIGINAL_KIND:
        return recipe.params_of(model.classifier) or dict(recipe.defaults)
    if model is not None and model.recipe == recipe.name and model.card.params:
        return dict(model.card.params)
    return dict(recipe.defaults)


def _training_notes(photos: Mapping[str, int], trained: Sequence[TrainedModel]) -> tuple[str, ...]:
    notes = []
    few = [f"{name} ({count})" for name, count in photos.items() if count < MIN_PHOTOS_TO_HOLD_OUT]
    if few:
        notes.append(
            f"fewer than {MIN_PHOTOS_TO_HOLD_OUT} photos, so all are used for training and none is held out: "
            f"{', '.join(few)}; about 20 photos of each person are good"
        )
    if UNKNOWN not in photos:
        notes.append(
            f"no strangers in dataset/{UNKNOWN}: the built-in background sets the threshold; for a threshold "
            "of your own, add photos of strangers (face-det fetch-lfw, or your own camera's)"
        )
    verifier = next((one.model.verifier for one in trained), None)
    if verifier is not None and not verifier.claimed:
        notes.append(
            f"falseAcceptRate {verifier.rate:g}: an estimate, from {verifier.impostors} impostors and the "
            f"built-in background; {verifier.needed} would show it by counting"
        )
    return tuple(notes)
