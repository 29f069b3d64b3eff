"""The scores behind the answers, for the histograms."""

from __future__ import annotations

import numpy as np

from face_det.faces import UNKNOWN
from face_det.identity.evaluation.assessment import Assessment
from face_det.identity.evaluation.charts import Scores
from face_det.identity.evaluation.figures import Floats

CERTAIN = 1e-6


def scores(found: Assessment) -> Scores:
    """How near each face tested comes to its own person, to the nearest other, and strangers to anybody.

    The classifier's own scores where it has them, else log odds of its probabilities.
    """
    matrix, labels = _matrix(found)
    people = np.array(labels)
    genuine, impostor, strangers = [], [], []
    for row, truth in zip(matrix, found.trial.truth, strict=True):
        if truth is None:
            strangers.append(row.max())
        else:
            own = people == truth
            genuine += row[own].tolist()
            if not own.all():
                impostor.append(row[~own].max())
    own, other, nobody = (np.array(kind, np.float64) for kind in (genuine, impostor, strangers))
    verifier = found.model.verifier
    if verifier is None:
        return Scores(own, other, nobody, None, "log10 of the odds, probability / (1 - probability)")
    return Scores(
        _distances(own),
        _distances(other),
        _distances(nobody),
        float(_distances(np.array([verifier.threshold]))[0]),
        "distance to the person's template (nearer is further right)",
        nearer_is_less=True,
    )


def _matrix(found: Assessment) -> tuple[Floats, list[str]]:
    """Scores by face and person, and the people."""
    model = found.model
    asked = found.trial.of(found.embedder).asked
    people = [column for column, name in enumerate(model.labels) if name != UNKNOWN]
    labels = [model.labels[column] for column in people]
    if model.verifier is not None:
        return model.verifier.template.scores(asked)[:, people], labels
    proba = np.clip(model.proba(asked)[:, people], CERTAIN, 1 - CERTAIN)
    return np.log10(proba / (1 - proba)), labels


def _distances(scores: Floats) -> Floats:
    """A template's score is -ln(d * d), d the distance of two vectors of length 1."""
    distances: Floats = np.exp(-scores / 2)
    return distances
