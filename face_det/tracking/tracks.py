"""Tracks: what is known of one person's faces in consecutive frames."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from face_det.recognition import fuse_encodings
from face_det.tracking.association import box_side
from face_det.types import Box, Face, Match

Vector = npt.NDArray[np.float64]

MAX_FRAMES = 24
"""The encodings of so many of the best frames are kept."""
YOUNG_FRAMES = 3
"""A track seen in fewer frames is looked for in every one, until it is known how it moves."""
FIRST_ENCODINGS = 3
"""So many faces of a track are encoded in any case, one every ENCODE_PAUSE_S; a likely better one at once, as
long as none has WELL_SEEN_QUALITY."""
WELL_SEEN_QUALITY, WELL_SEEN_FACES = 0.8, 3
MAX_SOUGHT, SOUGHT_SHARE = 16, 0.75
"""Until WELL_SEEN_FACES of a track have WELL_SEEN_QUALITY, or MAX_SOUGHT were encoded, those faces are
encoded, too, that seem to have SOUGHT_SHARE of the best one's quality. Before the encoding, the quality is
only guessed: a frame that seemed clear may not have been, and a clearer one may seem no better."""
ENCODE_PAUSE_S = 0.19
"""A little less than passes between two searches, so that rounded times skip none."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 5.0
"""A face is encoded again after a second, two, four, then every five, to see that it still is the same."""
IMPROVEMENT = 0.1
"""A face is worth encoding if it makes up this share of what the best one lacks in quality."""
GOOD_ENOUGH = 0.95
"""Better faces than one of this quality are not worth encoding for that: they are recognised no better."""
SMOOTHING = 0.5
"""How much the latest movement counts for the velocity."""


@dataclass(frozen=True, eq=False, slots=True)
class TrackedFace:
    """A face that is being followed, in one frame.

    `track` is the track's number, from 1 on, never used again within a tracker. `box` is in pixels of the
    frame, predicted where `face` is None. `face` is what was measured in this frame, with an encoding if it
    was encoded. `match` is the track's answer so far, `frames` the number of frames that it was seen in.
    `is_best` says that this is the track's best face so far. `agreeing` is in how many clear frames the face
    alone has that answer, of the few that are asked.
    """

    track: int
    box: Box
    face: Face | None
    match: Match
    is_best: bool
    frames: int
    agreeing: int = 0


@dataclass(frozen=True, eq=False, slots=True)
class Track:
    """A track that has ended, or what is known of it so far.

    It was seen in `frames` frames from `first_s` to `last_s`, in seconds of the video or since 1970. `best`
    is its best face, seen at `best_s`. `encoding` is fused from its best faces, shape (dimensions,), and
    `norm` that of the best; None if no face was encoded. `fingerprint` is the embedder's. `seen_with` holds
    the numbers of tracks that were seen in a frame with it, which are other people. `agreeing` is as of a
    TrackedFace.
    """

    number: int
    first_s: float
    last_s: float
    frames: int
    match: Match
    best: Face
    best_s: float
    encoding: Vector | None
    norm: float | None
    fingerprint: str = ""
    seen_with: frozenset[int] = frozenset()
    agreeing: int = 0


@dataclass(eq=False, slots=True)
class EncodedFrame:
    """A frame of a track whose face was encoded. `alone` is what it is taken for on its own, once asked."""

    face: Face
    alone: Match | None = None

    @property
    def quality(self) -> float:
        """The quality of the face, 0..1; 1 if it is not known."""
        return 1.0 if self.face.quality is None else self.face.quality


