"""The assessment as tables of text, for a terminal and for the report alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from face_det.embedders import DLIB_RESNET, DLIB_VIEWS, VIEWS_PER_FACE
from face_det.evaluation.comparison import BaselineComparison
from face_det.evaluation.evaluate import Evaluation
from face_det.evaluation.metrics import OpenSetCounts, Proportion, count_open_set

MIN_PROBAS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999)
NO_VALUE = "-"
"""In place of a share of no photos."""
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
    """Rows of text under a head; the first column is to be read from the left, the others are figures."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def build_tables(found: Evaluation) -> Iterator[ReportTable]:
    """All of them, those that were asked for among them."""
    yield _open_set(found.table)
    yield _facts(found)
    if found.by_photos:
        yield ReportTable(
            "By photos enrolled of each person",
            ("photos", *COUNT_HEADINGS),
            tuple((str(count), *_count_cells(table)) for count, table in found.by_photos.items()),
            "The photos tested are the same in each row.",
        )
    if found.by_rate:
        yield ReportTable(
            "By the rate of strangers named that is wanted",
            ("falseAcceptRate", *COUNT_HEADINGS),
            tuple((f"{rate:.2%}", *_count_cells(table)) for rate, table in found.by_rate.items()),
            "The threshold follows from the photos trained on; strangers named is what came of it.",
        )
    yield from _comparisons(found)
    if found.degraded:
        yield _degraded(found)
    yield _sweep(found)
    yield _people(found)
    mistakes = tuple(
        (photo.path.name, photo.name or "a stranger", name, f"{probability:.3f}")
        for photo, name, probability in found.mistakes
    )
    if mistakes:
        yield ReportTable("Named wrongly", ("photo", "who it is", "named", "faceProba"), mistakes)


def format_percent(share: Proportion) -> str:
    """A share as a percentage, with as many digits as its size bears; NOTHING of nothing."""
    if not share.total:
        return NO_VALUE
    return f"{share.value:.1%}" if share.total < 10_000 else f"{share.value:.2%}"


def _open_set(table: OpenSetCounts) -> ReportTable:
    rows = []
    for name, share in table.shares():
        low, high = share.interval
        figures = (f"{share.value:.2%}", f"{low:.2%} to {high:.2%}") if share.total else (NO_VALUE, NO_VALUE)
        rows.append((name, f"{share.count} of {share.total}", *figures))
    return ReportTable(
        "Photos that were not enrolled",
        ("", "photos", "share", "95 % interval (Wilson)"),
        tuple(rows),
        "Blurred faces are asked about as well: the daemon leaves those below focusMeasureThreshold unnamed.",
    )


def _facts(found: Evaluation) -> ReportTable:
    card = found.model.card
    split = found.split
    rows = [
        ("decided by", f"{card.kind} on {_label(found.embedder)}"),
        ("people", f"{len(split.people)}, {len(split.enrolled)} photos enrolled"),
        ("strangers trained on", str(len(split.strangers))),
        ("not enrolled, no face found", str(len(found.trial.left_out))),
        ("cannot be read as pictures, left out", str(len(found.trial.unreadable))),
        ("tested, and of a moment that is enrolled", f"{found.same_moments} of {found.table.known}"),
        ("open-set F1", f"{found.table.f1:.3f}"),
        ("calibration error (ECE), every face with a faceProba", f"{found.calibration.ece:.3f}"),
        ("calibration error (ECE), faces that were named", f"{found.calibration_named.ece:.3f}"),
    ]
    for embedder, verification in found.verification.items():
        low, high = verification.interval
        rows.append(
            (
                f"two photos of one person or not, {_label(embedder)}",
                f"{verification.accuracy:.2%} ({low:.2%} to {high:.2%}) of {verification.pairs} pairs",
            )
        )
    return ReportTable(
        "In short",
        ("", ""),
        tuple(rows),
        "Photos of one moment, as frames of one visit are, are nearly the same: they prove little. "
        "Pairs: of one person, and as many of two people; folds share nobody. dlib publishes 99.38 % for "
        "its network on LFW's own pairs, with re-samples of each face. Decisions by it rest on several views "
        "of each face; one view is what face_recognition has.",
    )


def _count_cells(table: OpenSetCounts) -> tuple[str, ...]:
    shares = dict(table.shares())
    return (
        format_percent(shares["known, named rightly"]),
        format_percent(shares["known, named wrongly"]),
        format_percent(shares["known, uncertain"]),
        format_percent(shares["known, not named"]),
        format_percent(shares["known, no face found"]),
        format_percent(shares["strangers, named"]),
        f"{table.f1:.3f}",
    )


