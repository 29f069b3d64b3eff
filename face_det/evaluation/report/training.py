"""Reports on a training as text, as JSON values and as confusion matrices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from face_det.classifiers import score_to_similarity
from face_det.evaluation.report.charts import figure_as_png
from face_det.recognition import DecisionRule
from face_det.training import HeldOutResult, TrainedModel, TrainingResult

RIGHT_COLOURMAP, WRONG_COLOURMAP = "Blues", "Oranges"
MOST_NUMBERED_PEOPLE = 150
"""Matrices of up to this many people have a number in each cell."""
LONGEST_NAME = 28
"""Longer names are cut to this many characters."""


def training_as_text(result: TrainingResult, rule: DecisionRule) -> str:
    """Describe each trained classifier as text; `rule` decides the names for the held-out photos."""
    photos = sum(result.photos.values())
    lines = [f"photos: {photos}, people: {len(result.photos)} (Unknown counts as one)", ""]
    for trained in result.trained:
        lines += [*_model_lines(trained, rule), ""]
    lines += [f"skipped: {skip.reason}" for skip in result.skipped]
    lines += [f"note: {note}" for note in result.notes]
    return "\n".join(lines)


def training_as_json(result: TrainingResult, rule: DecisionRule) -> dict[str, Any]:
    """Return the same report as JSON values."""
    return {
        "photos": dict(result.photos),
        "trained": [_model_as_json(trained, rule) for trained in result.trained],
        "skipped": [{"classifier": skip.kind, "reason": skip.reason} for skip in result.skipped],
        "notes": list(result.notes),
    }


def _model_lines(trained: TrainedModel, rule: DecisionRule) -> Iterator[str]:
    params = ", ".join(f"{key}={value}" for key, value in trained.model.card.params.items())
    yield f"{trained.kind}: {params or 'no parameters'}"
    if trained.score is not None:
        yield f"  cross-validation: accuracy {trained.score:.3f}"
    verifier = trained.model.verifier
    if verifier is not None:
        yield (
            f"  named from a similarity of {score_to_similarity(verifier.threshold):.3f}: "
            f"falseAcceptRate {verifier.rate:g}, {'shown' if verifier.claimed else 'estimated'} "
            f"with {verifier.impostors} impostors"
        )
    held = trained.held_out
    if held is None:
        yield "  held out: nothing; that takes photos of different moments"
        return
    yield f"  held out, {len(held.true)} photos: accuracy {held.accuracy:.3f} of the likeliest person"
    found = held.named(rule)
    if found.people:
        right, wrong = found.right / found.people, found.wrong / found.people
        yield (
            f"  decisions on {found.people} photos of people: right {right:.1%}, wrong {wrong:.1%}, "
            f"not named {1 - right - wrong:.1%}"
        )
    if found.strangers:
        named = found.strangers_named / found.strangers
        yield f"  and on {found.strangers} photos of Unknown: named {named:.1%}"
    yield held.report_text().rstrip()


def _model_as_json(trained: TrainedModel, rule: DecisionRule) -> dict[str, Any]:
    held, verifier = trained.held_out, trained.model.verifier
    decision = None
    if verifier is not None:
        decision = {
            "falseAcceptRate": verifier.rate,
            "likeness": float(score_to_similarity(verifier.threshold)),
            "impostors": verifier.impostors,
            "needed": verifier.needed,
            "shown": verifier.claimed,
        }
    return {
        "classifier": trained.kind,
        "params": dict(trained.model.card.params),
        "decision": decision,
        "cvAccuracy": trained.score,
        "heldOut": None if held is None else _held_out_as_json(held, rule),
    }


def _held_out_as_json(held: HeldOutResult, rule: DecisionRule) -> dict[str, Any]:
    found = held.named(rule)
    return {
        "photos": len(held.true),
        "accuracy": held.accuracy,
        "minProba": rule.min_proba,
        "people": found.people,
        "namedRight": found.right / max(found.people, 1),
        "namedWrong": found.wrong / max(found.people, 1),
        "strangers": found.strangers,
        "strangersNamed": found.strangers_named / max(found.strangers, 1),
        "report": held.report(),
        "names": list(held.names),
        "matrix": held.matrix().tolist(),
    }


def draw_held_out_confusion(held: HeldOutResult, title: str) -> bytes:
    """Draw the held-out confusion matrix as PNG: true rows, predicted columns; right blue, wrong orange."""
    people = len(held.names)
    inches = min(0.5, max(0.22, 9 / people), 50 / people)
    points = max(2.0, min(11.0, inches * 72 * 0.6))
    figure = Figure(figsize=(people * inches, people * inches), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    _cells(axes, held, points)
    labels = [name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…" for name in held.names]
    named: dict[str, Any] = {"labels": labels, "fontsize": points, "parse_math": False}
    axes.set_xticks(range(people), rotation=90, **named)
    axes.set_yticks(range(people), **named)
    axes.set_xlabel("predicted", fontsize=12, labelpad=10)
    axes.set_ylabel("true", fontsize=12, labelpad=10)
    axes.set_title(f"{title}: {held.accuracy:.1%} of {len(held.true)} photos right", fontsize=13, loc="left")
    lines, ends = np.arange(people - 1) + 0.5, (-0.5, people - 0.5)
    axes.hlines(lines, *ends, color="0.88", linewidth=0.6)
    axes.vlines(lines, *ends, color="0.88", linewidth=0.6)
    return figure_as_png(figure, pad_inches=0.2)


def _cells(axes: Axes, held: HeldOutResult, points: float) -> None:
    """Colour each cell by its share of the row and write its number of photos."""
    counts = held.matrix()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    diagonal = np.eye(len(counts), dtype=bool)
    for colours, part in ((RIGHT_COLOURMAP, diagonal), (WRONG_COLOURMAP, ~diagonal)):
        shown = np.ma.masked_where(~part | (counts == 0), shares)
        axes.imshow(shown, cmap=colours, vmin=-0.35, vmax=1.1)
    if len(counts) > MOST_NUMBERED_PEOPLE:
        return
    for row, column in np.argwhere(counts):
        dark = shares[row, column] > 0.6
        axes.text(
            column,
            row,
            str(counts[row, column]),
            ha="center",
            va="center",
            fontsize=points,
            color="white" if dark else "black",
        )
