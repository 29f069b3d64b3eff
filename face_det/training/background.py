"""Scores known before anybody is enrolled: how near strangers come, and how near people come to their own
template. A family of three with no strangers' photos learns its threshold from this.

background.json holds quantiles, made by benchmarks/background.py from 40 people of LFW (5 photos each) and
200 strangers. It contains no photo, no encoding and no name.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from face_det.classifiers import score_to_similarity, similarity_to_score

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BackgroundScores:
    """The distribution of scores against templates.

    `levels` are rising probabilities, shape (k,). `genuine` and `impostor`, of the same shape, are the scores
    that lie below with these probabilities: of people against their own template, and of strangers against
    anybody's. Above the last one, strangers' scores fall off exponentially with the scale `tail`.
    """

    levels: FloatArray
    genuine: FloatArray
    impostor: FloatArray
    tail: float

    def probability_above(self, scores: npt.ArrayLike, people: int) -> FloatArray:
        """Return the probability that a stranger's best score among `people` templates is above `scores`.

        The result has the shape of `scores`. The people are assumed not to resemble each other.
        """
        scores = np.asarray(scores, np.float64)
        last = 1 - self.levels[-1]
        over = np.maximum(scores - self.impostor[-1], 0) / self.tail
        one = np.where(
            scores > self.impostor[-1],
            last * np.exp(-over),
            1 - np.interp(scores, self.impostor, self.levels),
        )
        # 1 - (1 - one) ** people, computed so that tiny values of `one` keep their precision.
        many: FloatArray = -np.expm1(people * np.log1p(-np.minimum(one, 1 - 1e-12)))
        return many

    def impostor_scores(self, people: int, count: int) -> FloatArray:
        """Return `count` strangers' best scores among `people` templates, at evenly spaced quantiles."""
        chances = (np.arange(count) + 0.5) / count
        one = chances ** (1 / people)
        inside = np.interp(one, self.levels, self.impostor)
        over = np.log((1 - self.levels[-1]) / np.maximum(1 - one, 1e-15)) * self.tail
        scores: FloatArray = np.where(one > self.levels[-1], self.impostor[-1] + over, inside)
        return scores

    def genuine_scores(self, count: int) -> FloatArray:
        """Return `count` people's scores against their own template, at evenly spaced quantiles."""
        scores: FloatArray = np.interp((np.arange(count) + 0.5) / count, self.levels, self.genuine)
        return scores


def load_background(embedder: str, bursts: float) -> BackgroundScores | None:
    """Load an embedder's scores against templates made of about `bursts` bursts; None if none are known.

    The length of a mean of n encodings falls as 1 / n does, and similarities to the mean grow accordingly.
    Beyond the tables, which end at 4 bursts, they are extrapolated in 1 / n.

    >>> load_background("an unknown embedder", 4) is None
    True
    >>> background = load_background("sface", 4)
    >>> bool(background.probability_above(-0.3, people=40) > background.probability_above(-0.3, people=1))
    True
    """
    tables = _load_tables()
    if embedder not in tables["embedders"]:
        return None
    known = {int(entry["moments"]): entry for entry in tables["embedders"][embedder]["tables"]}
    last = max(known)
    nearest = known[min(max(round(bursts), 1), last)]
    further = max(0.0, 1 / last - 1 / max(bursts, 1.0)) / (1 / (last - 1) - 1 / last)

    def extrapolate(key: str) -> FloatArray:
        here = score_to_similarity(nearest[key])
        return similarity_to_score(here + further * (here - score_to_similarity(known[last - 1][key])))

    return BackgroundScores(
        np.array(tables["levels"]),
        extrapolate("genuine"),
        extrapolate("impostor"),
        float(nearest["tail"]),
    )


def load_mean_face(embedder: str) -> FloatArray | None:
    """Load the mean of strangers' encodings of length 1, shape (d,); None if the embedder needs none.

    >>> load_mean_face("sface").shape, load_mean_face("dlib_resnet") is None
    ((128,), True)
    """
    known = _load_tables()["embedders"].get(embedder)
    return None if known is None or known["mean_face"] is None else np.array(known["mean_face"])


@functools.cache
def _load_tables() -> dict[str, Any]:
    text = resources.files("face_det.training").joinpath("background.json").read_text("utf-8")
    tables: dict[str, Any] = json.loads(text)
    return tables
