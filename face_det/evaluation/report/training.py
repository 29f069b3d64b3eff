"""Reports on a training as text, as JSON values and as confusion matrices."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from face_det.classifiers import required_embedder, score_to_similarity
from face_det.evaluation.report.charts import figure_as_png, fit_label
from face_det.recognition import DecisionRule, Verifier
from face_det.training import HeldOutResult, TrainedModel, TrainingResult

RIGHT_COLOURMAP, WRONG_COLOURMAP = "Blues", "Oranges"
MOST_NUMBERED_PEOPLE = 150
"""Matrices of up to this many people have a number in each cell."""
LONGEST_NAME = 28
"""Longer names are cut to this many characters."""


def training_as_text(result: TrainingResult, rule: DecisionRule) -> str:
    """Describe each trained classifier as text; `rule` decides the names for the held-out photos."""
    blocks = [[*_model_lines(trained, rule), ""] for trained in result.trained]
    return _frame(result, itertools.chain(*blocks))


def training_as_table(result: TrainingResult, rule: DecisionRule) -> str:
    """Describe the training as a table with a line for each classifier, without each person's figures."""
    return _frame(result, [*_table_lines(result.trained, rule), ""])


def _frame(result: TrainingResult, middle: Iterable[str]) -> str:
    """Put the photos before, and what was skipped and is to be noted after."""
    photos = sum(result.photos.values())
    lines = [f"photos: {photos}, people: {len(result.photos)} (Unknown counts as one)", ""]
    lines += middle
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


def explain_confusion(held: HeldOutResult, rule: DecisionRule) -> list[str]:
    """Point at `face-det gallery check` where people are confused with each other, or most are not named."""
    advice = "face-det gallery check finds photos in the wrong folder and one person under two names"
    confused = held.confused()
    if confused:
        shown = ", ".join(f"{one} and {other}" for one, other in confused[:5])
        more = f" and {len(confused) - 5} more pairs" if len(confused) > 5 else ""
        return [f"confused with each other on held-out photos: {shown}{more}; {advice}"]
    found = held.named(rule)
    if found.people and 2 * (found.right + found.wrong) < found.people:
        left = found.people - found.right - found.wrong
        return [f"not named: {left} of {found.people} held-out photos of people; {advice}"]
    return []


def _table_lines(models: Sequence[TrainedModel], rule: DecisionRule) -> Iterator[str]:
    """Yield a table with a line for each classifier; the figures are of held-out photos."""
    head = ("classifier", "cross-val.", "likeliest", "right", "wrong", "not named", "strangers", "parameters")
    rows = [head, *(_table_row(trained, rule) for trained in models)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    for row in rows:
        cells = [
            row[0].ljust(widths[0]),
            *(row[i].rjust(widths[i]) for i in range(1, len(head) - 1)),
            row[-1],
        ]
        yield "  ".join(cells).rstrip()
    held = next((one.held_out for one in models if one.held_out is not None), None)
    if held is None:
        yield "held out: nothing; that takes photos of different moments"
        return
    found = held.named(rule)
    yield (
        f"likeliest: accuracy of the likeliest person on {len(held.true)} held-out photos; right, wrong and "
        f"not named: decisions on {found.people} of people; strangers: named of {found.strangers} of Unknown"
    )
    yield "each person's figures: face-det train --classifier KIND, or --json"


def _table_row(trained: TrainedModel, rule: DecisionRule) -> tuple[str, ...]:
    params = ", ".join(f"{key}={value}" for key, value in trained.model.card.params.items())
    score = "-" if trained.score is None else f"{trained.score:.3f}"
    held = trained.held_out
    if held is None:
        return (trained.kind, score, "-", "-", "-", "-", "-", params)
    found = held.named(rule)
    people, strangers = max(found.people, 1), max(found.strangers, 1)
    shares = (found.right, found.wrong, found.people - found.right - found.wrong)
    decisions = [f"{share / people:.1%}" if found.people else "-" for share in shares]
    named = f"{found.strangers_named / strangers:.1%}" if found.strangers else "-"
    return (trained.kind, score, f"{held.accuracy:.3f}", *decisions, named, params)


def _model_lines(trained: TrainedModel, rule: DecisionRule) -> Iterator[str]:
    params = ", ".join(f"{key}={value}" for key, value in trained.model.card.params.items())
    yield f"{trained.kind}: {params or 'no parameters'}"
    if trained.score is not None:
        yield f"  cross-validation: accuracy {trained.score:.3f}"
    verifier = trained.model.verifier
    if verifier is not None:
        yield (
            f"  named {_describe_threshold(trained.kind, verifier)}: "
            f"falseAcceptRate {verifier.rate:g}, {'shown' if verifier.claimed else 'estimated'} "
            f"with {verifier.impostors} impostors"
        )
    held = trained.held_out
    if held is None:
        yield "  held out: nothing; that takes photos of different moments"
        return
    yield f"  held-out photos: {len(held.true)}; accuracy of the likeliest person: {held.accuracy:.3f}"
    found = held.named(rule)
    if found.people:
        right, wrong = found.right / found.people, found.wrong / found.people
        yield (
            f"  decisions on photos of people ({found.people}): right {right:.1%}, wrong {wrong:.1%}, "
            f"not named {1 - right - wrong:.1%}"
        )
    if found.strangers:
        named = found.strangers_named / found.strangers
        yield f"  decisions on photos of Unknown ({found.strangers}): named {named:.1%}"
    yield held.report_text().rstrip()


def _describe_threshold(kind: str, verifier: Verifier) -> str:
    # The classic recognisers have distances of their own, not those of encodings of length 1.
    if required_embedder(kind) is not None:
        return f"within a distance of {verifier.gate_distance:.4g}"
    return f"from a similarity of {score_to_similarity(verifier.threshold):.3f}"


def _model_as_json(trained: TrainedModel, rule: DecisionRule) -> dict[str, Any]:
    held, verifier = trained.held_out, trained.model.verifier
    decision = None
    own = required_embedder(trained.kind) is not None
    if verifier is not None:
        decision = {
            "falseAcceptRate": verifier.rate,
            "likeness": None if own else float(score_to_similarity(verifier.threshold)),
            "distance": verifier.gate_distance if own else None,
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
    labels = [fit_label(name, LONGEST_NAME) for name in held.names]
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
