"""The error-versus-reject curve: what is gained if the faces of worst quality are set aside."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from face_det.evaluation.end_to_end import EndToEnd
from face_det.evaluation.report.charts import OURS_COLOUR, WIDTH_INCHES, figure_as_png, make_canvas

MIN_FACES = 20
"""Fewer faces of known people than this make no curve."""

MAX_REJECTED = 0.9
"""The share up to which faces are set aside; of what remains then, chance decides."""

Floats = npt.NDArray[np.float64]


def error_versus_reject(qualities: npt.ArrayLike, right: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return the shares of faces set aside, worst quality first, and of errors among those kept.

    `qualities` (n,) are in 0..1, `right` (n,) says which answers are right. The curve is that of Grother and
    Tabassi, "Performance of Biometric Quality Measures" (2007).

    >>> rejected, errors = error_versus_reject([0.1, 0.9, 0.8, 0.7], [False, True, True, True])
    >>> rejected.tolist(), errors.tolist()
    ([0.0, 0.25, 0.5, 0.75], [0.25, 0.0, 0.0, 0.0])
    """
    order = np.argsort(np.asarray(qualities, np.float64), kind="stable")
    wrong = ~np.asarray(right, np.bool_)[order]
    count = len(wrong)
    kept = np.arange(count, 0, -1)
    errors: Floats = np.cumsum(wrong[::-1])[::-1] / kept
    rejected: Floats = 1 - kept / max(count, 1)
    shown = rejected <= MAX_REJECTED
    return rejected[shown], errors[shown]


def draw_reject_curve(answers: EndToEnd) -> bytes | None:
    """Draw the curve of the known people's faces as PNG, with the best possible one.

    Returns None for few faces, and if all are named rightly, because then there is nothing to gain.
    """
    rows = [
        (quality, match.name == photo.name)
        for photo, match, quality in zip(answers.photos, answers.matches, answers.qualities, strict=True)
        if photo.name is not None and quality is not None
    ]
    if len(rows) < MIN_FACES or all(right for _, right in rows):
        return None
    qualities, right = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    figure, axes = make_canvas(WIDTH_INCHES, 3.0)
    ideal = error_versus_reject(right, right)
    axes.plot(*ideal, color="0.6", linestyle="--", label="if one knew the outcome")
    axes.plot(*error_versus_reject(qualities, right), color=OURS_COLOUR, linewidth=2, label="by quality")
    axes.set_xlabel("share of faces set aside, worst first")
    axes.set_ylabel("not named rightly")
    axes.set_ylim(bottom=0)
    axes.grid(color="0.9")
    axes.legend(frameon=False, fontsize=9)
    return figure_as_png(figure)
