"""The comparison as tables of text, for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

from face_det.comparison.compare import Comparison, DetectorComparison, RecogniserComparison, usable
from face_det.comparison.scoring import SIZES_PX, DetectorScore
from face_det.evaluation import NO_VALUE, OpenSetCounts, Proportion, ReportTable


def build_tables(comparison: Comparison) -> Iterator[ReportTable]:
    """Yield every table."""
    if comparison.detectors is not None:
        yield from detector_tables(comparison.detectors)
    if comparison.recognisers is not None:
        yield from recogniser_tables(comparison.recognisers)


def detector_tables(found: DetectorComparison) -> Iterator[ReportTable]:
    """Yield the table of the detectors, and one of those that could not be used."""
    yield _detectors(found)
    if found.truth is not None:
        yield _by_size(found)
    missing = [(score.run.detector, score.run.missing) for score in found.scores]
    rows = tuple((name, why) for name, why in missing if why is not None)
    if rows:
        yield ReportTable("Detectors that could not be used", ("detector", "why"), rows)


def recogniser_tables(found: RecogniserComparison) -> Iterator[ReportTable]:
    """Yield the tables of the recognisers, of those that could not be used, and of masks."""
    yield _recognisers(found)
    missing = [(result.classifier, result.embedder, result.missing) for result in found.results]
    rows = tuple((f"{kind} {embedder}".strip(), why) for kind, embedder, why in missing if why is not None)
    if rows:
        yield ReportTable("Recognisers that could not be used", ("recogniser", "why"), rows)
    if found.masks:
        yield _masks(found)


def format_share(share: Proportion) -> str:
    """Format a proportion with its 95 % interval (Wilson); "-" if the total is 0.

    >>> format_share(Proportion(9, 10))
    '90 % (60 to 98)'
    """
    if not share.total:
        return NO_VALUE
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


def _by_size(found: DetectorComparison) -> ReportTable:
    scores = usable(found.scores)
    scale = main_scale(scores)
    bands = [f"{least} to {below - 1} px" for least, below in pairwise(SIZES_PX)]
    bands[0] = f"under {SIZES_PX[1]} px"
    rows = tuple(
        (score.run.detector, *(f"{share.count} of {share.total}" for share in score.by_size))
        for score in scores
        if score.run.scale == scale
    )
    return ReportTable(
        f"Found, by the size of the face, at scale {format_scale(scale)}",
        ("detector", *bands, f"{SIZES_PX[-1]} px and more"),
        rows,
        f"By the shorter side in the picture; faces under {found.settings.min_face_px:g} px are not counted.",
    )


def main_scale(scores: Sequence[DetectorScore]) -> Fraction:
    """Return the scale that is shown where there is room for one: 1, or else the nearest to it."""
    scales = [score.run.scale for score in scores] or [Fraction(1)]
    return min(scales, key=lambda scale: max(scale, 1 / scale))


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
        NO_VALUE if recall is None else format_share(recall),
        NO_VALUE if score.alarms is None else str(score.alarms),
        NO_VALUE if per_picture is None else f"{per_picture:.2f}",
        NO_VALUE if score.ms is None else f"{score.ms:.0f}",
        f"{score.run.peak_mb:.0f}" if score.run.peak_mb else NO_VALUE,
    )


def _recognisers(found: RecogniserComparison) -> ReportTable:
    rows = tuple(
        (
            result.classifier,
            result.embedder,
            *_open_set(result.counts),
            f"{result.enrolment_s:.1f}",
            f"{result.ms:.0f}",
            f"{result.model_bytes / 1000:,.0f}",
        )
        for result in found.results
        if result.counts is not None
    )
    split = found.split
    left_out = ", ".join(f"{count} {reason}" for reason, count in sorted(found.left_out.items()))
    strangers = sum(photo.name is None for photo in split.tested)
    note = (
        f"{len(split.people)} people with {len(split.enrolled)} photos enrolled, {len(split.strangers)} of "
        f"strangers to learn from; tested on {len(split.tested) - strangers} other photos of the people and "
        f"{strangers} of other strangers."
        + (f" Of those to enrol, left out: {left_out}." if left_out else "")
        + f" falseAcceptRate {found.settings.false_accept_rate:g}. Times are of one processor core: to "
        "encode the enrolled faces and to train, and to encode a face and to decide. Finding faces comes "
        "on top."
    )
    return ReportTable(
        "Recognisers",
        (
            "classifier",
            "embedder",
            "named rightly",
            "named wrongly",
            "strangers named",
            "enrolment, s",
            "ms a face",
            "model, kB",
        ),
        rows,
        note,
    )


def _open_set(counts: OpenSetCounts | None) -> tuple[str, str, str]:
    """Return the shares named rightly and wrongly, and of strangers named."""
    if counts is None:
        return NO_VALUE, NO_VALUE, NO_VALUE
    shares = dict(counts.proportions())
    wanted = ("known, named rightly", "known, named wrongly", "strangers, named")
    right, wrong, strangers = (format_share(shares[each]) for each in wanted)
    return right, wrong, strangers


def _masks(found: RecogniserComparison) -> ReportTable:
    rows = []
    for each in found.masks:
        cases = (
            ("none", "none", each.nearest[0], each.bare),
            ("none", "drawn on", each.nearest[1], each.masked),
            ("a copy of each", "none", None, each.learnt_bare),
            ("a copy of each", "drawn on", None, each.learnt_masked),
        )
        for enrolled, tested, nearest, counts in cases:
            alike = NO_VALUE if nearest is None else format_share(nearest)
            rows.append((each.embedder, enrolled, tested, alike, *_open_set(counts)))
    return ReportTable(
        "Masks",
        (
            "embedder",
            "masks enrolled",
            "masks tested",
            "nearest photo is of the person",
            "named rightly",
            "named wrongly",
            "strangers named",
        ),
        tuple(rows),
        "The masks are drawn over nose, mouth and chin by the landmarks; they are no photos of masks. Who is "
        "named is decided by templates. The nearest photo is one of the others, without a mask.",
    )
