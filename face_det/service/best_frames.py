"""Which frames of a track are remembered: the best few, and what stands for somebody who stays."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from face_det.service.memory import FollowedFace, Memory, WholePicture
from face_det.sightings import AGREEING_FRAMES, MAX_VISIT_S, SeenPicture
from face_det.tracking import Track, TrackedFace
from face_det.types import Box, Face, Match, Outcome

SETTLE_S = 1.0
"""Whoever is not recognised is remembered after so long, or at the end: the first frames are seldom good."""
MAX_REMEMBERED = 4
"""The most frames of a track that are remembered for being better; as many again for another answer."""
CLEARLY_BETTER = 0.1
"""So much higher must the quality be of a frame that is remembered after another one."""
RENEWED_AFTER_S = MAX_VISIT_S
"""Somebody who stays is remembered anew after so long, when the visit ends."""

Picture = Callable[[], "WholePicture | None"]


def no_picture() -> None:
    """Make no whole picture."""


@dataclass(frozen=True, eq=False, slots=True)
class Moment:
    """A frame: when and where it was taken, what its caller calls it, and whose encodings its faces have.

    `picture` makes the whole picture, if such are kept. With `remember` false, nothing of it is remembered.
    """

    time: float
    camera: str | None
    caller: str
    frame: str | None
    fingerprint: str
    picture: Picture
    remember: bool = True


@dataclass(eq=False, slots=True)
class _Followed:
    """A track: its best face since one was remembered, and what was remembered of it."""

    first: float
    match: Match
    frames: int = 1
    best: Face | None = None
    moment: Moment | None = None
    latest: tuple[Face, Moment] | None = None
    picture: WholePicture | None = None
    since: float | None = None
    """The time of the first frame that was remembered, or anew."""
    quality: float = 0.0
    answer: tuple[Outcome | None, str | None] | None = None
    left: int = MAX_REMEMBERED
    answers_left: int = MAX_REMEMBERED
    agreeing: int = 0
    """In how many clear frames the face alone has the track's answer."""
    remembered_agreeing: int = 0
    """The same, as of the frame that was remembered last."""

    def offer(self, face: Face, moment: Moment) -> None:
        """Take a face that was encoded, if it is the best since the last one that was remembered."""
        # Without the frame itself, which would be kept in memory.
        kept = replace(moment, picture=no_picture)
        self.latest = face, kept
        if self.best is None or (face.quality or 0.0) > (self.best.quality or 0.0):
            self.best, self.moment, self.picture = face, kept, moment.picture()

    def due(self, now: float) -> bool:
        """Tell whether the best face is to be remembered now."""
        if self.best is None:
            return False
        if self.since is None:
            return self.match.outcome is Outcome.KNOWN or now - self.first >= SETTLE_S
        if self._outlasts():
            return True
        if _answer(self.match) != self.answer:
            return self.answers_left > 0
        if (
            self.match.outcome is Outcome.KNOWN
            and self.remembered_agreeing < AGREEING_FRAMES <= self.agreeing
        ):
            # Whoever opens doors waits for a second frame that agrees.
            return True
        return self.left > 0 and (self.best.quality or 0.0) >= self.quality + CLEARLY_BETTER

    def _outlasts(self) -> bool:
        """Tell whether the face was seen again since the visit ended in which it was remembered."""
        if self.since is None or self.latest is None:
            return False
        return self.latest[1].time - self.since > RENEWED_AFTER_S

    def take(self) -> tuple[Moment, Face, WholePicture | None]:
        """Count the best face as remembered, and return it."""
        if self._outlasts() and self.latest is not None:
            self.since, self.picture = None, None
            self.best, self.moment = self.latest
        assert self.best is not None
        assert self.moment is not None
        if self.since is None:
            self.since, self.quality = self.moment.time, 0.0
            self.left = self.answers_left = MAX_REMEMBERED
        self.remembered_agreeing = self.agreeing
        changed = self.answer is not None and _answer(self.match) != self.answer
        self.answers_left -= changed
        self.left -= not changed
        self.answer, self.quality = _answer(self.match), max(self.quality, self.best.quality or 0.0)
        taken = self.moment, self.best, self.picture
        self.best = self.moment = self.picture = None
        return taken