def _comparisons(found: Evaluation) -> Iterator[ReportTable]:
    for embedder, lines in found.lines.items():
        ours = found.rivals_ours[embedder]
        shipped = [
            (line.name, *_short_cells(line.table), _verdict(round(ours.f1 - line.table.f1, 3), digits=3))
            for line in lines
        ]
        yield ReportTable(
            f"Beside others' rules, on the encodings of {_label(embedder)}",
            ("rule", "right", "wrong", "no name", "strangers", "F1", "ahead"),
            (("ours", *_short_cells(ours), ""), *shipped),
            "Each with the threshold it ships with; ahead in F1.",
        )
        photo = 1 / max(found.table.known, 1)
        yield ReportTable(
            f"The same where as many strangers are named, on the encodings of {_label(embedder)}",
            ("rule", "right", "ours", "as right at", "ahead", "right at our rate", "ours", "ahead"),
            tuple(_equal_rate_cells(line) for line in lines),
            "Right, as it ships, and ours with the best threshold at which no more strangers are named; then "
            "both where no more are named than by ours as it ships. Such thresholds are known only "
            "afterwards. As right at: the strangers whom ours names with the threshold at which it names as "
            "many people rightly as the rule does. Ahead is counted in photos named rightly, of which one is "
            f"{photo:.2%} and a few are chance; where these are as many, in how many fewer strangers.",
        )


def _equal_rate_cells(line: BaselineComparison) -> tuple[str, ...]:
    there, theirs, ours = line.ours_there, line.theirs_here, line.ours_here
    return (
        line.name,
        format_percent(Proportion(line.table.right, line.table.known)),
        format_percent(Proportion(there.right, there.known)),
        _strangers_then(line),
        _verdict(line.ahead_there, line.fewer_strangers or 0),
        format_percent(Proportion(theirs.right, theirs.known)),
        format_percent(Proportion(ours.right, ours.known)),
        _verdict(line.ahead_here),
    )


def _short_cells(table: OpenSetCounts) -> tuple[str, ...]:
    unnamed = table.known - table.right - table.wrong
    return (
        format_percent(Proportion(table.right, table.known)),
        format_percent(Proportion(table.wrong, table.known)),
        format_percent(Proportion(unnamed, table.known)),
        format_percent(Proportion(table.strangers_named, table.strangers)),
        f"{table.f1:.3f}",
    )


def _label(embedder: str) -> str:
    views = {DLIB_RESNET: "dlib_resnet, one view", DLIB_VIEWS: f"dlib_resnet, {VIEWS_PER_FACE} views"}
    return views.get(embedder, embedder)


def _strangers_then(line: BaselineComparison) -> str:
    table = line.ours_as_right
    return "never" if table is None else format_percent(Proportion(table.strangers_named, table.strangers))


def _verdict(ahead: float, fewer: int = 0, digits: int = 0) -> str:
    if ahead == 0 and fewer > 0:
        return f"ours, {fewer} fewer"
    return "level" if ahead == 0 else f"{'ours' if ahead > 0 else 'theirs'} by {abs(ahead):.{digits}f}"


def _degraded(found: Evaluation) -> ReportTable:
    rows = []
    for line in found.degraded:
        rows.append((line.name, *_count_cells(line.table)))
        rows.append(("  trained with masks too", *_count_cells(line.trained_masked)))
    return ReportTable(
        "Pictures made worse",
        ("tested", *COUNT_HEADINGS),
        tuple(rows),
        "Faces enrolled are as they are; those tested are scaled to so many pixels, blurred, compressed, "
        "darkened or masked; no face: the detector, faceDetModel, saw none. Below each, the same had "
        "masked copies of the enrolled photos been trained on (face-det train --masked).",
    )


def _sweep(found: Evaluation) -> ReportTable:
    rows = []
    for least in MIN_PROBAS:
        answers = found.answers.by_probability().at(least)
        table = count_open_set(
            found.trial.truth, answers, found.trial.known_no_face, found.trial.strangers_no_face
        )
        rows.append((f"{least:g}", *_short_cells(table)))
    return ReportTable(
        "By the least probability",
        ("faceProba", "right", "wrong", "no name", "strangers", "F1"),
        tuple(rows),
        "As if faceProba alone decided.",
    )


def _people(found: Evaluation) -> ReportTable:
    rows = [
        (
            person.name,
            str(person.table.known),
            str(person.table.right),
            str(person.table.wrong),
            str(person.table.uncertain),
            str(person.table.unnamed + person.table.known_no_face),
            str(person.lent),
            _join_names(person.taken_for),
        )
        for person in sorted(
            found.people, key=lambda person: (person.table.right / person.table.known, person.name)
        )
    ]
    return ReportTable(
        "Everybody, the hardest first",
        ("person", "photos", "right", "wrong", "uncertain", "not named", "given to others", "taken for"),
        tuple(rows),
    )


def _join_names(names: Sequence[str]) -> str:
    return ", ".join(names)
