"""The evaluation as tables of text, for the terminal and for the report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from face_det.embedders import DLIB_RESNET, DLIB_VIEWS, VIEWS_PER_FACE
from face_det.evaluation.comparison import BaselineComparison
from face_det.evaluation.end_to_end import EndToEndCounts, explain_losses
from face_det.evaluation.evaluate import Evaluation
from face_det.evaluation.metrics import OpenSetCounts, Proportion

MIN_PROBAS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999)
NO_VALUE = "-"
"""Shown instead of a share if there are no photos."""
COUNT_HEADINGS = (
    "named rightly",
    "named wrongly",
    "uncertain",
    "not named",
    "no face",
    "strangers named",
    "F1",
)


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table of text. The first column is left-aligned text, the other columns are figures."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def build_tables(evaluation: Evaluation) -> Iterator[ReportTable]:
    """Yield every table of the evaluation, including the optional ones that were measured."""
    end_to_end = evaluation.end_to_end.counts
    yield _share_table("End to end", end_to_end.proportions(), explain_losses(end_to_end))
    yield _share_table(
        "The decision alone",
        evaluation.counts.proportions(),
        "The face in the middle of each photo, however blurred, whatever else the photo shows. What "
        "follows is of the decision alone, unless it says otherwise.",
    )
    yield _facts(evaluation)
    if evaluation.by_photos:
        yield ReportTable(
            "By photos enrolled per person",
            ("photos", *COUNT_HEADINGS),
            tuple((str(count), *_count_cells(counts)) for count, counts in evaluation.by_photos.items()),
            "Every row tests the same photos.",
        )
    if evaluation.by_rate:
        yield ReportTable(
            "By falseAcceptRate",
            ("falseAcceptRate", *COUNT_HEADINGS),
            tuple((f"{rate:.2%}", *_count_cells(counts)) for rate, counts in evaluation.by_rate.items()),
            "The threshold follows from the training photos; strangers named is what the tested photos show.",
        )
    yield from _comparisons(evaluation)
    if evaluation.degraded:
        yield _degraded(evaluation)
    by_quality = _by_quality(evaluation)
    if by_quality.rows:
        yield by_quality
    yield _sweep(evaluation)
    yield _people(evaluation)
    mistakes = tuple(
        (photo.path.name, photo.name or "a stranger", name, f"{probability:.3f}")
        for photo, name, probability in evaluation.end_to_end.mistakes
    )
    if mistakes:
        yield ReportTable(
            "Named wrongly", ("photo", "who it is", "named", "faceProba"), mistakes, "End to end."
        )


def format_percent(share: Proportion) -> str:
    """Format a proportion as a percentage, with more digits for large totals; "-" if the total is 0.

    >>> format_percent(Proportion(1, 8))
    '12.5%'
    """
    if not share.total:
        return NO_VALUE
    return f"{share.value:.1%}" if share.total < 10_000 else f"{share.value:.2%}"


def _share_table(title: str, proportions: Iterable[tuple[str, Proportion]], note: str) -> ReportTable:
    rows = []
    for name, share in proportions:
        low, high = share.interval
        figures = (f"{share.value:.2%}", f"{low:.2%} to {high:.2%}") if share.total else (NO_VALUE, NO_VALUE)
        rows.append((name, f"{share.count} of {share.total}", *figures))
    return ReportTable(title, ("", "photos", "share", "95 % interval (Wilson)"), tuple(rows), note)


def _facts(evaluation: Evaluation) -> ReportTable:
    card = evaluation.model.card
    encoded = evaluation.encoded
    per_person = encoded.enrolled_per_person
    rows = [
        ("decided by", f"{card.kind} on {_label(evaluation.embedder)}"),
        ("people", f"{len(per_person)}, {sum(per_person.values())} photos enrolled"),
        ("strangers trained on", str(encoded.strangers_enrolled)),
        ("not enrolled, as face-det encode leaves them out", _left_out_cell(encoded.count_left_out())),
        ("cannot be read as pictures, left out", str(len(encoded.unreadable))),
        ("tested, same moment as an enrolled photo", f"{evaluation.same_burst} of {evaluation.counts.known}"),
        ("open-set F1", f"{evaluation.counts.f1:.3f}"),
        ("calibration error (ECE), every face with a faceProba", f"{evaluation.calibration.ece:.3f}"),
        ("calibration error (ECE), faces that were named", f"{evaluation.calibration_named.ece:.3f}"),
    ]
    for embedder, verification in evaluation.verification.items():
        low, high = verification.interval
        rows.append(
            (
                f"same person or not, {_label(embedder)}",
                f"{verification.accuracy:.2%} ({low:.2%} to {high:.2%}) of {verification.pairs} pairs",
            )
        )
    return ReportTable(
        "In short",
        ("", ""),
        tuple(rows),
        "Photos of one moment, such as frames of one visit, are nearly equal and prove little. "
        "Half of the pairs show one person, half two; folds share nobody. dlib publishes 99.38 % for its "
        "network on LFW's own pairs, with several resamples of each face. Our decisions with dlib's network "
        "use several views of each face; face_recognition uses one.",
    )


def _left_out_cell(reasons: Mapping[str, int]) -> str:
    """Return the number of photos left out, and the reasons.

    >>> _left_out_cell({"no_face": 1, "several_faces": 4})
    '5: 4 several_faces, 1 no_face'
    """
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    told = ", ".join(f"{count} {reason}" for reason, count in ordered)
    return f"{sum(reasons.values())}: {told}" if reasons else "0"


def _count_cells(counts: OpenSetCounts) -> tuple[str, ...]:
    shares = dict(counts.proportions())
    return (
        format_percent(shares["known, named rightly"]),
        format_percent(shares["known, named wrongly"]),
        format_percent(shares["known, uncertain"]),
        format_percent(shares["known, not named"]),
        format_percent(shares["known, no face found"]),
        format_percent(shares["strangers, named"]),
        f"{counts.f1:.3f}",
    )


def _comparisons(evaluation: Evaluation) -> Iterator[ReportTable]:
    for embedder, comparisons in evaluation.comparisons.items():
        ours = evaluation.ours_compared[embedder]
        shipped = [
            (one.name, *_short_cells(one.shipped), _verdict(round(ours.f1 - one.shipped.f1, 3), digits=3))
            for one in comparisons
        ]
        yield ReportTable(
            f"Beside others' rules, on the encodings of {_label(embedder)}",
            ("rule", "right", "wrong", "no name", "strangers", "F1", "ahead"),
            (("ours", *_short_cells(ours), ""), *shipped),
            "Each rule with its shipped threshold; ahead is the difference in F1.",
        )
        photo = 1 / max(evaluation.counts.known, 1)
        yield ReportTable(
            f"At equal numbers of strangers named, on the encodings of {_label(embedder)}",
            ("rule", "right", "ours", "as right at", "ahead", "right at our rate", "ours", "ahead"),
            tuple(_equal_rate_cells(comparison) for comparison in comparisons),
            "Right: the rule as shipped, and ours with the best threshold that names no more strangers; then "
            "both where they name no more strangers than ours as shipped. These thresholds are known only in "
            "hindsight. As right at: the share of strangers that ours names at the threshold where it names "
            "as many people rightly as the rule. Ahead is counted in photos named rightly; one photo is "
            f"{photo:.2%}, and a few are chance. If equal, it is counted in strangers named.",
        )


def _equal_rate_cells(comparison: BaselineComparison) -> tuple[str, ...]:
    there, theirs, ours = comparison.ours_at_its_rate, comparison.its_at_our_rate, comparison.ours_at_our_rate
    return (
        comparison.name,
        format_percent(Proportion(comparison.shipped.right, comparison.shipped.known)),
        format_percent(Proportion(there.right, there.known)),
        _strangers_then(comparison),
        _verdict(comparison.ahead_at_its_rate, comparison.fewer_strangers or 0),
        format_percent(Proportion(theirs.right, theirs.known)),
        format_percent(Proportion(ours.right, ours.known)),
        _verdict(comparison.ahead_at_our_rate),
    )


def _short_cells(counts: OpenSetCounts) -> tuple[str, ...]:
    unnamed = counts.known - counts.right - counts.wrong
    return (
        format_percent(Proportion(counts.right, counts.known)),
        format_percent(Proportion(counts.wrong, counts.known)),
        format_percent(Proportion(unnamed, counts.known)),
        format_percent(Proportion(counts.strangers_named, counts.strangers)),
        f"{counts.f1:.3f}",
    )


def _label(embedder: str) -> str:
    views = {DLIB_RESNET: "dlib_resnet, one view", DLIB_VIEWS: f"dlib_resnet, {VIEWS_PER_FACE} views"}
    return views.get(embedder, embedder)


def _strangers_then(comparison: BaselineComparison) -> str:
    counts = comparison.ours_as_right
    return "never" if counts is None else format_percent(Proportion(counts.strangers_named, counts.strangers))


def _verdict(ahead: float, fewer: int = 0, digits: int = 0) -> str:
    if ahead == 0 and fewer > 0:
        return f"ours, {fewer} fewer"
    return "level" if ahead == 0 else f"{'ours' if ahead > 0 else 'theirs'} by {abs(ahead):.{digits}f}"


def _degraded(evaluation: Evaluation) -> ReportTable:
    rows = []
    for result in evaluation.degraded:
        plain, masked = result.end_to_end.counts, result.trained_masked_end_to_end.counts
        rows.append((result.name, *_count_cells(result.counts), _end_to_end_cell(plain)))
        rows.append(
            ("  trained with masks too", *_count_cells(result.trained_masked), _end_to_end_cell(masked))
        )
    return ReportTable(
        "Pictures made worse",
        ("tested", *COUNT_HEADINGS, "rightly, end to end"),
        tuple(rows),
        "Enrolled faces are unchanged; tested faces are scaled to that many pixels, blurred, compressed, "
        "darkened or masked. No face: the detector, faceDetModel, found none. The row below each is for a "
        "model also trained on masked copies of the enrolled photos (face-det train --masked).",
    )


def _by_quality(evaluation: Evaluation) -> ReportTable:
    rows = [
        (
            band,
            str(counts.known),
            format_percent(Proportion(counts.right, counts.known)),
            format_percent(Proportion(counts.wrong, counts.known)),
            format_percent(Proportion(counts.unknown, counts.known)),
            str(counts.strangers),
            format_percent(Proportion(counts.strangers_named, counts.strangers)),
            format_percent(Proportion(counts.strangers_unknown, counts.strangers)),
        )
        for band, counts in evaluation.answers_to_all.by_quality()
    ]
    degraded = ", as they are and made worse" if evaluation.degraded else ""
    return ReportTable(
        "By quality",
        ("quality", "known", "right", "wrong", "called Unknown", "strangers", "named", "called Unknown"),
        tuple(rows),
        f"End to end, of all tested photos{degraded}. Quality is how likely a face seen like this is "
        "recognised if the person is enrolled. Strangers should be named as rarely in every row.",
    )


def _end_to_end_cell(counts: EndToEndCounts) -> str:
    return format_percent(Proportion(counts.right, counts.known))


def _sweep(evaluation: Evaluation) -> ReportTable:
    rows = []
    for least in MIN_PROBAS:
        predictions = evaluation.predictions.with_probability_scores().with_threshold(least)
        counts = evaluation.encoded.count(predictions)
        rows.append((f"{least:g}", *_short_cells(counts)))
    return ReportTable(
        "By minimum probability",
        ("faceProba", "right", "wrong", "no name", "strangers", "F1"),
        tuple(rows),
        "As if faceProba alone decided.",
    )


def _people(evaluation: Evaluation) -> ReportTable:
    rows = [
        (
            person.name,
            str(person.counts.known),
            str(person.counts.right),
            str(person.counts.wrong),
            str(person.counts.uncertain),
            str(person.counts.unnamed + person.counts.known_no_face),
            str(person.given_to_others),
            _join_names(person.taken_for),
        )
        for person in sorted(
            evaluation.people, key=lambda person: (person.counts.right / person.counts.known, person.name)
        )
    ]
    return ReportTable(
        "People, hardest first",
        ("person", "photos", "right", "wrong", "uncertain", "not named", "given to others", "taken for"),
        tuple(rows),
    )


def _join_names(names: Sequence[str]) -> str:
    return ", ".join(names)
