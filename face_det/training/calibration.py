"""Turns the training photos into a decision with a stated error rate.

The genuine and impostor scores (training.comparison_scores) give the threshold for a wanted false accept
rate, and the calibration of the probabilities.

The false accept rate is the share of strangers who are given anybody's name, so it is about a stranger's best
score, not about one comparison. It is far smaller than 1 / the number of impostors, so the tail of these best
scores is extrapolated: s = -ln(d * d) falls off exponentially (seen with both embedders on LFW). With few
impostors, the built-in background (training.background) supplements them.
"""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING

import numpy as np

from face_det.classifiers import GATE_PROBABILITY, RowIndices, Targets, TemplateScores
from face_det.embedders import EMBEDDERS
from face_det.errors import TooFewPeople
from face_det.recognition import GENUINE_PER_IMPOSTOR, OLDER_TAIL, Verifier
from face_det.training.background import BackgroundScores, FloatArray, load_background
from face_det.training.comparison_scores import ComparisonScores, score_comparisons
from face_det.types import Encodings

if TYPE_CHECKING:
    from face_det.classifiers import ScoringClassifier, TemplateClassifier

TAIL_SHARE = 0.05
"""The share of the impostors' best scores that the tail is fitted to."""

MIN_TAIL_PEOPLE = 8
"""The scores of fewer people than this are too few for a tail."""

BACKGROUND_IMPOSTORS = 100
"""The built-in background counts as this many impostors."""

NEAREST_PEOPLE = 20
"""The calibration considers only this many people for each face."""

BACKGROUND_COMPARISONS = 40
"""Genuine and impostor scores, this many of each, that the background adds to the calibration. Together they
weigh BACKGROUND_IMPOSTORS."""

LEAST_SCORE = -2.0
"""No threshold is lower, unless all strangers' scores are."""

_Part = tuple[TemplateScores, RowIndices, FloatArray]
"""Scores of faces against people, shape (n, people), whose each face is (-1: nobody's), and its weight."""

RULE_OF_THREE = 3.0
"""This many impostors divided by the rate, with none of them named, show the rate with 95 % confidence."""


def calibrate_verifier(
    classifier: TemplateClassifier, X: Encodings, y: Targets, embedder: str, rate: float
) -> Verifier:
    """Calibrate templates with their own training photos, and return the verifier that uses them.

    X, shape (n, d), holds the training photos of people y, shape (n,). `rate` is the wanted false accept
    rate. The classifier is calibrated in place and its training state dropped. If there are no impostors and
    the embedder has no background, the probabilities by distance stay.
    """
    scores = score_comparisons(classifier, X, y)
    verifier = verifier_from_scores(classifier, scores, embedder, rate)
    classifier.drop_training_state()
    return verifier


def verifier_from_scores(
    classifier: ScoringClassifier, scores: ComparisonScores, embedder: str, rate: float
) -> Verifier:
    """Calibrate a new classifier by scores that it has not learnt from, and return the verifier with it."""
    line = calibrate_probabilities(scores, embedder)
    if line is not None:
        classifier.slope_, classifier.offset_ = line
    threshold, tail = threshold_and_tail(scores, embedder, rate)
    if threshold is None:
        require_known_distances(embedder)
        odds = np.log(GATE_PROBABILITY / (1 - GATE_PROBABILITY))
        threshold = (odds - classifier.offset_) / classifier.slope_
    return Verifier(classifier, float(threshold), rate, scores.impostor_people, impostors_needed(rate), tail)


def require_known_distances(embedder: str) -> None:
    """Raise TooFewPeople if nothing is known of how near strangers come by this embedder."""
    spec = EMBEDDERS.get(embedder)
    if spec is not None and spec.provisional:
        raise TooFewPeople(
            f"{embedder}: must have photos of {2 * MIN_TAIL_PEOPLE + 1} people to learn a threshold from, "
            "strangers' included, as its description gives no distances; add photos of strangers to "
            "dataset/Unknown (face-det fetch-lfw), or evenDistance and gateDistance to the description"
        )


def threshold_and_tail(scores: ComparisonScores, embedder: str, rate: float) -> tuple[float | None, float]:
    """Return the threshold for a false accept rate, and the scale of the strangers' tail there.

    The scale follows from the threshold for half the rate, which the tail reaches after ln 2 of its scale.
    """
    threshold = threshold_for_rate(scores, embedder, rate)
    stricter = threshold_for_rate(scores, embedder, rate / 2)
    if threshold is None or stricter is None:
        return None, OLDER_TAIL
    return threshold, (stricter - threshold) / math.log(2)


def impostors_needed(rate: float) -> int:
    """Return how many impostors it takes to show a false accept rate by counting.

    >>> impostors_needed(0.001)
    3000
    """
    return math.ceil(RULE_OF_THREE / rate)


