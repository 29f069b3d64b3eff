"""The report's pictures of people: who was taken for whom, and how their encodings lie."""

from __future__ import annotations

from collections.abc import Sequence
from colorsys import hls_to_rgb
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from sklearn.manifold import TSNE

from face_det.faces import UNKNOWN, Encodings
from face_det.identity.evaluation.charts import DPI, png
from face_det.identity.evaluation.figures import Answers

STRANGER, NOBODY = "a stranger", "no name"
MOST_PEOPLE = 60
"""More than this do not fit a matrix that can be read: then only those with mistakes are shown."""
MOST_POINTS = 3000
LEAST_NEIGHBOURS = 4
"""Fewer points than this are no map."""
LONGEST = 24
SEED = 1234


def confusion(truth: Sequence[str | None], answers: Answers) -> tuple[bytes, str]:
    """(PNG, a sentence on what is left out): rows who it was, columns the name given."""
    true = np.array([name or STRANGER for name in truth], dtype=object)
    said = np.array(
        [
            str(name) if named else NOBODY
            for name, named in zip(answers.likeliest, answers.named, strict=True)
        ],
        dtype=object,
    )
    people = sorted({*true, *said} - {STRANGER, NOBODY})
    shown, note = people, ""
    if len(people) > MOST_PEOPLE:
        wrong = (said != NOBODY) & (said != true)
        mistakes = {name: int(np.sum(wrong & ((true == name) | (said == name)))) for name in people}
        shown = sorted(sorted(people, key=lambda name: -mistakes[name])[:MOST_PEOPLE])
        rest = sum(mistakes[name] > 0 for name in set(people) - set(shown))
        note = f"{len(shown)} of {len(people)} people, those with the most mistakes; {rest} others have some."
    rows, columns = [*shown, STRANGER], [*shown, NOBODY]
    counts = np.zeros((len(rows), len(columns)), dtype=np.int64)
    at_row, at_column = ({name: at for at, name in enumerate(names)} for names in (rows, columns))
    for row, column in zip(true, said, strict=True):
        if row in at_row and column in at_column:
            counts[at_row[row], at_column[column]] += 1
    return png(_matrix(counts, rows, columns)), note


def _matrix(counts: npt.NDArray[np.int64], rows: Sequence[str], columns: Sequence[str]) -> Figure:
    inches = min(0.45, max(0.19, 8.5 / len(rows)))
    points = max(5.0, min(9.0, inches * 72 * 0.5))
    figure = Figure(figsize=(len(columns) * inches, len(rows) * inches), dpi=DPI)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    right = np.zeros(counts.shape, dtype=bool)
    right[np.arange(len(rows)), np.arange(len(rows))] = True
    nobody = np.zeros(counts.shape, dtype=bool)
    nobody[:-1, -1] = True
    for colours, part in (("Blues", right), ("Greys", nobody), ("Oranges", ~right & ~nobody)):
        cells = np.ma.masked_where(~part | (counts == 0), shares)
        axes.imshow(cells, cmap=colours, vmin=-0.4, vmax=1.1)
    for row, column in np.argwhere(counts):
        colour = "white" if shares[row, column] > 0.6 else "black"
        number = str(counts[row, column])
        axes.text(column, row, number, ha="center", va="center", fontsize=points * 0.9, color=colour)
    named: dict[str, Any] = {"fontsize": points, "parse_math": False}
    axes.set_xticks(range(len(columns)), labels=[_short(name) for name in columns], rotation=90, **named)
    axes.set_yticks(range(len(rows)), labels=[_short(name) for name in rows], **named)
    axes.tick_params(length=2)
    axes.set_xlabel("name given", fontsize=10, labelpad=8)
    axes.set_ylabel("who it was", fontsize=10, labelpad=8)
    lines = np.arange(len(rows) - 1) + 0.5
    axes.hlines(lines, -0.5, len(columns) - 0.5, color="0.9", linewidth=0.5)
    axes.vlines(lines, -0.5, len(rows) - 0.5, color="0.9", linewidth=0.5)
    return figure


def neighbours(encodings: Encodings, names: Sequence[str | None]) -> bytes:
    """The encodings on a plane, near ones near (t-SNE), coloured by person; strangers are grey.

    LEAST_NEIGHBOURS of them, at least.
    """
    people = np.array([UNKNOWN if name is None else name for name in names], dtype=object)
    rows = _some(people)
    people = people[rows]
    perplexity = min(30.0, max(2.0, (len(rows) - 1) / 3))
    spread = TSNE(perplexity=perplexity, init="pca", random_state=SEED, n_jobs=1)
    places = spread.fit_transform(np.asarray(encodings)[rows])
    figure = Figure(figsize=(8.6, 7.4), dpi=DPI)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    strangers = people == UNKNOWN
    x, y = places[:, 0], places[:, 1]
    axes.scatter(x[strangers], y[strangers], s=7, c="0.75", linewidths=0, zorder=1)
    known = sorted(set(people[~strangers]))
    hues = [(number * 0.618034) % 1.0 for number in range(len(known))]
    for number, (name, hue) in enumerate(zip(known, hues, strict=True)):
        mine = people == name
        colour = _colour(hue, number)
        axes.scatter(x[mine], y[mine], s=16, color=colour, edgecolors="white", linewidths=0.3, zorder=2)
    _label(axes, places, people, known)
    return png(figure)


def _label(
    axes: Axes, places: npt.NDArray[np.float32], people: npt.NDArray[np.object_], known: list[str]
) -> None:
    """Each name above its photos, moved up or down until it is off the names before it."""
    height = float(np.ptp(places[:, 1])) or 1.0
    line, width = height * 0.018, float(np.ptp(places[:, 0])) * 0.0075
    taken: list[tuple[float, float, float]] = []
    middles = {name: _above(places[people == name], line) for name in known}
    for name in sorted(known, key=lambda name: -float(middles[name][1])):
        x, y = (float(value) for value in middles[name])
        half = len(_short(name)) * width / 2
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
            _short(name),
            fontsize=7,
            ha="center",
            va="center",
            parse_math=False,
            zorder=3,
            path_effects=[withStroke(linewidth=2, foreground="white")],
        )


def _above(places: npt.NDArray[np.float32], line: float) -> npt.NDArray[np.float32]:
    """Just above the photos that lie together; single ones far off do not count."""
    x, y = np.median(places, axis=0)
    near = np.abs(places - [x, y]).max(axis=1) < 4 * line
    return np.array([x, places[near, 1].max(initial=y) + 0.8 * line], dtype=np.float32)


def _some(people: npt.NDArray[np.object_]) -> npt.NDArray[np.intp]:
    """At most MOST_POINTS rows, known people first."""
    strangers = np.flatnonzero(people == UNKNOWN)
    known = np.flatnonzero(people != UNKNOWN)
    rng = np.random.default_rng(SEED)
    if len(known) > MOST_POINTS:
        known = rng.choice(known, MOST_POINTS, replace=False)
    room = MOST_POINTS - len(known)
    if len(strangers) > room:
        strangers = rng.choice(strangers, room, replace=False)
    return np.sort(np.concatenate([known, strangers]))


def _colour(hue: float, number: int) -> tuple[float, float, float]:
    return hls_to_rgb(hue, (0.38, 0.5, 0.62)[number % 3], 0.75)


def _short(name: str) -> str:
    text = name.replace("_", " ")
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
