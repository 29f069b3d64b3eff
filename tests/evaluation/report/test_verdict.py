"""The verdict on an evaluation: one sentence, and advice only where something falls short."""

from __future__ import annotations

import pytest

from face_det.evaluation.end_to_end import EndToEndCounts
from face_det.evaluation.report.verdict import summarize_answers
from face_det.types import Reason

GOOD = EndToEndCounts(98, 0, 0, 2, 3998, {Reason.UNRECOGNISED: 2})


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        (
            GOOD,
            "Of 100 photos of known people, 98 are named rightly and none wrongly; of 4,000 photos of "
            "strangers, 2 are named.",
        ),
        (
            EndToEndCounts(1, 1, 0, 1, 0),
            "Of 2 photos of known people, 1 is named rightly and 1 wrongly; of 1 photo of strangers, 1 is "
            "named.",
        ),
        (
            EndToEndCounts(0, 0, 0, 0, 0, {Reason.UNRECOGNISED: 3}),
            "Of 3 photos of known people, none are named rightly and none wrongly; no photo of a stranger "
            "was tested.",
        ),
        (
            EndToEndCounts(0, 0, 0, 0, 5),
            "No photo of a known person was tested; of 5 photos of strangers, none are named.",
        ),
    ],
)
def test_the_sentence(counts: EndToEndCounts, sentence: str) -> None:
    """Everybody tested, and every name given."""
    assert summarize_answers(counts).sentence == sentence


def test_nothing_falls_short() -> None:
    """Few photos without a name, and strangers enough to show the rate that was asked for."""
    assert summarize_answers(GOOD, 0.002).shortcomings == ()
    assert summarize_answers(GOOD, None, same_moment=4).shortcomings == ()


@pytest.mark.parametrize(
    ("counts", "same_moment", "says", "advises"),
    [
        (EndToEndCounts(99, 1, 0, 0, 4000), 0, "given to 1 photo", "face-det gallery check"),
        (EndToEndCounts(100, 0, 0, 40, 960), 0, "named, 4.00%,", "lower falseAcceptRate"),
        (
            EndToEndCounts(90, 0, 0, 0, 4000, {Reason.UNRECOGNISED: 10}),
            0,
            "not recognised in 10 photos",
            "enrol more photos",
        ),
        (
            EndToEndCounts(90, 0, 0, 0, 4000, {Reason.NO_FACE: 10}),
            0,
            "No face was found in 10 photos",
            '"faceDetModel": "cnn"',
        ),
        (EndToEndCounts(94, 0, 6, 0, 4000), 0, "not recognised in 6 photos", "enrol more photos"),
        (
            EndToEndCounts(9, 0, 0, 0, 4000, {Reason.TOO_BLURRY: 91}),
            0,
            "too blurry in 91 photos",
            "set it to 0",
        ),
        (EndToEndCounts(90, 0, 0, 0, 4000, {Reason.TOO_SMALL: 10}), 0, "too small in 10", "lower minFace"),
        (EndToEndCounts(10, 0, 0, 0, 4000), 0, "from 72% to 100%", "Test more"),
        (EndToEndCounts(100, 0, 0, 0, 4000), 50, "50 are of the same moment", "of other days"),
        (EndToEndCounts(100, 0, 0, 0, 0), 0, "Without strangers", "face-det fetch-lfw"),
        (EndToEndCounts(100, 0, 0, 0, 40), 0, "up to 8.76%", "more into dataset/Unknown"),
    ],
)
def test_what_falls_short_and_what_to_do(
    counts: EndToEndCounts, same_moment: int, says: str, advises: str
) -> None:
    """One shortcoming each, with its figure and a way out."""
    (told,) = summarize_answers(counts, 0.002, same_moment).shortcomings
    assert says in told
    assert advises in told
