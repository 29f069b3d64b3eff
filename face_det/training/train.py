"""Encodings -> classifiers: how good they are on photos held out, and what is saved.

A fifth of the photos is held out, as in the original; the search sees the others only; its winner is
judged on the fifth. Then, unlike the original, the winner is trained once more **on all photos**,
with the parameters found, and that is what is saved: no photo that somebody enrolled is wasted,
and the figures are those of a classifier that knew a fifth less.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from face_det.classifiers import Recipe, RowIndices, split_folds
from face_det.embedders import DLIB_RESNET, DLIB_VIEWS, SFACE, configurable_embedder
from face_det.errors import TooFewPeople
from face_det.gallery import Gallery
from face_det.recognition import ORIGINAL_KIND, Model, decide_names
from face_det.training.held_out import HeldOutResult
from face_det.training.training_set import TEMPLATE_RECIPE, TrainingSet
from face_det.types import UNKNOWN, Encodings

NEAREST_RECIPE = "nearest"
AUTO_EMBEDDER = "auto"
"""Embedder: the one that decides best, of those whose encodings are there. docs/how-to/tune.md has the
figures: sface names more people and fewer strangers than dlib_resnet, and than both together."""

DEFAULT_FALSE_ACCEPT_RATE = 0.002
"""The part of strangers who may be given somebody's name."""

ORIGINAL_RECIPES = ("svm", "xgb")
"""Kinds that the original has as well: where they learn from dlib's encodings, these are its own, so
that their pickles mean the same there."""

MIN_PHOTOS_TO_HOLD_OUT = 3
"""Photos a person must have for one to be held out: two remain, to be told apart in the search."""


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """One recipe's outcome. `score`: accuracy in cross-validation, None if nothing was searched for;
    `held_out`: None if no person had photos to spare."""

    model: Model
    score: float | None
    held_out: HeldOutResult | None

    @property
    def kind(self) -> str:
        """svm, xgb or nearest."""
        return self.model.card.kind


@dataclass(frozen=True)
class SkippedRecipe:
    """A recipe that these photos cannot train, and why."""

    kind: str
    reason: str


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What was trained, what was not, and what the trainer should know of the photos."""

    trained: tuple[TrainedModel, ...]
    skipped: tuple[SkippedRecipe, ...]
    photos: Mapping[str, int]
    notes: tuple[str, ...]

    @property
    def models(self) -> tuple[Model, ...]:
        """The models, in the order of the recipes that were asked for; never empty."""
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
    """Search, judge and train each recipe; the same gallery gives the same models.

    on_progress gets (recipe, done, total). A recipe that the gallery is too small for is skipped;
    TooFewPeople if that is so of all. ConfigError for an unknown recipe; BadEncodings if the gallery
    has no encodings of that embedder.
    """
    task_of = _training_sets(gallery, embedder, false_accept_rate)
    wanted = [(task_of(name), task_of(name).recipe(name)) for name in recipes]
    if not gallery.names:
        raise TooFewPeople("encodings: must hold one face or more, got none; run 'face-det encode'")
    # Whose encodings differ from kind to kind, and whose faces they are does not.
    kept, held = _hold_out_rows(wanted[0][0])
    trained: list[TrainedModel] = []
    skipped: list[SkippedRecipe] = []
    for task, recipe in wanted:

        def progress(done: int, total: int, name: str = recipe.name) -> None:
            on_progress(name, done, total)

        try:
            fitted, params, score = recipe.search(
                task.X[kept], task.y[kept], jobs=jobs, thorough=thorough, on_progress=progress
            )
            judged = None
            if len(held):
                part = replace(task, X=task.X[kept], y=task.y[kept])
                trial = part.model(fitted, recipe.name, recipe.name, params)
                judged = _judge_held_out(trial, task.X[held], [task.people[i] for i in task.y[held]])
                fitted = recipe.refit(task.X, task.y, params)
        except TooFewPeople as error:
            skipped.append(SkippedRecipe(recipe.name, str(error)))
            continue
        trained.append(TrainedModel(task.model(fitted, recipe.name, recipe.name, params), score, judged))
    if not trained:
        raise TooFewPeople("; ".join(skip.reason for skip in skipped))
    photos = dict(sorted(Counter(gallery.names).items()))
    return TrainingResult(tuple(trained), tuple(skipped), photos, _training_notes(photos, trained))


def refit_model(
    model: Model | None,
    gallery: Gallery,
    *,
    kind: str,
    embedder: str = AUTO_EMBEDDER,
    false_accept_rate: float = DEFAULT_FALSE_ACCEPT_RATE,
) -> Model | None:
    """A model of this gallery without a search, in seconds; None for an empty gallery.

    Of recipe `kind`, with the parameters that `model` was found with if it is of that recipe. While
    there are too few photos for that recipe (`photos_each`), `nearest` stands in for it: it knows
    somebody from the first photo on, where the others are unsure until they have seen several.
    """
    if not gallery.names:
        return None
    task = TrainingSet.of(gallery, choose_training_embedder(gallery, embedder, kind), false_accept_rate)
    recipe = task.recipe(kind)
    params = _refit_params(model, recipe)
    counts = zip(task.people, np.bincount(task.y), strict=True)
    enrolled = [count for name, count in counts if name != UNKNOWN]
    fitted, made = None, kind
    if all(count >= recipe.photos_each for count in enrolled):
        try:
            fitted = recipe.refit(task.X, task.y, params)
        except TooFewPeople:
            fitted = None
    if fitted is None:
        made = NEAREST_RECIPE
        fitted = task.recipe(NEAREST_RECIPE).refit(task.X, task.y, {})
    return task.model(fitted, made, kind, params)


def choose_training_embedder(gallery: Gallery, embedder: str, kind: str = TEMPLATE_RECIPE) -> str:
    """Whose encodings a classifier of that kind learns from: of the embedder that is asked for, or of
    what AUTO comes to; of several views of dlib's where they are there."""
    asked = configurable_embedder(embedder)
    if asked == AUTO_EMBEDDER:
        asked = SFACE if SFACE in gallery.embedders else DLIB_RESNET
    return (
        DLIB_VIEWS
        if asked == DLIB_RESNET and DLIB_VIEWS in gallery.embedders and kind not in ORIGINAL_RECIPES
        else asked
    )


