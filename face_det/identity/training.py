"""Encodings -> classifiers: how good they are on photos held out, and what is saved.

A fifth of the photos is held out, as in the original; the search sees the others only; its winner is
judged on the fifth. Then, unlike the original, the winner is trained once more **on all photos**,
with the parameters found, and that is what is saved: no photo that somebody enrolled is wasted,
and the figures are those of a classifier that knew a fifth less.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import classification_report

from face_det import registry
from face_det.classifiers.search import Recipe, Rows, Targets, folds
from face_det.errors import TooFewPeople
from face_det.faces import UNKNOWN, Encodings
from face_det.identity.gallery import Gallery
from face_det.identity.model import ORIGINAL, Card, Model, assemble

NEAREST = "nearest"
HELD_OUT_FROM = 3
"""Photos a person must have for one to be held out: two remain, to be told apart in the search."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What a classifier said about the photos held out; the three have one entry for each of them."""

    true: tuple[str, ...]
    said: tuple[str, ...]
    probability: npt.NDArray[np.float64]

    @property
    def names(self) -> tuple[str, ...]:
        """Everybody who was shown or said, sorted: rows and columns of `matrix`."""
        return tuple(sorted({*self.true, *self.said}))

    @property
    def accuracy(self) -> float:
        """Share of photos whose likeliest person is the right one, however unlikely."""
        return float(np.mean([true == said for true, said in zip(self.true, self.said, strict=True)]))

    def named(self, min_proba: float) -> tuple[float, float]:
        """Shares of the photos given the right and a wrong name at that minProba; the rest got none."""
        sure = self.probability >= min_proba
        right = np.array([true == said for true, said in zip(self.true, self.said, strict=True)])
        return float(np.mean(sure & right)), float(np.mean(sure & ~right))

    def matrix(self) -> npt.NDArray[np.int64]:
        """Photos by true (row) and said (column) person, in the order of `names`."""
        names = np.array(self.names)
        counts = np.zeros((len(names), len(names)), dtype=np.int64)
        np.add.at(counts, (np.searchsorted(names, self.true), np.searchsorted(names, self.said)), 1)
        return counts

    def report(self) -> Mapping[str, Any]:
        """scikit-learn's classification report: precision, recall, f1-score and support a person."""
        found: Mapping[str, Any] = classification_report(
            self.true, self.said, labels=self.names, output_dict=True, zero_division=0
        )
        return found

    def report_text(self) -> str:
        """The same as a table."""
        text: str = classification_report(self.true, self.said, labels=self.names, zero_division=0)
        return text


@dataclass(frozen=True, eq=False)
class Trained:
    """One recipe's outcome. `score`: accuracy in cross-validation, None if nothing was searched for;
    `held_out`: None if no person had photos to spare."""

    model: Model
    score: float | None
    held_out: HeldOut | None

    @property
    def kind(self) -> str:
        """svm, xgb or nearest."""
        return self.model.card.kind


