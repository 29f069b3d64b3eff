"""Trials made of the training photos alone: what a decision with a stated error rate is learnt from.

Genuine: each photo against its own person's template, made without it and without the photos of the
same moment, and against everybody else's. Impostor: each photo of Unknown, and each person's photos
among the others, as if that person were not enrolled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from face_det.classifiers.search import SEED, Targets
from face_det.classifiers.template import Scores, TemplateClassifier, moment_means, score, unit
from face_det.faces import Encodings

MOST = 4000
"""Trials of either sort; more make nothing surer, and take time."""

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Trials:
    """`genuine` (n, people), each row with its own person's score without that photo; `own` (n,) its
    person; `impostor` (m, people), of which each person weighs 1 in all, by `weights` (m,)."""

    genuine: Scores
    own: npt.NDArray[np.intp]
    impostor: Scores
    weights: Values
    moments: float
    """A template is made of so many moments, in the median."""

    @property
    def identities(self) -> int:
        """Different people who are not the one they are compared with."""
        return round(float(self.weights.sum()))

    @property
    def best(self) -> Values:
        """The highest score of each impostor trial."""
        return self.impostor.max(axis=1) if self.impostor.size else np.empty(0)

    @property
    def people(self) -> int:
        """Among how many people an impostor is compared."""
        return int(self.genuine.shape[1])


def trials(classifier: TemplateClassifier, X: Encodings, y: Targets) -> Trials:
    """The trials that the classifier's own training photos X, shape (n, d), of people y make.

    Photos that do not belong to their person take no part. A person of one moment only is in no
    genuine trial, since nothing would be left of their template.
    """
    enrolled = classifier.enrolled_
    column = np.full(len(classifier.templates_), -1)
    column[enrolled] = np.arange(len(enrolled))
    known = (column[y] >= 0) & classifier.belongs_
    rows = _some(np.flatnonzero(known))
    strangers = _some(np.flatnonzero(column[y] < 0))
    scores = classifier.scores(X[rows])[:, enrolled]
    own = column[y[rows]]
    moments = [len(np.unique(classifier.moment_[known & (y == person)])) for person in enrolled]
    others = scores.copy()
    others[np.arange(len(rows)), own] = -np.inf
    genuine = others.copy()
    genuine[np.arange(len(rows)), own] = _own_scores(classifier, X, y, rows, known)
    usable = np.isfinite(genuine[np.arange(len(rows)), own])
    impostor, weights = [classifier.scores(X[strangers])[:, enrolled]], [np.ones(len(strangers))]
    if len(enrolled) > 1:
        impostor.append(others)
        weights.append(1 / np.bincount(own)[own])
    return Trials(
        genuine[usable],
        own[usable],
        np.concatenate(impostor),
        np.concatenate(weights),
        float(np.median(moments)),
    )


def _own_scores(
    classifier: TemplateClassifier,
    X: Encodings,
    y: Targets,
    rows: npt.NDArray[np.intp],
    known: npt.NDArray[np.bool_],
) -> Values:
    """Of each photo of `rows` against the template of its person's other moments; -inf if none."""
    found = np.full(len(rows), -np.inf)
    for person in np.unique(y[rows]):
        mine = np.flatnonzero(known & (y == person))
        photos, moment = unit(X[mine]), classifier.moment_[mine]
        numbers, inverse = np.unique(moment, return_inverse=True)
        if len(numbers) < 2:
            continue
        means = moment_means(photos, moment)
        without = (means.sum(axis=0) - means) / (len(means) - 1)
        # The mean of more moments is shorter, and its direction that much nearer to new photos.
        nearer = np.linalg.norm(means.mean(axis=0))
        scores = score(classifier.likeness(photos, without / nearer)[np.arange(len(mine)), inverse])
        asked = np.flatnonzero(y[rows] == person)
        found[asked] = scores[np.searchsorted(mine, rows[asked])]
    return found


def _some(rows: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    if len(rows) <= MOST:
        return rows
    chosen = np.random.default_rng(SEED).choice(rows, MOST, replace=False)
    return np.sort(chosen)
