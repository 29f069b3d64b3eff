"""The comparison as tables of text, for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from face_det.comparison.compare import Comparison, DetectorComparison, usable
from face_det.comparison.scoring import DetectorScore
from face_det.evaluation import NO_VALUE, Proportion, ReportTable


def build_tables(comparison: Comparison) -> Iterator[ReportTable]:
    """Yield every table."""
    if comparison.detectors is not None:
        yield _detectors(comparison.detectors)
        missing = tuple(
            (name, score.run.missing)
            for score in comparison.detectors.scores
            if score.run.missing is not None
            for name in (score.run.detector,)
        )
        if missing:
            yield ReportTable("Detectors that could not be used", ("detector", "why"), missing)


def format_share(share: Proportion) -> str:
    """Format a proportion with its 95 % interval.

    >>> format_share(Proportion(9, 10))
    '90 % (60 to 98)'
    """
    low, high = share.interval
    return f"{share.value:.0%} ({100 * low:.0f} to {100 * high:.0f})".replace("%", " %")


def format_scale(scale: Fraction) -> str:
    """Write a scale as it is typed.

    >>> format_scale(Fraction(1, 2)), format_scale(Fraction(2))
    ('1/2', '2')
    """
    return str(scale)


def _detectors(found: DetectorComparison) -> ReportTable:
    scores = usable(found.scores)
    rows = tuple(_cells(score) for score in scores)
    bases = [score.run.base_mb for score in scores if score.run.base_mb]
    times = " Times are of one processor core, all threads added up, for a picture."
    base = f" Of the memory, {min(bases):.0f} MB are the program without a detector." if bases else ""
    return ReportTable(
        "Detectors",
        ("detector", "scale", "found", "share, 95 %", "false alarms", "a picture", "ms", "MB"),
        rows,
        f"{_source(found)} Scale 1/2 is the picture shrunk to half, as if from twice as far; 2 is one "
        f"doubling, numFaceImgUpsample 1.{times}{base}",
    )


def _source(found: DetectorComparison) -> str:
    truth = found.truth
    if truth is None:
        return (
            "There are no annotations, and one kind of detector alone agrees with nobody: boxes are counted."
        )
    text = f"{truth.source[0].upper()}{truth.source[1:]}."
    if not truth.annotated:
        text += " A false alarm here is a box on which fewer agree; it may be a face all the same."
    return text


def _cells(score: DetectorScore) -> tuple[str, ...]:
    recall, per_picture = score.recall, score.alarms_per_picture
    return (
        score.run.detector,
        format_scale(score.run.scale),
        str(score.boxes) if recall is None else f"{recall.count} of {recall.total}",
        format_share(recall) if recall is not None and recall.total else NO_VALUE,
        NO_VALUE if score.alarms is None else str(score.alarms),
        NO_VALUE if per_picture is None else f"{per_picture:.2f}",
        NO_VALUE if score.ms is None else f"{score.ms:.0f}",
        f"{score.run.peak_mb:.0f}" if score.run.peak_mb else NO_VALUE,
    )