def load_libraries() -> None:
    """Import what a calibration needs, which takes half a second, before somebody waits for it."""
    for module in ("scipy.optimize", "scipy.special"):
        importlib.import_module(module)


def threshold_for_rate(scores: ComparisonScores, embedder: str, rate: float) -> float | None:
    """Return the score that strangers reach with probability `rate`; None if nothing is known of strangers.

    P(best score > s) is a weighted mean of two: the exponential tail of these impostors, weighted by their
    number, and the background's, weighted as BACKGROUND_IMPOSTORS impostors.
    """
    # scipy is imported only by what needs it: it takes half a second, and most commands train nothing.
    from scipy.optimize import brentq  # type: ignore[import-untyped]

    background = load_background(embedder, scores.bursts)
    impostors = scores.impostor_people
    tail = _ImpostorTail(scores.best_impostor, scores.weights) if impostors > 2 * MIN_TAIL_PEOPLE else None
    weight = impostors / (impostors + BACKGROUND_IMPOSTORS) if tail is not None else 0.0
    if background is None:
        weight = 1.0
    if tail is None and background is None:
        return None

    def excess(score: float) -> float:
        above = weight * tail(score) if tail is not None else 0.0
        if background is not None:
            above += (1 - weight) * float(background.probability_above(score, scores.enrolled_people))
        return float(np.log(max(above, 1e-300)) - np.log(rate))

    # Distances of encodings of length 1 are at most 2; the classic recognisers have units of their own.
    low, high = float(min(LEAST_SCORE, scores.best_impostor.min(initial=LEAST_SCORE))), 30.0
    return float(brentq(excess, low, high, xtol=1e-4)) if excess(low) > 0 > excess(high) else low


class _ImpostorTail:
    """P(best score > s): counted below the start of the tail, exponential above it."""

    def __init__(self, best: FloatArray, weights: FloatArray) -> None:
        part = max(TAIL_SHARE, MIN_TAIL_PEOPLE / float(weights.sum()))
        self._start, self._scale = fit_tail(best, weights, part)
        above = best > self._start
        self._part = float(weights[above].sum() / weights.sum())
        self._best, self._weights = best, weights / weights.sum()

    def __call__(self, score: float) -> float:
        """Return P(best score > score)."""
        if score <= self._start:
            return float(self._weights[self._best > score].sum())
        return self._part * float(np.exp(-(score - self._start) / self._scale))


def fit_tail(values: FloatArray, weights: FloatArray, part: float = TAIL_SHARE) -> tuple[float, float]:
    """Return where the highest `part` of weighted values starts, and their mean excess over that start.

    `values` and `weights` have shape (n,). A few of the strangers may be somebody enrolled, and a photo may
    be somebody else's, so an excess is capped at five times what the median suggests.

    >>> start, scale = fit_tail(np.linspace(0, 1, 101), np.ones(101), part=0.1)
    >>> round(start, 2), round(scale, 2)
    (0.89, 0.06)
    """
    order = np.argsort(-values, kind="stable")
    share = np.cumsum(weights[order]) / weights.sum()
    count = int(np.searchsorted(share, part)) + 1
    top, mass = values[order[: count + 1]], weights[order[: count + 1]]
    start = float(top[-1])
    over, mass = top[:-1] - start, mass[:-1]
    if not len(over):
        return start, 0.01
    median = float(over[np.searchsorted(np.cumsum(mass), mass.sum() / 2)])
    limited = np.minimum(over, max(5 * median / np.log(2), 1e-6))
    return start, max(float(np.average(limited, weights=mass)), 0.01)


def calibrate_probabilities(scores: ComparisonScores, embedder: str) -> tuple[float, float] | None:
    """Return slope and offset of TemplateClassifier's probabilities; None if there are no scores.

    They are found by maximum likelihood, with the same total weight for genuine and impostor scores, and for
    both of the background; then the offset is moved to the prior, GENUINE_PER_IMPOSTOR.
    """
    from scipy.optimize import minimize

    background = load_background(embedder, scores.bursts)
    parts: list[_Part] = []
    genuine, impostor = len(scores.genuine), len(scores.impostor)
    if genuine and impostor:
        mass = float(min(genuine, scores.impostor_people))
        parts += [
            (scores.genuine, scores.genuine_person, np.full(genuine, mass / genuine)),
            (scores.impostor, np.full(impostor, -1), mass * scores.weights / scores.weights.sum()),
        ]
    if background is not None:
        own = background.genuine_scores(BACKGROUND_COMPARISONS)[:, None]
        others = background.impostor_scores(scores.enrolled_people, BACKGROUND_COMPARISONS)[:, None]
        weight = np.full(BACKGROUND_COMPARISONS, BACKGROUND_IMPOSTORS / BACKGROUND_COMPARISONS / 2)
        parts += [
            (own, np.zeros(BACKGROUND_COMPARISONS, np.intp), weight),
            (others, np.full(BACKGROUND_COMPARISONS, -1, np.intp), weight),
        ]
    if not parts:
        return None

    parts = [(*_keep_nearest_people(rows, right), weights) for rows, right, weights in parts]

    steepest, between = _line_between_tails(scores, background)
    middle = float(np.median([float(np.median(rows.max(axis=1))) for rows, _, _ in parts]))
    limit = math.log(steepest)
    start = np.array([min(1.5, limit), middle])
    # The loss is convex in slope and offset, so the best line up to the limit is the best of all, or is as
    # steep as the limit.
    found = minimize(
        _loss, start, args=(parts,), jac=True, method="L-BFGS-B", bounds=[(None, limit), (None, None)]
    )
    prior = math.log(GENUINE_PER_IMPOSTOR)
    if found.x[0] < limit:
        slope = float(np.exp(found.x[0]))
        return slope, prior - slope * float(found.x[1])
    return steepest, prior - steepest * between


