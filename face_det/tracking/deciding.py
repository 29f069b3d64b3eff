"""Who a track is, decided from its best frames together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from face_det.recognition import Recognizer
from face_det.tracking.tracks import EncodedFrame, LiveTrack
from face_det.types import Candidate, Face, Match, Outcome, Reason

TOO_POOR = "the person was never seen clearly enough to be told from others"
VOTES = 5
"""So many of the clearest frames are asked whether they agree with a name."""
LOOKS = 2
"""The fused encoding and that of the clearest face: either may name somebody."""
CLEAR_QUALITY = 0.5
"""A frame in which the face has a lower quality, or none is known, does not confirm an answer."""


def decide_tracks(recognizer: Recognizer, tracks: Sequence[LiveTrack], min_quality: float) -> list[Match]:
    """Decide who each track is, as `Recognizer.match` decides about faces; the tracks were seen together.

    A track's encoding is fused from its best frames, and its quality is that of the best one. Where that is
    not named, the clearest face is asked about alone: a turned head may be seen clearly, and its encodings
    then draw the fused one away. These are two looks at one person, which is taken into account (`looks`).

    A name also needs agreement, so that it does not come from one lucky frame: the VOTES clearest frames are
    asked, each on its own and as much as its quality counts. One that is named, or most resembles somebody,
    speaks for that person; one that is nobody's speaks against everybody. A track without a face of
    `min_quality` is uncertain, because poor faces resemble each other.
    """
    looks = [min(max(len(track.encoded), 1), LOOKS) for track in tracks]
    faces = [_as_face(recognizer, track, count) for track, count in zip(tracks, looks, strict=True)]
    matches = recognizer.match(faces, [0] * len(tracks), looks)
    return [
        _checked(recognizer, track, match, min_quality) for track, match in zip(tracks, matches, strict=True)
    ]


def _as_face(recognizer: Recognizer, track: LiveTrack, looks: int) -> Face:
    """Return the track as one face: with the fused encoding, or that of the clearest face if it alone is
    named."""
    encoding = track.fused()
    if encoding is None:
        return track.best
    clearest = replace(track.encoded[0].face, box=track.box, reason=None)
    fused = replace(clearest, encoding=encoding)
    if looks > 1:
        for face in (fused, clearest):
            if recognizer.match([face], [0], [looks])[0].outcome is Outcome.KNOWN:
                return face
    return fused


def _checked(recognizer: Recognizer, track: LiveTrack, match: Match, min_quality: float) -> Match:
    if not track.encoded:
        return match
    if track.best.quality is not None and track.best.quality < min_quality:
        return Match(None, None, Reason.UNRECOGNISED, Outcome.UNCERTAIN, explanation=TOO_POOR)
    if match.outcome is not Outcome.KNOWN or match.name is None:
        return match
    if sum(_vote(one, match.name) for one in _asked(recognizer, track)) > 0:
        return match
    candidates = match.candidates or (Candidate(match.name, match.probability or 0.0),)
    return replace(
        match, name=None, reason=Reason.UNRECOGNISED, outcome=Outcome.UNCERTAIN, candidates=candidates
    )


def count_agreeing(recognizer: Recognizer, track: LiveTrack, match: Match) -> int:
    """Return in how many of its clearest frames the face has the track's answer on its own.

    At most VOTES frames are asked. Only those count in which the face is clear (CLEAR_QUALITY).
    """
    named = match.outcome is Outcome.KNOWN
    return sum(
        frame.face.quality is not None
        and frame.face.quality >= CLEAR_QUALITY
        and frame.alone is not None
        and frame.alone.outcome is match.outcome
        and (frame.alone.name == match.name or not named)
        for frame in _asked(recognizer, track)
    )


def _asked(recognizer: Recognizer, track: LiveTrack) -> list[EncodedFrame]:
    """Return the clearest frames, with what each is taken for on its own."""
    frames = track.encoded[:VOTES]
    unasked = [frame for frame in frames if frame.alone is None]
    faces = [frame.face for frame in unasked]
    for frame, match in zip(unasked, recognizer.match(faces, range(len(faces))), strict=True):
        frame.alone = match
    return frames


def _vote(frame: EncodedFrame, name: str) -> float:
    """Return how much a frame speaks for a name (above 0) or against it."""
    match, quality = frame.alone, frame.quality
    assert match is not None
    if match.outcome is Outcome.UNCERTAIN:
        if not match.candidates:
            return 0.0
        return quality / 2 if match.candidates[0].name == name else -quality / 2
    return quality if match.name == name else -quality
