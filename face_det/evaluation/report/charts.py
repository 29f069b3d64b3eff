"""The report's charts as PNG: error trade-off, threshold sweep, score histograms and reliability."""

from __future__ import annotations

import functools
import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager, get_font
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from scipy.special import ndtri  # type: ignore[import-untyped]

from face_det.evaluation.metrics import (
    Floats,
    OpenSetCounts,
    Predictions,
    Proportion,
    ReliabilityDiagram,
    count_by_threshold,
)
from face_det.media import spell_out_undrawable, split_by_font
from face_det.types import UNKNOWN

if TYPE_CHECKING:
    # It imports the baselines' classifiers, which the report of a training does not need.
    from face_det.evaluation.evaluate import Evaluation

DPI = 144
WIDTH_INCHES = 4.6
"""Width of a chart's axes. Letters of 9 points in it are still legible on a phone's screen."""
_SMALL: dict[str, Any] = {"fontsize": 9, "title_fontsize": 9}
OURS_COLOUR, GENUINE_COLOUR, STRANGERS_COLOUR = "#0b6e99", "#2a7f3f", "#c2452d"
OTHERS_COLOUR, MISTAKES_COLOUR = "#8a8a8a", "#a05a9c"
MARKERS = "osD^v<>PX*hp"
WORST_ERROR_RATE = 0.6
"""Where the error axes end; a rule beyond that is useless."""
HIGHEST_PROBABILITY = 0.9999
LEAST_PROBABILITY = 1e-6
"""Probabilities are clipped to this before their log odds are taken."""
LONGEST_LABEL = 24
LEAST_SHOWN, MOST_SHOWN = 0.01, 0.999
_PROBABILITIES = (0.01, 0.05, 0.1, 0.2, 0.5, 0.8, 0.9, 0.95, 0.99, 0.999)
_TICKS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6)


@dataclass(frozen=True, eq=False)
class ScoreDistributions:
    """Score distributions: known faces against their own person and against the nearest other, and strangers.

    `threshold` is the decision threshold in the same units, `label` the axis label. With `nearer_is_less` the
    values are distances.
    """

    genuine: Floats
    impostor: Floats
    strangers: Floats
    threshold: float | None
    label: str
    nearer_is_less: bool = False


def draw_det_curve(
    truth: Sequence[str | None],
    ours: Predictions,
    shipped: OpenSetCounts,
    others: Mapping[str, OpenSetCounts],
) -> bytes:
    """Draw a DET curve: known people not named rightly against strangers named, on normal quantiles.

    `shipped` marks ours as shipped, `others` the other systems' rules. A rate of zero cannot be drawn on
    these axes and is placed at half a photo. Rates beyond the axes are drawn at the edge; the legend has the
    figures.
    """
    figure, axes = make_canvas(WIDTH_INCHES, 4.2)
    _, counts = count_by_threshold(truth, ours)
    low = 0.5 / max(shipped.strangers, 1), 0.5 / max(shipped.known, 1)
    x = np.clip(counts[:, 2] / max(shipped.strangers, 1), low[0], WORST_ERROR_RATE)
    y = np.clip(1 - counts[:, 0] / max(shipped.known, 1), low[1], WORST_ERROR_RATE)
    axes.plot(ndtri(x), ndtri(y), color=OURS_COLOUR, linewidth=2, label="ours, every threshold", zorder=3)
    for mark, (name, other) in zip(MARKERS * 3, others.items(), strict=False):
        _mark_rule(axes, other, low, name, mark, None, 60)
    _mark_rule(axes, shipped, low, "ours, as shipped", "*", OURS_COLOUR, 240)
    for axis, least in ((axes.xaxis, low[0]), (axes.yaxis, low[1])):
        _set_probit_ticks(axis, least)
    axes.set_xlabel("strangers named")
    axes.set_ylabel("known people not named rightly")
    axes.grid(color="0.9")
    title = "strangers named, known not named rightly"
    axes.legend(loc="upper center", bbox_to_anchor=(0.46, -0.14), frameon=False, title=title, **_SMALL)
    return figure_as_png(figure)