class BestFrames:
    """Remembers the tracks of one tracker. Not thread-safe; `memory` returns the one in use, or None.

    If it is `listed`, `remembered` has the track, the time and the box of each face that is. Unless it is
    `live`, no frames are said to agree: nothing may open for whoever is seen in a recording.
    """

    def __init__(
        self, memory: Callable[[], Memory | None], *, listed: bool = False, live: bool = True
    ) -> None:
        self._memory = memory
        self._listed, self._live = listed, live
        self.remembered: list[tuple[int, float, Box]] = []
        # Tells the tracks of this tracker from those of any other, also after a restart.
        self._prefix = secrets.token_hex(6)
        self._followed: dict[int, _Followed] = {}
        self._said = 0.0

    def add(self, tracked: Sequence[TrackedFace], moment: Moment) -> None:
        """Take account of a frame."""
        memory = self._memory()
        if memory is None or not moment.remember:
            return
        for one in tracked:
            followed = self._followed.setdefault(one.track, _Followed(moment.time, one.match))
            followed.match, followed.frames = one.match, one.frames
            followed.agreeing = one.agreeing if self._live else 0
            if one.face is not None and one.face.encoding is not None:
                followed.offer(one.face, moment)
        here = [one.track for one in tracked]
        due = [track for track in here if self._followed[track].due(moment.time)]
        if due:
            self._hand_over(due, here)
            self._said = moment.time
        self._prolong(memory, here, moment)

    def end(self, tracks: Sequence[Track]) -> None:
        """Remember tracks that ended before they were, and forget them here."""
        for track in tracks:
            followed = self._followed.get(track.number)
            if followed is None:
                continue
            followed.match, followed.frames = track.match, track.frames
            followed.agreeing = track.agreeing if self._live else 0
            if followed.since is None and followed.best is not None:
                beside = [number for number in track.seen_with if number in self._followed]
                self._hand_over([track.number], [track.number, *beside])
        for track in tracks:
            self._followed.pop(track.number, None)

    def _hand_over(self, due: Sequence[int], here: Sequence[int]) -> None:
        """Remember these tracks, those whose best faces are of one frame together."""
        memory = self._memory()
        if memory is None:
            return
        taken = [(track, *self._followed[track].take()) for track in due]
        taken.sort(key=lambda one: one[1].time)
        for _, together in groupby(taken, key=lambda one: one[1].time):
            group = list(together)
            moment, picture = group[0][1], group[0][3]
            faces = [
                FollowedFace(face, followed.match, self._name(track), followed.frames, followed.agreeing)
                for track, _, face, _ in group
                for followed in (self._followed[track],)
            ]
            others = [self._name(track) for track in here if track not in {one[0] for one in group}]
            memory.remember_followed(_where(moment, moment.time, others), faces, picture)
            if self._listed:
                self.remembered += [(track, moment.time, face.box) for track, _, face, _ in group]

    def _prolong(self, memory: Memory, here: Sequence[int], moment: Moment) -> None:
        """Say from time to time that those who were remembered are still there: their visit goes on."""
        there = [self._name(track) for track in here if self._followed[track].since is not None]
        if there and abs(moment.time - self._said) > memory.store.options.visit_gap_s / 3:
            memory.remember_followed(_where(moment, moment.time, there), ())
            self._said = moment.time

    def _name(self, track: int) -> str:
        return f"{self._prefix}:{track}"


def _where(moment: Moment, time: float, beside: Sequence[str]) -> SeenPicture:
    place = (moment.camera, moment.caller, moment.frame, moment.fingerprint)
    return SeenPicture(time, *place, (), beside=tuple(beside))


def _answer(match: Match) -> tuple[Outcome | None, str | None]:
    return match.outcome, match.name
