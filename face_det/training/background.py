"""What is known of scores before anybody is enrolled: how near strangers come, and how near people come
to their own template. A family with three people and no strangers learns its threshold from this.

background.json holds quantiles, made by benchmarks/background.py from 40 people of LFW (5 photos each)
and 200 strangers; no photo, no encoding and no name is in it.
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
    """Scores against templates; `levels` are probabilities, rising, and the
    other two the scores that lie below them with these probabilities. Behind the last of them the
    strangers' fall off exponentially, with scale `tail`."""

    levels: FloatArray
    genuine: FloatArray
    impostor: FloatArray
    tail: float

    def beyond(self, scores: npt.ArrayLike, people: int) -> FloatArray:
        """The probability that a stranger's best score among so many people is higher, as if the
        people were unlike each other."""
        scores = np.asarray(scores, np.float64)
        last = 1 - self.levels[-1]
        over = np.maximum(scores - self.impostor[-1], 0) / self.tail
        one = np.where(
            scores > self.impostor[-1],
            last * np.exp(-over),
            1 - np.interp(scores, self.impostor, self.levels),
        )
        # 1 - (1 - one) ** people, also where one is tiny
        many: FloatArray = -np.expm1(people * np.log1p(-np.minimum(one, 1 - 1e-12)))
        return many

    def strangers(self, people: int, count: int) -> FloatArray:
        """So many strangers' best scores among so many people, evenly spread."""
        chances = (np.arange(count) + 0.5) / count
        one = chances ** (1 / people)
        inside = np.interp(one, self.levels, self.impostor)
        over = np.log((1 - self.levels[-1]) / np.maximum(1 - one, 1e-15)) * self.tail
        found: FloatArray = np.where(one > self.levels[-1], self.impostor[-1] + over, inside)
        return found

    def own(self, count: int) -> FloatArray:
        """So many people's scores against their own template, evenly spread."""
        found: FloatArray = np.interp((np.arange(count) + 0.5) / count, self.levels, self.genuine)
        return found


def load_background(embedder: str, moments: float) -> BackgroundScores | None:
    """What is known of an embedder's scores with templates of about so many moments; None if nothing.

    The mean of n encodings has a length that falls as 1 / n does, and likenesses to it grow as much:
    beyond the tables, which end with 4, they are carried on in 1 / n.
    """
    tables = _load_tables()
    if embedder not in tables["embedders"]:
        return None
    known = {int(entry["moments"]): entry for entry in tables["embedders"][embedder]["tables"]}
    last = max(known)
    nearest = known[min(max(round(moments), 1), last)]
    further = max(0.0, 1 / last - 1 / max(moments, 1.0)) / (1 / (last - 1) - 1 / last)

    def grown(key: str) -> FloatArray:
        here = score_to_similarity(nearest[key])
        return similarity_to_score(here + further * (here - score_to_similarity(known[last - 1][key])))

    return BackgroundScores(
        np.array(tables["levels"]), grown("genuine"), grown("impostor"), float(nearest["tail"])
    )


def load_mean_face(embedder: str) -> FloatArray | None:
    """The mean of strangers' encodings of length 1, for embedders that decide better without it."""
    known = _load_tables()["embedders"].get(embedder)
    return None if known is None or known["mean_face"] is None else np.array(known["mean_face"])


@functools.cache
def _load_tables() -> dict[str, Any]:
    text = resources.files("face_det.training").joinpath("background.json").read_text("utf-8")
    tables: dict[str, Any] = json.loads(text)
    return tables