@dataclass(frozen=True)
class Skipped:
    """A recipe that these photos cannot train, and why."""

    kind: str
    reason: str


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What was trained, what was not, and what the trainer should know of the photos."""

    trained: tuple[Trained, ...]
    skipped: tuple[Skipped, ...]
    photos: Mapping[str, int]
    notes: tuple[str, ...]

    @property
    def models(self) -> tuple[Model, ...]:
        """The models, in the order of the recipes that were asked for; never empty."""
        return tuple(one.model for one in self.trained)


def train(
    gallery: Gallery,
    recipes: Sequence[str],
    *,
    fingerprint: str | None,
    jobs: int,
    thorough: bool,
    on_progress: Callable[[str, int, int], None],
) -> TrainingResult:
    """Search, judge and train each recipe; the same gallery gives the same models.

    `fingerprint` is the embedder's; on_progress gets (recipe, done, total). A recipe that the gallery
    is too small for is skipped; TooFewPeople if that is so of all. ConfigError for an unknown recipe.
    """
    chosen: list[Recipe] = [registry.create(registry.CLASSIFIERS, name) for name in recipes]
    if not gallery.names:
        raise TooFewPeople("encodings: must hold one face or more, got none; run 'face-det encode'")
    people, y = _targets(gallery)
    kept, held = _hold_out(y)
    trained: list[Trained] = []
    skipped: list[Skipped] = []
    for recipe in chosen:

        def progress(done: int, total: int, name: str = recipe.name) -> None:
            on_progress(name, done, total)

        try:
            X_kept, y_kept = gallery.encodings[kept], y[kept]
            fitted, params, score = recipe.search(
                X_kept, y_kept, jobs=jobs, thorough=thorough, on_progress=progress
            )
            judged = None
            if len(held):
                trial = assemble(fitted, _card(recipe.name, recipe.name, params, people, fingerprint))
                judged = _judge(trial, gallery.encodings[held], [people[i] for i in y[held]])
                fitted = recipe.refit(gallery.encodings, y, params)
        except TooFewPeople as error:
            skipped.append(Skipped(recipe.name, str(error)))
            continue
        card = _card(recipe.name, recipe.name, params, people, fingerprint)
        trained.append(Trained(assemble(fitted, card), score, judged))
    if not trained:
        raise TooFewPeople("; ".join(skip.reason for skip in skipped))
    photos = dict(zip(people, np.bincount(y).tolist(), strict=True))
    return TrainingResult(tuple(trained), tuple(skipped), photos, _notes(photos, trained))


def refit(model: Model | None, gallery: Gallery, *, kind: str, fingerprint: str | None) -> Model | None:
    """A model of this gallery without a search, in seconds; None for an empty gallery.

    Of recipe `kind`, with the parameters that `model` was found with if it is of that recipe. While
    there are too few photos for that recipe (`photos_each`), `nearest` stands in for it: it knows
    somebody from the first photo on, where the others are unsure until they have seen several.
    """
    if not gallery.names:
        return None
    people, y = _targets(gallery)
    recipe: Recipe = registry.create(registry.CLASSIFIERS, kind)
    params = _params(model, recipe)
    enrolled = [count for name, count in zip(people, np.bincount(y), strict=True) if name != UNKNOWN]
    fitted, made = None, kind
    if all(count >= recipe.photos_each for count in enrolled):
        try:
            fitted = recipe.refit(gallery.encodings, y, params)
        except TooFewPeople:
            fitted = None
    if fitted is None:
        made = NEAREST
        fitted = registry.create(registry.CLASSIFIERS, NEAREST).refit(gallery.encodings, y, {})
    return assemble(fitted, _card(made, kind, params, people, fingerprint))


def _targets(gallery: Gallery) -> tuple[tuple[str, ...], Targets]:
    """Names, sorted as a LabelEncoder sorts them, and the number of each photo's."""
    people = gallery.people
    numbers = {name: number for number, name in enumerate(people)}
    return people, np.array([numbers[name] for name in gallery.names], dtype=np.int64)


def _hold_out(y: Targets) -> tuple[Rows, Rows]:
    """(rows to search with, rows to judge with): a fifth of the photos of those who can spare one."""
    rows = np.arange(len(y))
    can_spare = rows[np.bincount(y)[y] >= HELD_OUT_FROM]
    if not len(can_spare):
        return rows, rows[:0]
    held = can_spare[folds(y[can_spare])[0][1]]
    return np.setdiff1d(rows, held), held


def _judge(model: Model, encodings: Encodings, true: Sequence[str]) -> HeldOut:
    proba = model.proba(encodings)
    said = tuple(model.labels[column] for column in proba.argmax(axis=1))
    return HeldOut(tuple(true), said, proba.max(axis=1))


def _card(
    kind: str, recipe: str, params: Mapping[str, Any], people: tuple[str, ...], fingerprint: str | None
) -> Card:
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return Card(kind, recipe, dict(params), people, fingerprint, now)


def _params(model: Model | None, recipe: Recipe) -> dict[str, Any]:
    if model is not None and model.card.kind == ORIGINAL:
        return recipe.params_of(model.classifier) or dict(recipe.defaults)
    if model is not None and model.recipe == recipe.name and model.card.params:
        return dict(model.card.params)
    return dict(recipe.defaults)


def _notes(photos: Mapping[str, int], trained: Sequence[Trained]) -> tuple[str, ...]:
    notes = []
    few = [f"{name} ({count})" for name, count in photos.items() if count < HELD_OUT_FROM]
    if few:
        notes.append(
            f"fewer than {HELD_OUT_FROM} photos, so all are for training and none is held out: "
            f"{', '.join(few)}; about 20 of each person are good"
        )
    if UNKNOWN not in photos and any(one.kind != NEAREST for one in trained):
        notes.append(
            f"no strangers in dataset/{UNKNOWN}: svm and xgb can only choose among the people enrolled, "
            "and will give a stranger a name; add photos of about 20 other people, or use nearest"
        )
    return tuple(notes)
