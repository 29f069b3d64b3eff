"""Genuine and impostor scores of the training photos, from which a stated error rate is learnt.

Genuine: each photo against its own person's template, made without it and without the photos of the same
burst, and against everybody else's template. Impostor: each photo of Unknown, and each person's photos
against the others' templates, as if that person were not enrolled. An impostor counts once, however many
photos there are: a thousand photos of the neighbour say little about strangers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from face_det.classifiers import (
    TRAINING_SEED,
    RowIndices,
    Targets,
    TemplateScores,
    mean_norm,
    normalise_encodings,
    similarity_to_score,
)
from face_det.training.background import FloatArray
from face_det.types import Encodings

if TYPE_CHECKING:
    from face_det.classifiers import TemplateClassifier

MAX_PHOTOS, MIN_PHOTOS = 4000, 400
"""At most MAX_PHOTOS photos of either kind are compared: more add no certainty, and take time."""

MAX_COMPARISONS = 4_000_000
"""At most this many comparisons are made, unless MIN_PHOTOS photos need more."""

SAME_PERSON_RADIUS = 0.9
"""Two photos of Unknown closer than this share of the gate distance count as one person's. One pair of
strangers in ten thousand is that close."""

BLOCK_PHOTOS = 500
"""This many photos are compared with all others at a time."""


@dataclass(frozen=True, eq=False)
class ComparisonScores:
    """Scores of photos that a template has not seen.

    In each row of `genuine`, shape (n, people), the score in column `genuine_person`, shape (n,), is
    for the photo's own person. `impostor`, shape (m, people), has a row for each impostor's photo; `weights`,
    shape (m,), add up to 1 for each impostor.
    """

    genuine: TemplateScores
    genuine_person: RowIndices
    impostor: TemplateScores
    weights: FloatArray
    bursts: float
    """The median number of bursts that a template is made of."""

    @property
    def impostor_people(self) -> int:
        """The number of different people among the impostors."""
        return round(float(self.weights.sum()))

    @property
    def best_impostor(self) -> FloatArray:
        """The highest score of each impostor's photo, shape (m,)."""
        return self.impostor.max(axis=1) if self.impostor.size else np.empty(0)

    @property
    def enrolled_people(self) -> int:
        """The number of people with a template."""
        return int(self.genuine.shape[1])


def score_comparisons(classifier: TemplateClassifier, X: Encodings, y: Targets) -> ComparisonScores:
    """Compare the classifier's own training photos X, shape (n, d), of people y, shape (n,), with templates.

    Photos that do not belong to their person are left out. A person with only one burst has no genuine
    score, because nothing would be left of their template.

    >>> X = np.eye(4, 8) + np.eye(4, 8, k=4)
    >>> y = np.array([0, 0, 1, 1])
    >>> from face_det.classifiers import TemplateClassifier
    >>> scores = score_comparisons(TemplateClassifier().fit(X, y), X, y)
    >>> scores.genuine.shape, scores.impostor_people, scores.bursts
    ((4, 2), 2, 2.0)
    """
    enrolled = classifier.enrolled_
    column = np.full(len(classifier.templates_), -1)
    column[enrolled] = np.arange(len(enrolled))
    most = max(MIN_PHOTOS, min(MAX_PHOTOS, MAX_COMPARISONS // max(len(enrolled), 1)))
    rows = _sample_rows(np.flatnonzero(classifier.burst_ >= 0), most)
    strangers = _sample_rows(np.flatnonzero(column[y] < 0), most)
    scores = classifier.scores(X[rows])[:, enrolled]
    own = column[y[rows]]
    others = scores.copy()
    others[np.arange(len(rows)), own] = -np.inf
    genuine = others.copy()
    genuine[np.arange(len(rows)), own] = _genuine_scores(classifier, X[rows], y[rows], rows)
    usable = np.isfinite(genuine[np.arange(len(rows)), own])
    impostor = [classifier.scores(X[strangers])[:, enrolled]]
    weights = [_unknown_weights(classifier, X, strangers)]
    if len(enrolled) > 1:
        impostor.append(others)
        weights.append(1 / np.bincount(own)[own])
    return ComparisonScores(
        genuine[usable],
        own[usable],
        np.concatenate(impostor),
        np.concatenate(weights),
        float(np.median(classifier.burst_counts_[enrolled])),
    )


def _genuine_scores(
    classifier: TemplateClassifier, photos: Encodings, person: Targets, rows: RowIndices
) -> FloatArray:
    """Score photos against the template of their person's other bursts; -inf if there is none."""
    count = classifier.burst_counts_[person]
    mean = classifier.lengths_[person][:, None] * classifier.templates_[person]
    burst = classifier.burst_means_[classifier.burst_[rows]]
    with np.errstate(divide="ignore", invalid="ignore"):
        without = (count[:, None] * mean - burst) / (count[:, None] - 1)
        # A mean of more bursts is shorter, and its direction is that much nearer to new photos.
        nearer = without / classifier.lengths_[person][:, None]
        template = nearer - classifier.mean_face_or_zero
        scores = similarity_to_score(np.einsum("nd,nd->n", normalise_encodings(photos), template))
    return np.where(count > 1, scores, -np.inf)


def _unknown_weights(classifier: TemplateClassifier, X: Encodings, rows: RowIndices) -> FloatArray:
    """Weigh each photo of Unknown by 1 / the number of photos, itself included, of the apparent person."""
    photos = normalise_encodings(X[rows]).astype(np.float32)
    near = SAME_PERSON_RADIUS * classifier.gate_distance / mean_norm(X)
    likely = 1 - near**2 / 2
    counts = [
        (photos[start : start + BLOCK_PHOTOS] @ photos.T > likely).sum(axis=1)
        for start in range(0, len(rows), BLOCK_PHOTOS)
    ]
    # An encoding of zeros is near nothing, not even itself.
    weights: FloatArray = 1 / np.maximum(np.concatenate([np.empty(0), *counts]), 1)
    return weights


def _sample_rows(rows: RowIndices, most: int) -> RowIndices:
    if len(rows) <= most:
        return rows
    chosen = np.random.default_rng(TRAINING_SEED).choice(rows, most, replace=False)
    return np.sort(chosen)
