"""The evaluation in a sentence, what falls short, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from face_det.evaluation.end_to_end import EndToEndCounts
from face_det.evaluation.evaluate import Evaluation
from face_det.evaluation.metrics import Proportion
from face_det.types import Reason

FEW_KNOWN = 30
"""With fewer photos of known people than this, a photo more or less changes the result."""
NOTABLE_SHARE = 0.05
"""The share of known people's photos from which a shortcoming is worth doing something about."""


NO_SHORTCOMING = "Nothing falls short."


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result in a sentence, and a sentence for each thing that falls short, worst first."""

    sentence: str
    shortcomings: tuple[str, ...]


def summarize_evaluation(evaluation: Evaluation) -> Verdict:
    """Put the main result of an evaluation into words."""
    verifier = evaluation.model.verifier
    return summarize_answers(
        evaluation.end_to_end.counts, None if verifier is None else verifier.rate, evaluation.same_burst
    )


def summarize_answers(counts: EndToEndCounts, rate: float | None = None, same_moment: int = 0) -> Verdict:
    """Put the counts of what callers get into words.

    `rate` is the falseAcceptRate that was asked for, None if the classifier has no such threshold.
    `same_moment` is how many photos of known people are of the same moment as an enrolled one.

    >>> found = summarize_answers(EndToEndCounts(98, 0, 2, 2, 998), 0.01)
    >>> found.sentence.split("; ")[0]
    'Of 100 photos of known people, 98 are named rightly and none wrongly'
    >>> found.sentence.split("; ")[1]
    'of 1,000 photos of strangers, 2 are named.'
    """
    return Verdict(
        f"{_known_sentence(counts)}; {_strangers_sentence(counts)}.",
        (*_wrong_names(counts, rate), *_missing_names(counts), *_doubts(counts, rate, same_moment)),
    )


def _known_sentence(counts: EndToEndCounts) -> str:
    if not counts.known:
        return "No photo of a known person was tested"
    right, wrong = (f"{count:,}" if count else "none" for count in (counts.right, counts.wrong))
    are = "is" if counts.right == 1 else "are"
    return f"Of {_photos(counts.known)} of known people, {right} {are} named rightly and {wrong} wrongly"


def _strangers_sentence(counts: EndToEndCounts) -> str:
    if not counts.strangers:
        return "no photo of a stranger was tested"
    named = f"{counts.strangers_named:,}" if counts.strangers_named else "none"
    are = "is" if counts.strangers_named == 1 else "are"
    return f"of {_photos(counts.strangers)} of strangers, {named} {are} named"


def _wrong_names(counts: EndToEndCounts, rate: float | None) -> Iterator[str]:
    if counts.wrong:
        yield (
            f"Another known person's name was given to {_photos(counts.wrong)}: look at them under "
            '"Named wrongly", and run face-det gallery check, which finds photos in the wrong folder.'
        )
    strangers = Proportion(counts.strangers_named, counts.strangers)
    if rate is not None and strangers.total and strangers.interval[0] > rate:
        yield (
            f"More strangers are named, {strangers.value:.2%}, than falseAcceptRate allows, {rate:.2%}: put "
            "photos of such strangers into dataset/Unknown and train, or lower falseAcceptRate."
        )


def _missing_names(counts: EndToEndCounts) -> Iterator[str]:
    least = max(1.0, NOTABLE_SHARE * counts.known)
    unnamed = counts.unknown + counts.unnamed.get(Reason.UNRECOGNISED, 0)
    if unnamed >= least:
        yield (
            f"The face was not recognised in {_photos(unnamed)} of known people: enrol more photos of those "
            'at the top of "People, hardest first", taken by the camera that is to know them.'
        )
    advice = {
        Reason.TOO_BLURRY: (
            "The face was too blurry",
            "lower focusMeasureThreshold, or set it to 0, which lets every face through.",
        ),
        Reason.TOO_SMALL: (
            "The face was too small",
            "lower minFace, or let the camera see the faces from closer by.",
        ),
        Reason.NO_FACE: (
            "No face was found",
            'try "numFaceImgUpsample": 2 or "faceDetModel": "cnn", and see that the faces are large enough.',
        ),
    }
    for reason, (what, todo) in advice.items():
        if counts.unnamed.get(reason, 0) >= least:
            yield f"{what} in {_photos(counts.unnamed[reason])} of known people: {todo}"


def _doubts(counts: EndToEndCounts, rate: float | None, same_moment: int) -> Iterator[str]:
    if counts.known and counts.known < FEW_KNOWN:
        low, high = Proportion(counts.right, counts.known).interval
        yield (
            f"Only {_photos(counts.known)} of known people tested: the share named rightly may be anything "
            f"from {low:.0%} to {high:.0%}. Test more."
        )
    if same_moment and same_moment >= NOTABLE_SHARE * counts.known:
        yield (
            f"Of the photos of known people, {same_moment:,} {'is' if same_moment == 1 else 'are'} of the "
            "same moment as an enrolled photo, so the result looks better than it is: test photos of other "
            "days."
        )
    strangers = Proportion(counts.strangers_named, counts.strangers)
    if not strangers.total:
        yield (
            "Without strangers, nothing is known of how often they would be named: put photos of them into "
            "dataset/Unknown, or download some with face-det fetch-lfw."
        )
    elif rate is not None and strangers.interval[0] <= rate < strangers.interval[1]:
        yield (
            f"Only {_photos(strangers.total)} of strangers tested, too few to show a falseAcceptRate of "
            f"{rate:.2%}: the share named may be up to {strangers.interval[1]:.2%}. Put more into "
            "dataset/Unknown."
        )


def _photos(count: int) -> str:
    return "1 photo" if count == 1 else f"{count:,} photos"
