"""Scores of photo against photo, and the error rates of BLUFR (Liao, Lei, Yi and Li, 2014).

A score is higher the more alike two photos are; -inf stands for a photo without a face.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from face_det.classifiers import TemplateClassifier, normalise_encodings

Floats = npt.NDArray[np.float64]

Scorer = Callable[[Floats, Floats], Floats]
"""Turns encodings of probes, shape (n, d), and of enrolled photos, shape (m, d), into scores (n, m)."""

COHORT_SIZE = 200
"""How many of the nearest background faces normalise a score."""
PHOTOS_PER_BLOCK = 1000
"""How many photos are enrolled at a time, so that the scores of all pairs never fill the memory."""


def count_false_accepts(far: float, impostors: int) -> int:
    """Return the number of impostors that may pass at a false accept rate, rounded half up.

    >>> count_false_accepts(0.01, 250)
    3
    """
    return int(np.floor(far * impostors + 0.5))


def find_threshold(impostor: Floats, accepts: int) -> float:
    """Return the threshold that lets `accepts` of these impostor scores pass, or fewer if there are ties.

    A score passes if it is at least the threshold. With the scores in falling order s_1 >= s_2 >= ...,
    the threshold is s_k for k = `accepts`, as in BLUFR's toolkit. If s_k+1 is equal to s_k, or if k is 0, it
    is the next number above, so that no impostor too many passes. No threshold lets -inf pass. Raises
    ValueError if `accepts` is 0 and there is no score.

    >>> find_threshold(np.array([0.1, 0.4, 0.3]), 2)
    0.3
    """
    falling = np.sort(impostor)[::-1]
    if accepts == 0:
        if not len(falling):
            raise ValueError("impostor: must not be empty")
        threshold = np.nextafter(falling[0], np.inf)
    else:
        threshold = falling[accepts - 1]
        if accepts < len(falling) and falling[accepts] == threshold:
            threshold = np.nextafter(threshold, np.inf)
    return max(float(threshold), -sys.float_info.max)


def verification_rate(genuine: Floats, impostor: Floats, far: float, impostors: int | None = None) -> float:
    """Return the verification rate: the share of genuine pairs that pass at a false accept rate.

    VR(FAR) = |{genuine >= t}| / |genuine|, with t such that |{impostor >= t}| / |impostor| = FAR over all
    impostor pairs (Liao et al. 2014). `genuine` and `impostor` are the pairs' scores. Where
    `impostor` holds only the highest scores, `impostors` is the number of all of them.

    >>> verification_rate(np.array([0.9, 0.2]), np.array([0.5, 0.1, 0.0, 0.0]), far=0.25)
    0.5
    """
    impostors = len(impostor) if impostors is None else impostors
    threshold = find_threshold(impostor, count_false_accepts(far, impostors))
    return float(np.mean(genuine >= threshold))


def identification_rate(scores: Floats, gallery: npt.ArrayLike, probes: npt.ArrayLike, far: float) -> float:
    """Return the detection and identification rate (DIR) at rank 1 and a false accept rate.

    `scores` has shape (probes, gallery); `gallery` and `probes` say whose photos they are. A probe is genuine
    if the person is in the gallery, and an impostor otherwise. DIR(FAR) is the share of genuine probes whose
    own gallery photo scores higher than everybody else's, and at least t, where FAR is the share of impostor
    probes whose best score is at least t (Phillips, Grother and Micheals 2011, "Evaluation Methods in Face
    Recognition"; Liao et al. 2014). A tie for the first rank counts as a miss; the toolkit takes the first.

    >>> identification_rate(np.array([[0.9, 0.1], [0.3, 0.2]]), ["ann", "bob"], ["ann", "eve"], far=0.01)
    1.0
    """
    same = np.asarray(probes)[:, None] == np.asarray(gallery)[None, :]
    is_genuine = same.any(axis=1)
    impostor = scores[~is_genuine].max(axis=1)
    threshold = find_threshold(impostor, count_false_accepts(far, len(impostor)))
    own = np.where(same, scores, -np.inf).max(axis=1)[is_genuine]
    other = np.where(same, -np.inf, scores).max(axis=1)[is_genuine]
    return float(np.mean((own > other) & (own >= threshold)))


def summarise_trials(rates: list[float]) -> dict[str, float | list[float]]:
    """Return the mean over the trials, their standard deviation (n - 1), and mean minus deviation.

    >>> summarise_trials([0.5, 0.75, 1.0])["fused"]
    0.5
    """
    mean = float(np.mean(rates))
    std = float(np.std(rates, ddof=1)) if len(rates) > 1 else 0.0
    return {"fused": mean - std, "mean": mean, "std": std, "trials": rates}


def score_with_missing(scorer: Scorer, probes: Floats, enrolled: Floats) -> Floats:
    """Return the scores of encodings; rows of NaN, which stand for photos without a face, get -inf."""
    seen, known = (~np.isnan(rows).any(axis=1) for rows in (probes, enrolled))
    scores = np.full((len(probes), len(enrolled)), -np.inf)
    if seen.any() and known.any():
        scores[np.ix_(seen, known)] = scorer(probes[seen], enrolled[known])
    return scores


def score_pairs(
    scorer: Scorer, encodings: Floats, people: npt.NDArray[np.int64], far: float
) -> tuple[Floats, Floats, int]:
    """Compare each photo with each other one, once.

    Returns the scores of genuine pairs, the highest scores of impostor pairs (as many as the threshold for
    `far` needs), and the number of impostor pairs. The later photo of a pair is the enrolled one.
    """
    _, counts = np.unique(people, return_counts=True)
    pairs = len(people) * (len(people) - 1) // 2
    impostors = pairs - int((counts * (counts - 1) // 2).sum())
    needed = min(count_false_accepts(far, impostors) + 1, impostors)
    genuine, best = [], np.full(needed, -np.inf)
    for start in range(0, len(people), PHOTOS_PER_BLOCK):
        stop = min(start + PHOTOS_PER_BLOCK, len(people))
        scores = score_with_missing(scorer, encodings[:stop], encodings[start:stop])
        earlier = np.arange(stop)[:, None] < np.arange(start, stop)
        same = people[:stop, None] == people[start:stop]
        genuine.append(scores[earlier & same])
        best = np.concatenate([best, scores[earlier & ~same & (scores > best.min())]])
        best = np.partition(best, len(best) - needed)[len(best) - needed :]
    return np.concatenate(genuine), best, impostors


def cosine(probes: Floats, enrolled: Floats) -> Floats:
    """Return the cosine similarities of encodings of length 1."""
    similarities: Floats = probes @ enrolled.T
    return similarities


def centred_cosine(mean_face: Floats) -> Scorer:
    """Take what all faces have in common, a mean face of shape (d,), from both encodings first."""

    def score(probes: Floats, enrolled: Floats) -> Floats:
        return cosine(normalise_encodings(probes - mean_face), normalise_encodings(enrolled - mean_face))

    return score


def weighted_sum(parts: Sequence[tuple[slice, float, Scorer, Floats]]) -> Scorer:
    """Add the scores of several embedders, whose encodings stand side by side.

    A part is its columns, its weight, its scorer, and its background, encodings of different people (n, d):
    their scores with each other give the mean and the standard deviation by which the part is standardised.
    """
    scales = []
    for _, _, scorer, background in parts:
        others = scorer(background, background)[np.triu_indices(len(background), 1)]
        # One person has nobody to be compared with.
        scales.append((others.mean(), max(float(others.std()), 1e-6)) if len(others) else (0.0, 1.0))

    def score(probes: Floats, enrolled: Floats) -> Floats:
        total = np.zeros((len(probes), len(enrolled)))
        for (columns, weight, scorer, _), (mean, spread) in zip(parts, scales, strict=True):
            own = scorer(normalise_encodings(probes[:, columns]), normalise_encodings(enrolled[:, columns]))
            total += weight * (own - mean) / spread
        return total

    return score


def template(mean_face: Floats) -> Scorer:
    """Score as the classifier `template` does with one photo a person and a mean face, shape (d,)."""

    def score(probes: Floats, enrolled: Floats) -> Floats:
        classifier = TemplateClassifier(mean_face=mean_face).fit(enrolled, np.arange(len(enrolled)))
        return classifier.scores(probes)

    return score


def adaptive_s_norm(background: Floats) -> Scorer:
    """Normalise the cosine c by both photos' cosines with their nearest background faces, shape (n, d).

    s = ((c - m_p) / d_p + (c - m_e) / d_e) / 2, where m and d are the mean and the standard deviation of the
    probe's (p) and the enrolled photo's (e) COHORT_SIZE highest cosines (adaptive S-norm; Matejka et al.
    2017, "Analysis of Score Normalization in Multilingual Speaker Recognition").
    """

    def moments(encodings: Floats) -> tuple[Floats, Floats]:
        size = min(COHORT_SIZE, len(background))
        nearest = np.partition(encodings @ background.T, -size, axis=1)[:, -size:]
        return nearest.mean(axis=1), np.maximum(nearest.std(axis=1), 1e-6)

    def score(probes: Floats, enrolled: Floats) -> Floats:
        (mean_p, std_p), (mean_e, std_e) = moments(probes), moments(enrolled)
        scores = cosine(probes, enrolled)
        return ((scores - mean_p[:, None]) / std_p[:, None] + (scores - mean_e) / std_e) / 2

    return score
