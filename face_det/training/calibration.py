"""From the photos at hand to a decision with a stated error rate.

From trials (identity.trials) come the threshold for a wanted false accept rate, and the calibration.

The false accept rate is the part of strangers who are given anybody's name: that of their best score,
not of one comparison. It is far smaller than 1 / trials, so the tail of these best scores is
extended: s = -ln(d * d) falls off exponentially (seen with both embedders on LFW). With few
impostors, what is known of strangers in general (identity.background) stands beside them.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq, minimize  # type: ignore[import-untyped]
from scipy.special import logsumexp  # type: ignore[import-untyped]

from face_det.classifiers import TEMPLATE_GATE_PROBABILITY, Targets, TemplateClassifier, TemplateScores
from face_det.recognition import Verifier
from face_det.training.background import BackgroundScores, load_background
from face_det.training.comparison_scores import ComparisonScores, FloatArray, score_comparisons
from face_det.types import Encodings

TAIL_SHARE = 0.05
"""The part of the impostors' best scores that the tail is fitted to."""

MIN_TAIL_PEOPLE = 8
"""Fewer people's scores than this are no tail."""

BACKGROUND_IMPOSTORS = 100
"""As so many impostors counts what is known of strangers in general."""

NEAREST_PEOPLE = 20
"""People whom a calibration looks at, for each face."""

BACKGROUND_COMPARISONS = 40
"""Trials of either sort that the background adds to the calibration, of weight BACKGROUND in all."""

GENUINE_PER_IMPOSTOR = 4.0
"""So many faces of people enrolled are taken to come by for each stranger's. The probabilities rest
on it, as all do that say who somebody is; the false accept rate does not."""

RULE_OF_THREE = 3.0
"""Rule of three: so many impostors over the rate, none of them named, show it with 95 % confidence."""


def calibrate_verifier(
    classifier: TemplateClassifier, X: Encodings, y: Targets, embedder: str, rate: float
) -> Verifier:
    """What decides, for the templates of their own training photos; they are calibrated by it.

    An embedder of which nothing is known, and without impostors, keeps the odds of its geometry.
    """
    made = score_comparisons(classifier, X, y)
    line = calibrate_probabilities(made, embedder)
    if line is not None:
        classifier.slope_, classifier.offset_ = line
    found = threshold_for_rate(made, embedder, rate)
    classifier.forget_photos()
    if found is None:
        found = (
            np.log(TEMPLATE_GATE_PROBABILITY / (1 - TEMPLATE_GATE_PROBABILITY)) - classifier.offset_
        ) / classifier.slope_
    return Verifier(classifier, float(found), rate, made.identities, math.ceil(RULE_OF_THREE / rate))


def threshold_for_rate(of: ComparisonScores, embedder: str, rate: float) -> float | None:
    """The score that strangers reach with probability `rate`; None if nothing is known of strangers.

    P(best score > s) is a mean of two: the exponential tail of these impostors, weighed by their
    number, and the background's, weighed as BACKGROUND impostors.
    """
    known = load_background(embedder, of.moments)
    tail = _ImpostorTail(of.best, of.weights) if of.identities > 2 * MIN_TAIL_PEOPLE else None
    weight = of.identities / (of.identities + BACKGROUND_IMPOSTORS) if tail is not None else 0.0
    if known is None:
        weight = 1.0
    if tail is None and known is None:
        return None

    def excess(at: float) -> float:
        beyond = weight * tail(at) if tail is not None else 0.0
        if known is not None:
            beyond += (1 - weight) * float(known.beyond(at, of.people))
        return float(np.log(max(beyond, 1e-300)) - np.log(rate))

    low, high = -2.0, 30.0
    return float(brentq(excess, low, high, xtol=1e-4)) if excess(low) > 0 > excess(high) else low


class _ImpostorTail:
    """P(best score > s): counted up to where the tail begins, exponential from there on."""

    def __init__(self, best: FloatArray, weights: FloatArray) -> None:
        part = max(TAIL_SHARE, MIN_TAIL_PEOPLE / float(weights.sum()))
        self._start, self._scale = fit_tail(best, weights, part)
        above = best > self._start
        self._part = float(weights[above].sum() / weights.sum())
        self._best, self._weights = best, weights / weights.sum()

    def __call__(self, at: float) -> float:
        """P(best score > at)."""
        if at <= self._start:
            return float(self._weights[self._best > at].sum())
        return self._part * float(np.exp(-(at - self._start) / self._scale))


