"""Follows the faces of one camera or one video from frame to frame."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from face_det.embedders import EMBEDDERS, distance_thresholds, embedder_from_fingerprint
from face_det.engine import FaceEngine
from face_det.media import make_face_thumbnail
from face_det.recognition import Recognizer
from face_det.tracking.deciding import count_agreeing, decide_tracks
from face_det.tracking.matching import Matching
from face_det.tracking.motion import Glancer
from face_det.tracking.options import TrackingOptions
from face_det.tracking.searching import COARSE, Schedule, Search, search
from face_det.tracking.tracks import LiveTrack, Track, TrackedFace, note_seen_together, touching
from face_det.types import Face, Rgb

DEFAULT_OPTIONS = TrackingOptions()

LONGEST_PAUSES = 5
"""Where no frame came meanwhile, a track ends after that many times `lost_after_s`."""

CROSSING_REACH = 1.0
"""Two faces nearer than that many sides, which is when their boxes overlap, may be taken for each other."""
CROSSING_STEPS = 5
"""At so many moments since the last search it is asked how near two tracks came."""


class FaceTracker:
    """Follows the faces of one camera or one video. Not thread-safe.

    `recognizer` is asked at every frame, so that what is learnt counts from the next one on: the tracks are
    then decided again.
    """

    def __init__(
        self, recognizer: Callable[[], Recognizer], options: TrackingOptions = DEFAULT_OPTIONS
    ) -> None:
        self._ask = recognizer
        self._options = options
        self._recognizer: Recognizer | None = None
        self._fingerprint = ""
        self._even_distance: float | None = None
        self._glancer, self._schedule = Glancer(), Schedule(options)
        self._live: list[LiveTrack] = []
        self._ended: list[Track] = []
        self._number = 0
        self._frame = 0
        self._time_s = -np.inf

    def step(self, rgb: Rgb, time_s: float) -> list[TrackedFace]:
        """Follow the faces into the next frame, RGB uint8 (H, W, 3), at a time in seconds.

        Returns those that are seen, or that the last search saw. Raises BadImage if the frame crashed the
        engine's processes; the tracker can then go on with the next one.
        """
        recognizer = self._use(self._ask())
        cut = self._glancer.look(rgb)
        if cut or time_s < self._time_s:
            self._end(self._live)
        self._time_s = time_s
        self._end([track for track in self._live if self._is_over(track, time_s)])
        size = (rgb.shape[1], rgb.shape[0])
        plan = self._schedule.plan(time_s, self._glancer, self._live, cut=cut, size=size)
        self._frame += 1
        seen: dict[LiveTrack, tuple[Face, bool]] = {}
        if plan is not None:
            faces = search(recognizer.engine, rgb, plan, time_s)
            seen = self._follow(recognizer.engine, rgb, faces, plan, time_s)
        elif self._glancer.moved_since(COARSE) == []:
            self._stay(self._live, time_s)
        self._decide(recognizer)
        answers = []
        for track in self._live:
            if track.seen:
                face, is_best = seen.get(track, (None, False))
                box = track.predict(time_s) if face is None else face.box
                assert track.match is not None
                answers.append(
                    TrackedFace(track.number, box, face, track.match, is_best, track.frames, track.agreeing)
                )
        return answers

    def take_ended(self) -> list[Track]:
        """Return the tracks that ended since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def finish(self) -> list[Track]:
        """End all tracks, and return those that `take_ended` has not returned yet."""
        self._end(self._live)
        return self.take_ended()

    def _use(self, recognizer: Recognizer) -> Recognizer:
        if recognizer is self._recognizer:
            return recognizer
        self._recognizer = recognizer
        fingerprint = recognizer.engine.fingerprint
        for track in self._live:
            track.match = None
            for frame in track.encoded:
                frame.alone = None
            if fingerprint != self._fingerprint:
                track.forget_encodings()
        self._fingerprint = fingerprint
        embedder = embedder_from_fingerprint(fingerprint)
        known = embedder in EMBEDDERS and EMBEDDERS[embedder].thresholds is not None
        self._even_distance = distance_thresholds(embedder).even_distance if known else None
        return recognizer

    def _follow(
        self, engine: FaceEngine, rgb: Rgb, faces: Sequence[Face], plan: Search, time_s: float
    ) -> dict[LiveTrack, tuple[Face, bool]]:
        """Assign the faces to tracks, or begin some; return each track's face, and whether it is its best."""
        self._doubt_crossings(time_s)
        covered = [plan.covers(track, time_s) for track in self._live]
        matching = Matching(engine, rgb, faces, self._live, covered, time_s, self._even_distance)
        pairs = matching.assign()
        still = []
        for row, track in enumerate(self._live):
            if row in pairs:
                track.see(faces[pairs[row]], time_s, self._frame)
            elif covered[row]:
                track.missed += 1
            elif plan.regions:
                still.append(track)
        columns = {self._live[row]: column for row, column in pairs.items()}
        for column in sorted({*range(len(faces))} - {*pairs.values()}):
            columns[self._begin(faces[column], time_s)] = column
        seen = {}
        for track, column in columns.items():
            face, is_best = matching.encoded.get(column, faces[column]), False
            if face.encoding is not None:
                if self._options.thumbnail_px:
                    thumbnail = make_face_thumbnail(rgb, face.box, self._options.thumbnail_px)
                    face = replace(face, thumbnail=thumbnail)
                is_best = track.add_encoded(faces[column], face, time_s)
            seen[track] = (face, is_best)
        note_seen_together([*seen, *self._stay(still, time_s)])
        return seen

    def _begin(self, face: Face, time_s: float) -> LiveTrack:
        self._number += 1
        self._live.append(LiveTrack(self._number, face.box, time_s, time_s, self._frame, face, time_s))
        return self._live[-1]

    def _stay(self, tracks: Iterable[LiveTrack], time_s: float) -> list[LiveTrack]:
        """Where nothing moved, whoever was there still is: return those tracks."""
        still = [track for track in tracks if track.seen]
        for track in still:
            track.stay(time_s, self._frame)
        return still

    def _is_over(self, track: LiveTrack, time_s: float) -> bool:
        """Tell whether a track was not seen for too long; some cameras send a frame every few seconds."""
        most = self._options.lost_after_s * (LONGEST_PAUSES if track.seen else 1)
        return time_s - track.last_s > most

    def _doubt_crossings(self, time_s: float) -> None:
        """Mark the tracks as doubtful that come so near each other that one may be taken for the other."""
        for one, other in itertools.combinations(self._live, 2):
            last_s = min(one.last_s, other.last_s)
            moments = np.linspace(last_s, time_s, CROSSING_STEPS)
            if any(touching(one.predict(at), other.predict(at), CROSSING_REACH) for at in moments):
                one.doubtful = other.doubtful = True

    def _decide(self, recognizer: Recognizer) -> None:
        """Decide who the tracks are, all that are seen together, if one of them is due."""
        seen = [track for track in self._live if track.seen]
        due = [track for track in self._live if track.match is None]
        together = seen if any(track.seen for track in due) else []
        alone = [[track] for track in due if not track.seen]
        for tracks in ([together] if together else []) + alone:
            for track, match in zip(
                tracks, decide_tracks(recognizer, tracks, self._options.min_quality), strict=True
            ):
                track.match, track.agreeing = match, count_agreeing(track, match)

    def _end(self, tracks: Sequence[LiveTrack]) -> None:
        ending = list(tracks)
        if self._recognizer is not None:
            self._decide(self._recognizer)
        self._ended += [track.summary(self._fingerprint) for track in ending]
        self._live = [track for track in self._live if track not in ending]