def _training_sets(gallery: Gallery, embedder: str, false_accept_rate: float) -> Callable[[str], TrainingSet]:
    """The task of a kind: kinds that learn from the same encodings share theirs."""
    made = functools.cache(lambda name: TrainingSet.of(gallery, name, false_accept_rate))
    return lambda kind: made(choose_training_embedder(gallery, embedder, kind))


def _hold_out_rows(task: TrainingSet) -> tuple[RowIndices, RowIndices]:
    """(rows to search with, rows to judge with): a fifth of the photos of those who can spare one, without
    those of a moment of which others are learnt. They would be known by anything."""
    y, rows = task.y, np.arange(len(task.y))
    can_spare = rows[np.bincount(y)[y] >= MIN_PHOTOS_TO_HOLD_OUT]
    if not len(can_spare):
        return rows, rows[:0]
    held = can_spare[split_folds(y[can_spare])[0][1]]
    kept = np.setdiff1d(rows, held)
    people = held[y[held] != task.strangers] if task.strangers is not None else held
    held = np.setdiff1d(held, people[task.again(people, kept)])
    return (kept, held) if len(held) else (rows, held)


def _judge_held_out(model: Model, encodings: Encodings, true: Sequence[str]) -> HeldOutResult:
    proba = model.proba(encodings)
    said = tuple(model.labels[column] for column in proba.argmax(axis=1))
    return HeldOutResult(
        tuple(true),
        said,
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
            f"fewer than {MIN_PHOTOS_TO_HOLD_OUT} photos, so all are for training and none is held out: "
            f"{', '.join(few)}; about 20 of each person are good"
        )
    if UNKNOWN not in photos:
        notes.append(
            f"no strangers in dataset/{UNKNOWN}: what strangers look like is taken from elsewhere; with "
            "photos of some (face-det fetch-lfw, or your own camera's) the threshold is your own"
        )
    verifier = next((one.model.verifier for one in trained), None)
    if verifier is not None and not verifier.claimed:
        notes.append(
            f"falseAcceptRate {verifier.rate:g}: an estimate, from {verifier.impostors} people who are "
            f"somebody else and from what is known of strangers; {verifier.needed} would show it by counting"
        )
    return tuple(notes)