def _mark_rule(
    axes: Axes,
    counts: OpenSetCounts,
    low: tuple[float, float],
    name: str,
    mark: str,
    colour: str | None,
    size: int,
) -> None:
    x = counts.strangers_named / max(counts.strangers, 1)
    y = 1 - counts.right / max(counts.known, 1)
    axes.scatter(
        ndtri(np.clip(x, low[0], WORST_ERROR_RATE)),
        ndtri(np.clip(y, low[1], WORST_ERROR_RATE)),
        marker=mark,
        s=size,
        c=colour,
        edgecolors="black",
        linewidths=0.6,
        label=f"{name}: {x:.1%}, {y:.1%}",
        zorder=5 if colour else 4,
        clip_on=False,
    )


def _set_probit_ticks(axis: Axis, least: float) -> None:
    """Set ticks at round rates, spaced so that their labels fit, with zero at the lower end."""
    ticks = [(least, "0")]
    for tick in _TICKS:
        if ndtri(tick) - ndtri(ticks[-1][0]) > 0.36:
            ticks.append((tick, f"{tick * 100:g}%"))
    axis.set_ticks([ndtri(place) for place, _ in ticks], [text for _, text in ticks])
    axis.set_tick_params(labelsize=9)


def draw_threshold_sweep(truth: Sequence[str | None], ours: Predictions, shipped: OpenSetCounts) -> bytes:
    """Draw the right names (top) and the wrong ones (bottom) as the minimum probability rises.

    Strangers are left out if there are none.
    """
    figure = Figure(figsize=(WIDTH_INCHES, 4.6), dpi=DPI)
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"hspace": 0.3})
    steps, counts = count_by_threshold(truth, ours)
    # Each count holds from its own step down to the next; the last one holds to the end.
    steps = np.clip([*steps, 0.0], 1 - HIGHEST_PROBABILITY, HIGHEST_PROBABILITY)
    counts = np.vstack([counts, counts[-1:]])
    shares = counts / np.array([max(shipped.known, 1), max(shipped.known, 1), max(shipped.strangers, 1)])
    for axes, column, name, colour in (
        (upper, 0, "known, named rightly", GENUINE_COLOUR),
        (lower, 1, "known, named wrongly", MISTAKES_COLOUR),
        (lower, 2, "strangers, named", STRANGERS_COLOUR),
    ):
        if shipped.strangers or colour != STRANGERS_COLOUR:
            axes.step(steps, shares[:, column], color=colour, linewidth=2, label=name, where="post")
    # The counts within the visible range.
    first, last = np.flatnonzero(steps > MOST_SHOWN)[-1], np.flatnonzero(steps >= LEAST_SHOWN)[-1]
    usual = shares[first : last + 1]
    upper.set_ylim(max(min(float(usual[:, 0].min()) - 0.01, 0.97), -0.002), 1.002)
    lower.set_ylim(-0.0005, max(float(usual[:, 1:].max()) * 1.2, 0.01))
    for axes in (upper, lower):
        axes.set_xscale("logit")
        axes.set_xlim(LEAST_SHOWN, MOST_SHOWN)
        axes.minorticks_off()
        axes.set_xticks(_PROBABILITIES, [f"{value:g}" for value in _PROBABILITIES], rotation=45)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value * 100:g}%")
        axes.grid(color="0.9")
        axes.tick_params(labelsize=9)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(loc="lower left", bbox_to_anchor=(-0.03, 0.98), frameon=False, ncols=2, **_SMALL)
    lower.set_xlabel("minimum probability (minProba)")
    return figure_as_png(figure)


