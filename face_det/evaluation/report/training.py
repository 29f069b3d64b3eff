"""A training's outcome for people: as text, as plain values, and as pictures of who was mistaken for whom."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from face_det.classifiers import score_to_similarity
from face_det.recognition import DecisionRule
from face_det.training import HeldOutResult, TrainedModel, TrainingResult

RIGHT_COLOURMAP, WRONG_COLOURMAP = "Blues", "Oranges"
MOST_NUMBERED_PEOPLE = 150
"""People in a picture whose cells still have room for a number."""
LONGEST_NAME = 28
"""Letters of a name beside a picture."""


def training_as_text(result: TrainingResult, rule: DecisionRule) -> str:
    """Everything, one classifier after the other; names are given by that rule."""
    photos = sum(result.photos.values())
    lines = [f"photos: {photos}, people: {len(result.photos)} (Unknown counts as one)", ""]
    for trained in result.trained:
        lines += [*_lines(trained, rule), ""]
    lines += [f"skipped: {skip.reason}" for skip in result.skipped]
    lines += [f"note: {note}" for note in result.notes]
    return "\n".join(lines)


def training_as_json(result: TrainingResult, rule: DecisionRule) -> dict[str, Any]:
    """The same as plain values, for JSON."""
    return {
        "photos": dict(result.photos),
        "trained": [_values(trained, rule) for trained in result.trained],
        "skipped": [{"classifier": skip.kind, "reason": skip.reason} for skip in result.skipped],
        "notes": list(result.notes),
    }


def _lines(trained: TrainedModel, rule: DecisionRule) -> Iterator[str]:
    params = ", ".join(f"{key}={value}" for key, value in trained.model.card.params.items())
    yield f"{trained.kind}: {params or 'nothing to choose'}"
    if trained.score is not None:
        yield f"  cross-validation: accuracy {trained.score:.3f}"
    verifier = trained.model.verifier
    if verifier is not None:
        yield (
            f"  named from likeness {score_to_similarity(verifier.threshold):.3f} on: "
            f"falseAcceptRate {verifier.rate:g}, {'shown' if verifier.claimed else 'estimated'} "
            f"with {verifier.impostors} impostors"
        )
    held = trained.held_out
    if held is None:
        yield "  held out: nothing, for want of photos of different moments"
        return
    yield f"  held out, {len(held.true)} photos: accuracy {held.accuracy:.3f}, of the likeliest"
    found = held.named(rule)
    if found.people:
        right, wrong = found.right / found.people, found.wrong / found.people
        yield (
            f"  as it decides, of {found.people} photos of people: right {right:.1%}, wrong {wrong:.1%}, "
            f"not named {1 - right - wrong:.1%}"
        )
    if found.strangers:
        named = found.strangers_named / found.strangers
        yield f"  and of {found.strangers} photos of Unknown: named {named:.1%}"
    yield held.report_text().rstrip()


def _values(trained: TrainedModel, rule: DecisionRule) -> dict[str, Any]:
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
        "heldOut": None if held is None else _held_values(held, rule),
    }


def _held_values(held: HeldOutResult, rule: DecisionRule) -> dict[str, Any]:
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
    """A PNG: rows who it was, columns who the classifier said; right answers blue, mistakes orange."""
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
    axes.set_xlabel("said", fontsize=12, labelpad=10)
    axes.set_ylabel("true", fontsize=12, labelpad=10)
    axes.set_title(f"{title}: {held.accuracy:.1%} of {len(held.true)} photos right", fontsize=13, loc="left")
    lines, ends = np.arange(people - 1) + 0.5, (-0.5, people - 0.5)
    axes.hlines(lines, *ends, color="0.88", linewidth=0.6)
    axes.vlines(lines, *ends, color="0.88", linewidth=0.6)
    picture = io.BytesIO()
    with warnings.catch_warnings():
        # A name in a script that the font lacks shows as boxes; that is no reason to complain.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(picture, format="png", bbox_inches="tight", pad_inches=0.2)
    return picture.getvalue()


def _cells(axes: Axes, held: HeldOutResult, points: float) -> None:
    """Each cell's colour is its share of the row; its number is in photos."""
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
