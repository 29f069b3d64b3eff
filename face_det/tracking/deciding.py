"""Who a track is, decided from its best frames together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from face_det.recognition import Recognizer, name_once_per_frame
from face_det.tracking.tracks import EncodedFrame, LiveTrack
from face_det.types import Candidate, Face, Match, Outcome, Reason

TOO_POOR = "the person was never seen clearly enough to be told from others"
VOTES = 5
"""So many of the clearest frames are asked whether they agree with a name."""
CLEAR_QUALITY = 0.5
"""A frame in which the face has a lower quality, or none is known, does not confirm an answer."""


def decide_tracks(recognizer: Recognizer, tracks: Sequence[LiveTrack], min_quality: float) -> list[Match]:
    """Decide who each track is, as `Recognizer.match` decides about faces; the tracks were seen together.

    A track's encoding is fused from its best frames, and its quality is that of the best one. Where that is
    not named, the clearest face is asked about alone: a turned head may be seen clearly, and its encodings
    then draw the fused one away. These are two looks at one person, which is taken into account
    (`Recognizer.match`).

    A name also needs agreement, so that it does not come from one lucky frame: the VOTES clearest frames are
    asked, each on its own and as much as its quality counts. One that is named, or most resembles somebody,
    speaks for that person; one that is nobody's speaks against everybody. A track without a face of
    `min_quality` is uncertain, because poor faces resemble each other.
    """
    asked = [_questions(track) for track in tracks]
    faces = [face for questions in asked for face in (*questions.looks, *questions.votes)]
    looks = [
        count
        for questions in asked
        for count in [len(questions.looks)] * len(questions.looks) + [1] * len(questions.votes)
    ]
    # All at once, and each as if it were alone: asking takes longer than many answers.
    answers = iter(recognizer.match(faces, range(len(faces)), looks))
    matches = []
    for track, questions in zip(tracks, asked, strict=True):
        of_looks = [next(answers) for _ in questions.looks]
        for frame in _unasked(track):
            frame.alone = next(answers)
        named = (match for match in of_looks if match.outcome is Outcome.KNOWN)
        matches.append(next(named, of_looks[0]))
    once = name_once_per_frame(matches, [0] * len(tracks), [track.box for track in tracks])
    return [_checked(track, match, min_quality) for track, match in zip(tracks, once, strict=True)]


@dataclass(frozen=True, eq=False, slots=True)
class _Questions:
    """The faces of a track that are asked about: for its looks, of which the first counts most, and for the
    votes that have not been cast yet."""

    looks: Sequence[Face]
    votes: Sequence[Face]


def _questions(track: LiveTrack) -> _Questions:
    encoding = track.fused()
    if encoding is None:
        return _Questions([track.best], [])
    clearest = replace(track.encoded[0].face, box=track.box, reason=None)
    looks = [replace(clearest, encoding=encoding), clearest]
    return _Questions(looks[: len(track.encoded)], [frame.face for frame in _unasked(track)])


def _unasked(track: LiveTrack) -> list[EncodedFrame]:
    return [frame for frame in track.encoded[:VOTES] if frame.alone is None]


def _checked(track: LiveTrack, match: Match, min_quality: float) -> Match:
    if not track.encoded:
        return match
    if track.best.quality is not None and track.best.quality < min_quality:
        return Match(None, None, Reason.UNRECOGNISED, Outcome.UNCERTAIN, explanation=TOO_POOR)
    if match.outcome is not Outcome.KNOWN or match.name is None:
        return match
    if sum(_vote(frame, match.name) for frame in track.encoded[:VOTES]) > 0:
        return match
    candidates = match.candidates or (Candidate(match.name, match.probability or 0.0),)
    return replace(
        match, name=None, reason=Reason.UNRECOGNISED, outcome=Outcome.UNCERTAIN, candidates=candidates
    )


def count_agreeing(track: LiveTrack, match: Match) -> int:
    """Return in how many of its clearest frames the face has the track's answer on its own.

    At most VOTES frames are asked, when the track is decided. Only those count in which the face is clear
    (CLEAR_QUALITY).
    """
    named = match.outcome is Outcome.KNOWN
    return sum(
        frame.face.quality is not None
        and frame.face.quality >= CLEAR_QUALITY
        and frame.alone is not None
        and frame.alone.outcome is match.outcome
        and (frame.alone.name == match.name or not named)
        for frame in track.encoded[:VOTES]
    )


def _vote(frame: EncodedFrame, name: str) -> float:
    """Return how much a frame speaks for a name (above 0) or against it."""
    match, quality = frame.alone, frame.quality
    assert match is not None
    if match.outcome is Outcome.UNCERTAIN:
        if not match.candidates:
            return 0.0
        return quality / 2 if match.candidates[0].name == name else -quality / 2
    return quality if match.name == name else -quality