def draw_score_histograms(scores: ScoreDistributions) -> bytes:
    """Draw histograms, one above the other so that none hides another, with the threshold as a line.

    Kinds of faces that nobody tested are left out.
    """
    kinds = (
        ("known, to themselves", scores.genuine, GENUINE_COLOUR),
        ("known, to the nearest other", scores.impostor, OTHERS_COLOUR),
        ("strangers, to the nearest", scores.strangers, STRANGERS_COLOUR),
    )
    parts = [kind for kind in kinds if np.isfinite(kind[1]).any()] or [kinds[0]]
    figure = Figure(figsize=(WIDTH_INCHES, 0.5 + 1.4 * len(parts)), dpi=DPI)
    FigureCanvasAgg(figure)
    everything = np.concatenate([part[np.isfinite(part)] for _, part, _ in parts])
    edges = np.linspace(everything.min(), everything.max(), 61) if len(everything) else np.linspace(0, 1, 61)
    rows = figure.subplots(len(parts), 1, sharex=True, squeeze=False, gridspec_kw={"hspace": 0.4})[:, 0]
    for axes, (name, values, colour) in zip(rows, parts, strict=True):
        finite = values[np.isfinite(values)]
        axes.hist(finite, bins=edges, weights=np.full(len(finite), 1 / max(len(finite), 1)), color=colour)
        axes.set_ylim(0, None if len(finite) else 1)
        axes.set_title(f"{name} ({len(finite):,} faces)", loc="left", fontsize=9, pad=3)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value * 100:g}%")
        axes.tick_params(labelsize=9)
        axes.spines[["top", "right"]].set_visible(False)
        if scores.threshold is not None:
            axes.axvline(scores.threshold, color="black", linewidth=1.2, linestyle="--")
    if scores.threshold is not None:
        rows[0].annotate(
            "threshold",
            (scores.threshold, 0.93),
            xycoords=("data", "axes fraction"),
            xytext=(4, 0),
            textcoords="offset points",
            va="top",
            fontsize=9,
            path_effects=[withStroke(linewidth=3, foreground="white")],
        )
    rows[-1].set_xlabel(scores.label)
    if scores.nearer_is_less:
        rows[-1].invert_xaxis()
    return figure_as_png(figure)


def draw_reliability_diagram(diagram: ReliabilityDiagram, claimed: str = "faceProba") -> bytes:
    """Draw claimed against actual accuracy; the area of a dot grows with the number of predictions."""
    figure, axes = make_canvas(WIDTH_INCHES, 4.4)
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, linestyle="--")
    sizes = 20 + 400 * np.sqrt(diagram.counts / max(diagram.counts.max(initial=1), 1))
    axes.scatter(diagram.claimed, diagram.actual, s=sizes, color=OURS_COLOUR, alpha=0.75, zorder=3)
    low, high = np.array([Proportion(*of).interval for of in _count_right(diagram)]).reshape(-1, 2).T
    axes.vlines(diagram.claimed, low, high, color=OURS_COLOUR, linewidth=1, alpha=0.6)
    for x, y, count in zip(diagram.claimed, diagram.actual, diagram.counts, strict=True):
        above = y < 0.85
        axes.annotate(
            str(count),
            (x, y),
            xytext=(9, 5) if above else (9, -9) if x < 0.9 else (0, -16),
            textcoords="offset points",
            ha="left" if x < 0.9 else "center",
            va="bottom" if above else "top",
            fontsize=9,
            color="0.3",
        )
    axes.set(xlim=(-0.06, 1.06), ylim=(-0.06, 1.06), xlabel=f"claimed ({claimed})", ylabel="right")
    axes.set_title(f"calibration error (ECE) {diagram.ece:.3f}", fontsize=10, loc="left")
    axes.grid(color="0.92")
    return figure_as_png(figure)


def _count_right(diagram: ReliabilityDiagram) -> list[tuple[int, int]]:
    """Return (right, predictions) of each bin."""
    return [
        (round(actual * count), int(count))
        for actual, count in zip(diagram.actual, diagram.counts, strict=True)
    ]