def _loss(line: FloatArray, parts: list[_Part]) -> tuple[float, FloatArray]:
    """Return the negative log likelihood of a line of log odds, and its gradient, shape (2,).

    `line` holds the logarithm of the slope, and the score at which the odds are even.
    """
    from scipy.special import logsumexp  # type: ignore[import-untyped]

    total, gradient = 0.0, np.zeros(2)
    slope = np.exp(line[0])
    for rows, right, weight in parts:
        odds = slope * (rows - line[1])
        whole = np.logaddexp(0.0, logsumexp(odds, axis=1))
        probabilities = np.exp(odds - whole[:, None])
        known = right >= 0
        chosen = np.where(known, odds[np.arange(len(odds)), right], 0.0)
        total += float(weight @ (whole - chosen))
        # Where nobody is right, the first column is -inf, and its probability is 0.
        expected = (probabilities * np.where(np.isfinite(odds), odds, 0.0)).sum(axis=1)
        gradient[0] += weight @ (expected - chosen)
        gradient[1] -= slope * (weight @ (probabilities.sum(axis=1) - known))
    return total, gradient


def _keep_nearest_people(scores: TemplateScores, right: RowIndices) -> tuple[TemplateScores, RowIndices]:
    """Keep the right person's score, moved to the front, and the highest others; the rest are unlikely."""
    rows = np.flatnonzero(right >= 0)
    first = np.full((len(scores), 1), -np.inf)
    first[rows, 0] = scores[rows, right[rows]]
    rest = scores.copy()
    rest[rows, right[rows]] = -np.inf
    if rest.shape[1] > NEAREST_PEOPLE:
        rest = np.partition(rest, -NEAREST_PEOPLE, axis=1)[:, -NEAREST_PEOPLE:]
    return np.hstack([first, rest]), np.where(right >= 0, 0, -1)


def _line_between_tails(scores: ComparisonScores, background: BackgroundScores | None) -> tuple[float, float]:
    """Return the slope and zero of the log odds between the two tails, both taken as exponential.

    If no genuine score is below an impostor's, the likelihood alone would make the probability a step. Say
    TAIL_SHARE of the impostors lie above u, falling off with scale v, and TAIL_SHARE of the genuine scores
    below -g, with scale h (genuine scores are negated here, so that theirs is an upper tail as well). Then
    the densities are exp(-(s - u) / v) / v and exp((s + g) / h) / h, and their log ratio is a line of slope
    1 / v + 1 / h that is zero at (u / v - g / h + ln(h / v)) / slope.
    """
    own = scores.genuine[np.arange(len(scores.genuine_person)), scores.genuine_person]
    strangers = None if background is None else background.impostor_scores(scores.enrolled_people, 400)
    people = None if background is None else -background.genuine_scores(400)
    u, v = _blend_tails(scores.best_impostor, scores.weights, strangers)
    g, h = _blend_tails(-own, np.ones(len(own)), people)
    slope = 1 / v + 1 / h
    return slope, (u / v - g / h + float(np.log(h / v))) / slope


def _blend_tails(
    values: FloatArray, weights: FloatArray, background: FloatArray | None
) -> tuple[float, float]:
    """Return the start and scale of a tail, the mean of the photos' and the background's by their weights."""
    share = weights.sum() / (weights.sum() + BACKGROUND_IMPOSTORS) if weights.sum() > MIN_TAIL_PEOPLE else 0.0
    if background is None:
        share = 1.0
    found = np.zeros(2)
    if share > 0:
        found += share * np.array(fit_tail(values, weights))
    if background is not None:
        found += (1 - share) * np.array(fit_tail(background, np.ones(len(background))))
    return float(found[0]), float(found[1])
