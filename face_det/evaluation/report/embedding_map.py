"""The map of the embeddings: similar faces lie close together."""

from __future__ import annotations

from collections.abc import Sequence
from colorsys import hls_to_rgb

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from sklearn.manifold import TSNE

from face_det.evaluation.report.charts import DPI, figure_as_png, shorten_label
from face_det.types import UNKNOWN, Encodings

MOST_MAP_POINTS = 3000
FEWEST_MAP_POINTS = 4
"""A map needs at least this many points."""
FEW_PEOPLE = 15
"""Up to this many names have room on a map that fits a phone's screen."""
SEED = 1234
_LARGE, _SMALL = (8.6, 7.4, 7), (4.6, 4.6, 9)
"""Width and height of the map in inches, and the size of the names in points."""


def draw_embedding_map(
    encodings: Encodings, names: Sequence[str | None], masked: npt.NDArray[np.bool_] | None = None
) -> bytes:
    """Draw encodings, shape (n, d), on a plane with t-SNE, coloured by person; return a PNG.

    A name of None is a stranger, drawn in grey. Faces that are `masked`, shape (n,), are hollow. At least
    FEWEST_MAP_POINTS encodings are needed. The map of FEW_PEOPLE is small enough for a phone.
    """
    people = np.array([UNKNOWN if name is None else name for name in names], dtype=object)
    rows = _sample_rows(people)
    people = people[rows]
    hidden = np.zeros(len(rows), np.bool_) if masked is None else masked[rows]
    perplexity = min(30.0, max(2.0, (len(rows) - 1) / 3))
    spread = TSNE(perplexity=perplexity, init="pca", random_state=SEED, n_jobs=1)
    places = spread.fit_transform(np.asarray(encodings)[rows])
    wide, high, points = _SMALL if len({*names}) <= FEW_PEOPLE else _LARGE
    figure = Figure(figsize=(wide, high), dpi=DPI)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    strangers = people == UNKNOWN
    x, y = places[:, 0], places[:, 1]
    axes.scatter(x[strangers], y[strangers], s=7, c="0.75", linewidths=0, zorder=1)
    known = sorted(set(people[~strangers]))
    hues = [(number * 0.618034) % 1.0 for number in range(len(known))]
    for number, (name, hue) in enumerate(zip(known, hues, strict=True)):
        mine = (people == name) & ~hidden
        colour = _person_colour(hue, number)
        axes.scatter(x[mine], y[mine], s=16, color=colour, edgecolors="white", linewidths=0.3, zorder=2)
        mine = (people == name) & hidden
        axes.scatter(x[mine], y[mine], s=14, facecolors="none", edgecolors=[colour], linewidths=0.9, zorder=2)
    # The width and height of a letter, in the units of the axes.
    letter = np.ptp(places, axis=0) * points * (0.0092, 0.019) / (wide, high)
    bare = ~hidden
    named = [name for name in known if name in people[bare]]
    _draw_labels(axes, places[bare], people[bare], named, points, letter)
    return figure_as_png(figure)


def _draw_labels(
    axes: Axes,
    places: npt.NDArray[np.float32],
    people: npt.NDArray[np.object_],
    known: list[str],
    points: int,
    letter: npt.NDArray[np.float64],
) -> None:
    """Write each name above its photos, moved up or down until it no longer overlaps another name."""
    width, line = float(letter[0]), float(letter[1]) or 0.019
    taken: list[tuple[float, float, float]] = []
    middles = {name: _label_place(places[people == name], line) for name in known}
    for name in sorted(known, key=lambda name: -float(middles[name][1])):
        x, y = (float(value) for value in middles[name])
        half = len(shorten_label(name)) * width / 2
        step = 0
        while (
            any(abs(x - left) < half + wide and abs(y - top) < line for left, top, wide in taken)
            and step < 40
        ):
            step += 1
            y = float(middles[name][1]) + line * (step // 2 + 1) * (1 if step % 2 else -1)
        taken.append((x, y, half))
        axes.text(
            x,
            y,
            shorten_label(name),
            fontsize=points,
            ha="center",
            va="center",
            parse_math=False,
            zorder=3,
            path_effects=[withStroke(linewidth=2, foreground="white")],
        )


def _label_place(places: npt.NDArray[np.float32], line: float) -> npt.NDArray[np.float32]:
    """Return the place just above the main group of a person's photos, ignoring outliers."""
    x, y = np.median(places, axis=0)
    near = np.abs(places - [x, y]).max(axis=1) < 4 * line
    return np.array([x, places[near, 1].max(initial=y) + 0.8 * line], dtype=np.float32)


def _sample_rows(people: npt.NDArray[np.object_]) -> npt.NDArray[np.intp]:
    """Choose at most MOST_MAP_POINTS rows, known people first."""
    strangers = np.flatnonzero(people == UNKNOWN)
    known = np.flatnonzero(people != UNKNOWN)
    rng = np.random.default_rng(SEED)
    if len(known) > MOST_MAP_POINTS:
        known = rng.choice(known, MOST_MAP_POINTS, replace=False)
    room = MOST_MAP_POINTS - len(known)
    if len(strangers) > room:
        strangers = rng.choice(strangers, room, replace=False)
    return np.sort(np.concatenate([known, strangers]))


def _person_colour(hue: float, number: int) -> tuple[float, float, float]:
    return hls_to_rgb(hue, (0.38, 0.5, 0.62)[number % 3], 0.75)