def make_canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """Return an empty figure of that size in inches, and its axes."""
    figure = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def figure_as_png(figure: Figure, pad_inches: float = 0.12) -> bytes:
    """Render a figure as PNG with a margin of `pad_inches`, each character in a font that draws it.

    Names must have been through `fit_label`, which replaces what no font draws.
    """
    for artist in figure.findobj(Text):
        _choose_fonts(artist)
    picture = io.BytesIO()
    with warnings.catch_warnings():
        # Control characters, which a folder's name may hold, have no shape; that needs no warning.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(picture, format="png", bbox_inches="tight", pad_inches=pad_inches)
    return picture.getvalue()


def _choose_fonts(artist: Text) -> None:
    """Let a text fall back on the installed fonts that draw what matplotlib's own does not."""
    fonts = dict.fromkeys(run.font.path for run in split_by_font(artist.get_text()) if run.font is not None)
    if fonts:
        artist.set_fontfamily([*artist.get_fontfamily(), *(_register_font(path) for path in fonts)])


@functools.cache
def _register_font(path: Path) -> str:
    """Make a font known to matplotlib, which may have looked for fonts before this one was installed.

    Return the name of its family.
    """
    if all(known.fname != str(path) for known in fontManager.ttflist):
        fontManager.addfont(path)
    family: str = get_font(path).family_name
    return family


def shorten_label(name: str) -> str:
    """Shorten a person's name so that it fits beside a chart, and make it drawable.

    >>> shorten_label("Arnold_Schwarzenegger_the_Second")
    'Arnold Schwarzenegger t…'
    """
    return fit_label(name.replace("_", " "), LONGEST_LABEL)


def fit_label(text: str, longest: int) -> str:
    """Cut a text to `longest` characters, after replacing what no font draws by codes such as U+7530.

    A text with codes may be twice as long, or relatives with the same beginning would look the same.
    """
    drawn = spell_out_undrawable(text)
    room = longest if drawn == text else 2 * longest
    return drawn if len(drawn) <= room else f"{drawn[: room - 1]}…"


def collect_scores(evaluation: Evaluation) -> ScoreDistributions:
    """Collect the scores of each tested face for its own person and the nearest other, and of strangers.

    The scores are template distances if the model has a verifier, else log odds of its probabilities.
    """
    matrix, labels = _score_matrix(evaluation)
    people = np.array(labels)
    genuine, impostor, strangers = [], [], []
    for row, truth in zip(matrix, evaluation.encoded.truth, strict=True):
        if truth is None:
            strangers.append(row.max())
        else:
            own = people == truth
            genuine += row[own].tolist()
            if not own.all():
                impostor.append(row[~own].max())
    own, other, nobody = (np.array(kind, np.float64) for kind in (genuine, impostor, strangers))
    verifier = evaluation.model.verifier
    if verifier is None:
        return ScoreDistributions(
            own, other, nobody, None, "log10 of the odds, probability / (1 - probability)"
        )
    return ScoreDistributions(
        _scores_as_distances(own),
        _scores_as_distances(other),
        _scores_as_distances(nobody),
        float(_scores_as_distances(np.array([verifier.threshold]))[0]),
        "distance to the template (nearer is further right)",
        nearer_is_less=True,
    )


def _score_matrix(evaluation: Evaluation) -> tuple[Floats, list[str]]:
    """Return scores of shape (faces, people), and the people's names."""
    model = evaluation.model
    probes = evaluation.encoded.select_embedder(evaluation.embedder).probes
    people = [column for column, name in enumerate(model.labels) if name != UNKNOWN]
    labels = [model.labels[column] for column in people]
    if model.verifier is not None:
        return model.verifier.template.scores(probes)[:, people], labels
    proba = np.clip(model.proba(probes)[:, people], LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return np.log10(proba / (1 - proba)), labels


def _scores_as_distances(scores: Floats) -> Floats:
    """Convert template scores, -ln(d * d), to distances d between unit vectors."""
    distances: Floats = np.exp(-scores / 2)
    return distances