@dataclass(eq=False, slots=True)
class LiveTrack:
    """A track that is being followed. `match` is None until it is decided, and again when that is due."""

    number: int
    box: Box
    first_s: float
    last_s: float
    last_frame: int
    """The number of the frame in which it was seen last."""
    best: Face
    best_s: float
    frames: int = 1
    looks: int = 1
    """The searches that found it."""
    missed: int = 0
    """The searches since that did not."""
    velocity: tuple[float, float] = (0.0, 0.0)
    """Pixels a second, across and down."""
    encoded: list[EncodedFrame] = field(default_factory=list)
    match: Match | None = None
    agreeing: int = 0
    """In how many clear frames the face alone has that answer."""
    doubtful: bool = False
    """True after it was near another track, until an encoding has said whose face it is."""
    seen_with: set[int] = field(default_factory=set)
    _guess: float = 0.0
    _encoded_s: float = -np.inf
    _encodings: int = 0

    @property
    def seen(self) -> bool:
        """True if the last search found it."""
        return not self.missed

    @property
    def young(self) -> bool:
        """True while it is not known how the face moves."""
        return self.looks < YOUNG_FRAMES

    def predict(self, time_s: float) -> Box:
        """Return where the face is expected at a time, in pixels of the frame: it goes on as it went."""
        ahead = max(time_s - self.last_s, 0.0)
        return self.box.shifted(self.velocity[0] * ahead, self.velocity[1] * ahead)

    def see(self, face: Face, time_s: float, frame: int) -> None:
        """Take account of a face that continues the track, in the frame of that number."""
        passed = time_s - self.last_s
        if passed > 0:
            before, box = self.box, face.box
            latest = (
                (box.xmin + box.xmax - before.xmin - before.xmax) / 2 / passed,
                (box.ymin + box.ymax - before.ymin - before.ymax) / 2 / passed,
            )
            share = 1.0 if self.looks == 1 else SMOOTHING
            self.velocity = (
                self.velocity[0] + share * (latest[0] - self.velocity[0]),
                self.velocity[1] + share * (latest[1] - self.velocity[1]),
            )
        self._count(time_s, frame)
        self.box, self.missed = face.box, 0
        self.looks += 1
        if not self.encoded and (face.quality or 0.0) > (self.best.quality or 0.0):
            self.best, self.best_s = face, time_s

    def stay(self, time_s: float, frame: int) -> None:
        """Take account of the frame of that number, in which nothing moved where the face is."""
        self._count(time_s, frame)
        self.velocity = (0.0, 0.0)

    def _count(self, time_s: float, frame: int) -> None:
        """Count the frames until this one, between which the face was there, unless it was lost meanwhile."""
        self.frames += frame - self.last_frame if self.seen else 1
        self.last_s, self.last_frame = max(time_s, self.last_s), frame

    def wants_encoding(self, face: Face, time_s: float) -> bool:
        """Tell whether a face is worth encoding: an early one, likely a clear one, or one in doubt."""
        if face.reason is not None:
            return False
        if not self.encoded or self.unsure(time_s):
            return True
        passed, guess = time_s - self._encoded_s, face.quality or 0.0
        likely_better = guess >= self._guess + IMPROVEMENT * (1 - self._guess)
        if passed < ENCODE_PAUSE_S:
            # The next search may not see it as well.
            return likely_better and self.encoded[0].quality < WELL_SEEN_QUALITY
        pause = min(FIRST_PAUSE_S * 2.0 ** (self._encodings - FIRST_ENCODINGS), LONGEST_PAUSE_S)
        return (
            self._encodings < FIRST_ENCODINGS
            or (likely_better and self._guess < GOOD_ENOUGH)
            or passed >= pause
            or (self._seeks_better and guess >= SOUGHT_SHARE * self._guess)
        )

    @property
    def _seeks_better(self) -> bool:
        well_seen = sum(one.quality >= WELL_SEEN_QUALITY for one in self.encoded)
        return well_seen < WELL_SEEN_FACES and self._encodings < MAX_SOUGHT

    def unsure(self, time_s: float) -> bool:
        """Tell whether an encoding must say if a face is this track's: it was near another one, and was not
        encoded a moment ago."""
        return self.doubtful and time_s - self._encoded_s >= ENCODE_PAUSE_S

    def add_encoded(self, found: Face, encoded: Face, time_s: float) -> bool:
        """Take account of an encoded face, `found` before it was; return whether it is the best so far."""
        first = not self.encoded
        self.encoded.append(EncodedFrame(replace(encoded, thumbnail=None)))
        self.encoded.sort(key=lambda one: -one.quality)
        del self.encoded[MAX_FRAMES:]
        self._guess, self._encoded_s = max(self._guess, found.quality or 0.0), time_s
        self._encodings += 1
        self.match, self.doubtful = None, False
        better = first or (encoded.quality or 0.0) > (self.best.quality or 0.0)
        if better:
            self.best, self.best_s = encoded, time_s
        return better

    def forget_encodings(self) -> None:
        """Start encoding anew: what was encoded is of another embedder."""
        self.encoded.clear()
        self.match, self.best = None, replace(self.best, encoding=None, norm=None)
        self._guess, self._encoded_s, self._encodings = 0.0, -np.inf, 0

    def fused(self) -> Vector | None:
        """Return one encoding for the best frames; None if no face was encoded."""
        if not self.encoded:
            return None
        encodings = [one.face.encoding for one in self.encoded if one.face.encoding is not None]
        return fuse_encodings([one.quality for one in self.encoded], encodings)

    def summary(self, fingerprint: str) -> Track:
        """Return what is known of the track."""
        assert self.match is not None
        return Track(
            self.number,
            self.first_s,
            self.last_s,
            self.frames,
            self.match,
            self.best,
            self.best_s,
            self.fused(),
            max((one.face.norm for one in self.encoded if one.face.norm is not None), default=None),
            fingerprint,
            frozenset(self.seen_with),
            self.agreeing,
        )


def note_seen_together(tracks: list[LiveTrack]) -> None:
    """Note that these tracks were seen in one frame."""
    for one, other in itertools.combinations(tracks, 2):
        one.seen_with.add(other.number)
        other.seen_with.add(one.number)


def touching(one: Box, other: Box, reach: float) -> bool:
    """Tell whether the centres of two boxes are nearer than `reach` sides of the larger one.

    >>> [touching(Box(0, 0, 10, 10), Box(left, 0, left + 10, 10), reach=1.5) for left in (12, 20)]
    [True, False]
    """
    across = (one.xmin + one.xmax - other.xmin - other.xmax) / 2
    down = (one.ymin + one.ymax - other.ymin - other.ymax) / 2
    return max(abs(across), abs(down)) < reach * max(box_side(one), box_side(other))
