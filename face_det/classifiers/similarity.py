"""The scale on which templates are compared: the negative logarithm of a squared distance."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

TemplateScores = npt.NDArray[np.float64]
"""s = -ln(2 - 2 c), shape (n, people), where c is the cosine similarity of an encoding and a template.

This is the negative logarithm of a squared distance. On this scale the tail of strangers' best scores falls
off exponentially with either embedder."""


def similarity_to_score(similarity: npt.NDArray[Any]) -> TemplateScores:
    """Turn cosine similarities c into scores -ln(2 - 2 c) of the same shape; equal encodings get about 27.

    >>> similarity_to_score(np.array([0.5, 0.0])).round(3).tolist()
    [-0.0, -0.693]
    """
    scores: TemplateScores = -np.log(np.maximum(2.0 - 2.0 * np.asarray(similarity, np.float64), 1e-12))
    return scores


def score_to_similarity(scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Turn scores back into cosine similarities; the inverse of similarity_to_score.

    >>> score_to_similarity([0.0]).tolist()
    [0.5]
    """
    similarity: npt.NDArray[np.float64] = 1.0 - np.exp(-np.asarray(scores, np.float64)) / 2.0
    return similarity