def fit_tail(values: FloatArray, weights: FloatArray, part: float = TAIL_SHARE) -> tuple[float, float]:
    """Where the highest part of weighed values begins, and how far beyond it they lie in the mean.

    A few of the strangers may be somebody enrolled after all, and a photo somebody else's: what lies
    five times as far as by the median is taken to lie there.
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


def calibrate_probabilities(of: ComparisonScores, embedder: str) -> tuple[float, float] | None:
    """Slope and offset of TemplateClassifier's probabilities; None without trials.

    Found by maximum likelihood where genuine and impostor trials weigh the same in all, and both of
    the background; then moved to HOUSEHOLD genuine ones for an impostor.
    """
    known = load_background(embedder, of.moments)
    parts: list[tuple[TemplateScores, npt.NDArray[np.intp], FloatArray]] = []
    genuine, impostor = len(of.genuine), len(of.impostor)
    if genuine and impostor:
        mass = float(min(genuine, of.identities))
        parts += [
            (of.genuine, of.own, np.full(genuine, mass / genuine)),
            (of.impostor, np.full(impostor, -1), mass * of.weights / of.weights.sum()),
        ]
    if known is not None:
        own, others = (
            known.own(BACKGROUND_COMPARISONS)[:, None],
            known.strangers(of.people, BACKGROUND_COMPARISONS)[:, None],
        )
        weight = np.full(BACKGROUND_COMPARISONS, BACKGROUND_IMPOSTORS / BACKGROUND_COMPARISONS / 2)
        parts += [
            (own, np.zeros(BACKGROUND_COMPARISONS, np.intp), weight),
            (others, np.full(BACKGROUND_COMPARISONS, -1, np.intp), weight),
        ]
    if not parts:
        return None

    parts = [(*_keep_nearest_people(scores, right), weights) for scores, right, weights in parts]

    def loss(line: FloatArray) -> float:
        total = 0.0
        for scores, right, weight in parts:
            odds = np.exp(line[0]) * (scores - line[1])
            whole = np.logaddexp(0.0, logsumexp(odds, axis=1))
            chosen = np.where(right >= 0, odds[np.arange(len(odds)), right], 0.0)
            total += float(weight @ (whole - chosen))
        return total

    steepest, between = _line_between_tails(of, known)
    middle = float(np.median([float(np.median(scores.max(axis=1))) for scores, _, _ in parts]))
    found = minimize(loss, np.array([1.5, middle]), method="Nelder-Mead", options={"xatol": 1e-4})
    slope = float(np.exp(found.x[0]))
    prior = math.log(GENUINE_PER_IMPOSTOR)
    if slope < steepest:
        return slope, prior - slope * float(found.x[1])
    return steepest, prior - steepest * between


def _keep_nearest_people(
    scores: TemplateScores, right: npt.NDArray[np.intp]
) -> tuple[TemplateScores, npt.NDArray[np.intp]]:
    """The right one's score, in front, and the highest of the others'; all others are unlikely."""
    rows = np.flatnonzero(right >= 0)
    first = np.full((len(scores), 1), -np.inf)
    first[rows, 0] = scores[rows, right[rows]]
    rest = scores.copy()
    rest[rows, right[rows]] = -np.inf
    if rest.shape[1] > NEAREST_PEOPLE:
        rest = np.partition(rest, -NEAREST_PEOPLE, axis=1)[:, -NEAREST_PEOPLE:]
    return np.hstack([first, rest]), np.where(right >= 0, 0, -1)


def _line_between_tails(of: ComparisonScores, known: BackgroundScores | None) -> tuple[float, float]:
    """Slope and middle of the log odds between the two tails, both taken as exponential.

    Where no genuine trial scores below an impostor, the likelihood alone would make it a step. With
    TAIL of the impostors above u, falling off with scale v, and TAIL of the genuine below -g, with
    scale h (their scores are turned round here, so that theirs is a highest part as well), the
    densities are exp(-(s - u) / v) / v and exp((s + g) / h) / h: their log ratio is a line of slope
    1 / v + 1 / h, and zero at (u / v - g / h + ln(h / v)) / slope.
    """
    own = of.genuine[np.arange(len(of.own)), of.own]
    strangers = None if known is None else known.strangers(of.people, 400)
    people = None if known is None else -known.own(400)
    u, v = _blend_tails(of.best, of.weights, strangers)
    g, h = _blend_tails(-own, np.ones(len(own)), people)
    slope = 1 / v + 1 / h
    return slope, (u / v - g / h + float(np.log(h / v))) / slope


def _blend_tails(
    values: FloatArray, weights: FloatArray, background: FloatArray | None
) -> tuple[float, float]:
    """Start and scale of a tail, from trials and background by their weights."""
    share = weights.sum() / (weights.sum() + BACKGROUND_IMPOSTORS) if weights.sum() > MIN_TAIL_PEOPLE else 0.0
    if background is None:
        share = 1.0
    found = np.zeros(2)
    if share > 0:
        found += share * np.array(fit_tail(values, weights))
    if background is not None:
        found += (1 - share) * np.array(fit_tail(background, np.ones(len(background))))
    return float(found[0]), float(found[1])
