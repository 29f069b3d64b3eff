"""Who a track is, decided from its best frames together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from face_det.recognition import Recognizer
from face_det.tracking.tracks import LiveTrack
from face_det.types import Face, Match, Outcome, Reason

TOO_POOR = "the person was never seen clearly enough to be told from others"


def decide_tracks(recognizer: Recognizer, tracks: Sequence[LiveTrack], min_quality: float) -> list[Match]:
    """Decide who each track is, as `Recognizer.match` decides about faces; the tracks were seen together.

    A track's encoding is fused from its best frames, and its quality is that of the best one. A name also
    needs agreement: if half of these frames or more, each on its own, resemble somebody else or nobody, it is
    uncertain. A track without a face of `min_quality` is uncertain, because poor faces resemble each other.
    """
    matches = recognizer.match([_as_face(track) for track in tracks], [0] * len(tracks))
    return [
        _checked(recognizer, track, match, min_quality) for track, match in zip(tracks, matches, strict=True)
    ]


def _as_face(track: LiveTrack) -> Face:
    """Return the track as one face, with the fused encoding."""
    fused = track.fused()
    if fused is None:
        return track.best
    return replace(track.best, box=track.box, encoding=fused, reason=None)


def _checked(recognizer: Recognizer, track: LiveTrack, match: Match, min_quality: float) -> Match:
    if not track.encoded:
        return match
    if track.best.quality is not None and track.best.quality < min_quality:
        return Match(None, None, Reason.UNRECOGNISED, Outcome.UNCERTAIN, explanation=TOO_POOR)
    if match.outcome is not Outcome.KNOWN:
        return match
    votes = Counter(_votes(recognizer, track))
    others = sum(count for name, count in votes.items() if name != match.name)
    if others * 2 < votes.total():
        return match
    return replace(match, name=None, reason=Reason.UNRECOGNISED, outcome=Outcome.UNCERTAIN)


def _votes(recognizer: Recognizer, track: LiveTrack) -> list[str | None]:
    """Return whom each of the best frames, on its own, most resembles."""
    frames = track.best_frames()
    unasked = [frame for frame in frames if not frame.asked]
    faces = [frame.face for frame in unasked]
    for frame, match in zip(unasked, recognizer.match(faces, range(len(faces))), strict=True):
        likeliest = match.candidates[0].name if match.candidates else None
        frame.vote, frame.asked = match.name or likeliest, True
    return [frame.vote for frame in frames]
