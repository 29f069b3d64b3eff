"""Trials made of the training photos alone: what a decision with a stated error rate is learnt from.

Genuine: each photo against its own person's template, made without it and without the photos of the
same moment, and against everybody else's. Impostor: each photo of Unknown, and each person's photos
among the others, as if that person were not enrolled. Of either kind somebody counts once, however
many photos there are: a thousand of the neighbour say little of strangers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from face_det.classifiers import (
    TRAINING_SEED,
    Targets,
    TemplateClassifier,
    TemplateScores,
    mean_norm,
    normalise_encodings,
    similarity_to_score,
)
from face_det.types import Encodings

MAX_SCORES, MIN_SCORES = 4000, 400
"""Trials of either sort, at most; more make nothing surer, and take time."""

MAX_COMPARISONS = 4_000_000
"""Comparisons in them, unless LEAST are more."""

SAME_PERSON_RADIUS = 0.9
"""Two photos of Unknown are taken for one person's within this part of the gate's distance, which one pair
of strangers in ten thousand lies within."""

BLOCK_PHOTOS = 500
"""Photos that are compared with all others at a time."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ComparisonScores:
    """`genuine` (n, people), each row with its own person's score without that photo; `own` (n,) its
    person; `impostor` (m, people), of which each person weighs 1 in all, by `weights` (m,)."""

    genuine: TemplateScores
    own: npt.NDArray[np.intp]
    impostor: TemplateScores
    weights: FloatArray
    moments: float
    """A template is made of so many moments, in the median."""

    @property
    def identities(self) -> int:
        """Different people who are not the one they are compared with."""
        return round(float(self.weights.sum()))

    @property
    def best(self) -> FloatArray:
        """The highest score of each impostor trial."""
        return self.impostor.max(axis=1) if self.impostor.size else np.empty(0)

    @property
    def people(self) -> int:
        """Among how many people an impostor is compared."""
        return int(self.genuine.shape[1])


def score_comparisons(classifier: TemplateClassifier, X: Encodings, y: Targets) -> ComparisonScores:
    """The trials that the classifier's own training photos X, shape (n, d), of people y make.

    Photos that do not belong to their person take no part. A person of one moment only is in no
    genuine trial, since nothing would be left of their template.
    """
    enrolled = classifier.enrolled_
    column = np.full(len(classifier.templates_), -1)
    column[enrolled] = np.arange(len(enrolled))
    most = max(MIN_SCORES, min(MAX_SCORES, MAX_COMPARISONS // max(len(enrolled), 1)))
    rows = _sample_rows(np.flatnonzero(classifier.moment_ >= 0), most)
    strangers = _sample_rows(np.flatnonzero(column[y] < 0), most)
    scores = classifier.scores(X[rows])[:, enrolled]
    own = column[y[rows]]
    others = scores.copy()
    others[np.arange(len(rows)), own] = -np.inf
    genuine = others.copy()
    genuine[np.arange(len(rows)), own] = _genuine_scores(classifier, X[rows], y[rows], rows)
    usable = np.isfinite(genuine[np.arange(len(rows)), own])
    impostor, weights = (
        [classifier.scores(X[strangers])[:, enrolled]],
        [_unknown_weights(classifier, X, strangers)],
    )
    if len(enrolled) > 1:
        impostor.append(others)
        weights.append(1 / np.bincount(own)[own])
    return ComparisonScores(
        genuine[usable],
        own[usable],
        np.concatenate(impostor),
        np.concatenate(weights),
        float(np.median(classifier.moments_[enrolled])),
    )


def _genuine_scores(
    classifier: TemplateClassifier, photos: Encodings, person: Targets, rows: npt.NDArray[np.intp]
) -> FloatArray:
    """Of photos against the template of their person's other moments; -inf if there is none."""
    count = classifier.moments_[person]
    mean = classifier.lengths_[person][:, None] * classifier.templates_[person]
    moment = classifier.moment_means_[classifier.moment_[rows]]
    with np.errstate(divide="ignore", invalid="ignore"):
        without = (count[:, None] * mean - moment) / (count[:, None] - 1)
        # The mean of more moments is shorter, and its direction that much nearer to new photos.
        nearer = without / classifier.lengths_[person][:, None]
        scores = similarity_to_score(
            np.einsum("nd,nd->n", normalise_encodings(photos), nearer - classifier.common)
        )
    return np.where(count > 1, scores, -np.inf)


def _unknown_weights(classifier: TemplateClassifier, X: Encodings, rows: npt.NDArray[np.intp]) -> FloatArray:
    """Of photos of Unknown: 1 by the number of those, itself among them, that are likely of that person."""
    photos = normalise_encodings(X[rows]).astype(np.float32)
    near = SAME_PERSON_RADIUS * classifier.gate_distance / mean_norm(X)
    likely = 1 - near**2 / 2
    counts = [
        (photos[at : at + BLOCK_PHOTOS] @ photos.T > likely).sum(axis=1)
        for at in range(0, len(rows), BLOCK_PHOTOS)
    ]
    # A photo without a direction is near to none, not even to itself.
    weights: FloatArray = 1 / np.maximum(np.concatenate([np.empty(0), *counts]), 1)
    return weights


def _sample_rows(rows: npt.NDArray[np.intp], most: int) -> npt.NDArray[np.intp]:
    if len(rows) <= most:
        return rows
    chosen = np.random.default_rng(TRAINING_SEED).choice(rows, most, replace=False)
    return np.sort(chosen)
