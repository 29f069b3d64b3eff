"""Answers counted apart by how well the faces are seen."""

from __future__ import annotations

from pathlib import Path

from face_det.evaluation.end_to_end import EndToEnd, EndToEndCounts, join_answers
from face_det.evaluation.protocol import LabelledPhoto
from face_det.types import UNKNOWN, Match, Outcome, Reason

KNOWN = Match("Ann", 0.99, None, Outcome.KNOWN)
STRANGER = Match(UNKNOWN, 0.9, None, Outcome.UNKNOWN)
NOBODY = Match(None, 0.1, Reason.UNRECOGNISED, Outcome.UNCERTAIN)
NO_FACE = Match(None, None, Reason.NO_FACE)


def answers(*rows: tuple[str | None, Match, float | None]) -> EndToEnd:
    names, matches, qualities = zip(*rows, strict=True)
    photos = tuple(LabelledPhoto(Path(f"{at}.jpg"), name) for at, name in enumerate(names))
    return EndToEnd(photos, matches, qualities)


SOME = answers(
    ("Ann", KNOWN, 0.99),
    ("Ann", KNOWN, 1.0),
    ("Ann", NOBODY, 0.1),
    ("Ann", NO_FACE, None),
    (None, STRANGER, 0.96),
    (None, KNOWN, 0.2),
    (None, NOBODY, 0.199),
)


def test_each_answer_is_in_the_band_of_its_quality() -> None:
    """A limit belongs to the band above it, a quality of 1 to the best; a photo without a face to none."""
    bands = dict(SOME.by_quality())
    assert bands == {
        "0 to 0.2": EndToEndCounts(0, 0, 0, 0, 0, {Reason.UNRECOGNISED: 1}, {Reason.UNRECOGNISED: 1}),
        "0.2 to 0.5": EndToEndCounts(0, 0, 0, 1, 0),
        "0.95 to 1": EndToEndCounts(2, 0, 0, 0, 1),
    }
    assert sum(counts.known for counts in bands.values()) == SOME.counts.known - 1


def test_answers_of_several_tests_are_joined() -> None:
    """All counts add up."""
    twice = join_answers([SOME, SOME])
    assert twice.counts.right == 2 * SOME.counts.right
    assert dict(twice.by_quality())["0.2 to 0.5"].strangers_named == 2
