"""The verdict on an evaluation: one sentence, and advice only where something falls short."""

from __future__ import annotations

import pytest

from face_det.evaluation.metrics import OpenSetCounts
from face_det.evaluation.report.verdict import summarize_open_set

GOOD = OpenSetCounts(98, 0, 1, 1, 0, 2, 0, 3998, 0)


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        (
            GOOD,
            "Of 100 photos of known people, 98 are named rightly and none wrongly; of 4,000 photos of "
            "strangers, 2 are named.",
        ),
        (
            OpenSetCounts(1, 1, 0, 0, 0, 1, 0, 0, 0),
            "Of 2 photos of known people, 1 is named rightly and 1 wrongly; of 1 photo of strangers, 1 is "
            "named.",
        ),
        (
            OpenSetCounts(0, 0, 0, 3, 0, 0, 0, 0, 0),
            "Of 3 photos of known people, none are named rightly and none wrongly; no photo of a stranger "
            "was tested.",
        ),
        (
            OpenSetCounts(0, 0, 0, 0, 0, 0, 0, 5, 0),
            "No photo of a known person was tested; of 5 photos of strangers, none are named.",
        ),
    ],
)
def test_the_sentence(counts: OpenSetCounts, sentence: str) -> None:
    """Everybody tested, and every name given."""
    assert summarize_open_set(counts).sentence == sentence


def test_nothing_falls_short() -> None:
    """Few photos without a name, and strangers enough to show the rate that was asked for."""
    assert summarize_open_set(GOOD, 0.002).shortcomings == ()
    assert summarize_open_set(GOOD, None, same_moment=4).shortcomings == ()


@pytest.mark.parametrize(
    ("counts", "same_moment", "says", "advises"),
    [
        (OpenSetCounts(99, 1, 0, 0, 0, 0, 0, 4000, 0), 0, "given to 1 photo", "face-det gallery check"),
        (OpenSetCounts(100, 0, 0, 0, 0, 40, 0, 960, 0), 0, "named, 4.00%,", "lower falseAcceptRate"),
        (OpenSetCounts(90, 0, 6, 4, 0, 0, 0, 4000, 0), 0, "to 10 photos", "enrol more photos"),
        (OpenSetCounts(90, 0, 0, 0, 10, 0, 0, 4000, 0), 0, "in 10 photos", '"faceDetModel": "cnn"'),
        (OpenSetCounts(10, 0, 0, 0, 0, 0, 0, 4000, 0), 0, "from 72% to 100%", "Test more"),
        (OpenSetCounts(100, 0, 0, 0, 0, 0, 0, 4000, 0), 50, "50 are of the same moment", "of other days"),
        (OpenSetCounts(100, 0, 0, 0, 0, 0, 0, 0, 0), 0, "Without strangers", "face-det fetch-lfw"),
        (OpenSetCounts(100, 0, 0, 0, 0, 0, 0, 40, 0), 0, "up to 8.76%", "more into dataset/Unknown"),
    ],
)
def test_what_falls_short_and_what_to_do(
    counts: OpenSetCounts, same_moment: int, says: str, advises: str
) -> None:
    """One shortcoming each, with its figure and a way out."""
    (told,) = summarize_open_set(counts, 0.002, same_moment).shortcomings
    assert says in told
    assert advises in told
