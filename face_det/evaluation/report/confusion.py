"""The confusion matrix: who was taken for whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from face_det.evaluation.metrics import Predictions
from face_det.evaluation.report.charts import DPI, figure_as_png, shorten_label

STRANGER_LABEL, NO_NAME_LABEL = "a stranger", "no name"
MOST_PEOPLE = 60
"""A matrix of more people is unreadable, so only those with the most mistakes are shown."""


def draw_confusion_matrix(truth: Sequence[str | None], predictions: Predictions) -> tuple[bytes, str]:
    """Draw the confusion matrix; return (PNG, a note on people left out or "").

    Rows are the true people, columns the names given.
    """
    true = np.array([name or STRANGER_LABEL for name in truth], dtype=object)
    given = np.array(
        [
            str(name) if named else NO_NAME_LABEL
            for name, named in zip(predictions.likeliest, predictions.named, strict=True)
        ],
        dtype=object,
    )
    people = sorted({*true, *given} - {STRANGER_LABEL, NO_NAME_LABEL})
    shown, note = people, ""
    if len(people) > MOST_PEOPLE:
        wrong = (given != NO_NAME_LABEL) & (given != true)
        mistakes = {name: int(np.sum(wrong & ((true == name) | (given == name)))) for name in people}
        shown = sorted(sorted(people, key=lambda name: -mistakes[name])[:MOST_PEOPLE])
        rest = sum(mistakes[name] > 0 for name in set(people) - set(shown))
        note = f"{len(shown)} of {len(people)} people, those with the most mistakes; {rest} others have some."
    rows, columns = [*shown, STRANGER_LABEL], [*shown, NO_NAME_LABEL]
    counts = np.zeros((len(rows), len(columns)), dtype=np.int64)
    at_row, at_column = ({name: at for at, name in enumerate(names)} for names in (rows, columns))
    for row, column in zip(true, given, strict=True):
        if row in at_row and column in at_column:
            counts[at_row[row], at_column[column]] += 1
    return figure_as_png(_draw_cells(counts, rows, columns)), note


def _draw_cells(counts: npt.NDArray[np.int64], rows: Sequence[str], columns: Sequence[str]) -> Figure:
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
    axes.set_xticks(
        range(len(columns)), labels=[shorten_label(name) for name in columns], rotation=90, **named
    )
    axes.set_yticks(range(len(rows)), labels=[shorten_label(name) for name in rows], **named)
    axes.tick_params(length=2)
    axes.set_xlabel("name given", fontsize=10, labelpad=8)
    axes.set_ylabel("who it was", fontsize=10, labelpad=8)
    lines = np.arange(len(rows) - 1) + 0.5
    axes.hlines(lines, -0.5, len(columns) - 0.5, color="0.9", linewidth=0.5)
    axes.vlines(lines, -0.5, len(rows) - 0.5, color="0.9", linewidth=0.5)
    return figure
