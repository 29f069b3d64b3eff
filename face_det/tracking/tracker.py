"""Follows the faces of one camera or one video from frame to frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from face_det.embedders import EMBEDDERS, distance_thresholds, embedder_from_fingerprint
from face_det.media import make_face_thumbnail
from face_det.recognition import Recognizer
from face_det.tracking.association import Costs, ambiguous_faces, assign, motion_costs
from face_det.tracking.deciding import decide_tracks
from face_det.tracking.motion import Glancer
from face_det.tracking.options import TrackingOptions
from face_det.tracking.searching import Schedule, Search, reach, search
from face_det.tracking.tracks import LiveTrack, Track, TrackedFace, Vector, note_seen_together, touching
from face_det.types import Face, Rgb

DEFAULT_OPTIONS = TrackingOptions()

CROSSING_REACH = 1.5
"""Two tracks nearer than that many sides may be taken for each other."""


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
        self._unsearched = 0
        self._time_s = -np.inf

    def step(self, rgb: Rgb, time_s: float) -> list[TrackedFace]:
        """Follow the faces into the next frame, RGB uint8 (H, W, 3), at a time in seconds.

        Returns those that are seen, or that the last search saw. Raises BadImage if the frame crashed the
        engine's processes; the tracker can then go on with the next one.
        """
        recognizer = self._use(self._ask())
        glance = self._glancer.look(rgb)
        if glance.cut or time_s < self._time_s:
            self._end(self._live)
        self._time_s = time_s
        self._end([track for track in self._live if time_s - track.last_s > self._options.lost_after_s])
        plan = self._schedule.plan(time_s, glance, self._live)
        self._unsearched += 1
        seen: dict[LiveTrack, tuple[Face, bool]] = {}
        if plan is not None:
            faces = search(recognizer.engine, rgb, plan, time_s)
            self._glancer.mark_searched()
            seen = self._follow(recognizer, rgb, faces, plan, time_s)
        self._decide(recognizer)
        answers = []
        for track in self._live:
            if track.seen:
                face, is_best = seen.get(track, (None, False))
                box = track.predict(time_s) if face is None else face.box
                assert track.match is not None
                answers.append(TrackedFace(track.number, box, face, track.match, is_best, track.frames))
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
                frame.asked = False
            if fingerprint != self._fingerprint:
                track.forget_encodings()
        self._fingerprint = fingerprint
        embedder = embedder_from_fingerprint(fingerprint)
        known = embedder in EMBEDDERS and EMBEDDERS[embedder].thresholds is not None
        self._even_distance = distance_thresholds(embedder).even_distance if known else None
        return recognizer

    def _follow(
        self, recognizer: Recognizer, rgb: Rgb, faces: list[Face], plan: Search, time_s: float
    ) -> dict[LiveTrack, tuple[Face, bool]]:
        """Assign the faces to tracks, or begin some; return each track's face, and whether it is its best."""
        searched = self._live if plan.from_px is not None else list(plan.around)
        costs = motion_costs(
            [track.predict(time_s) for track in self._live],
            [reach(track, time_s) for track in self._live],
            [face.box for face in faces],
        )
        encoded: dict[int, Face] = {}

        def encode(which: Sequence[int]) -> None:
            new = [index for index in which if index not in encoded and faces[index].reason is None]
            done = recognizer.engine.encode(rgb, [faces[index] for index in new]) if new else []
            encoded.update((index, face) for index, face in zip(new, done, strict=True))

        doubtful = [row for row, track in enumerate(self._live) if track.doubtful]
        unclear = {
            *ambiguous_faces(costs),
            *np.flatnonzero(np.isfinite(costs[doubtful]).any(axis=0)).tolist(),
        }
        encode(sorted(unclear))
        self._weigh(costs, encoded)
        pairs = self._assign_in_turn(costs)
        self._find_again(faces, pairs, encode, encoded)
        wanting = [
            column for row, column in pairs.items() if self._live[row].wants_encoding(faces[column], time_s)
        ]
        encode(wanting)
        seen: dict[LiveTrack, tuple[Face, bool]] = {}
        taken = set(pairs.values())
        tracks = {self._live[row]: column for row, column in pairs.items()}
        for track in searched:
            if track not in tracks:
                track.missed += 1
        for column, face in enumerate(faces):
            if column not in taken:
                tracks[self._begin(face, time_s)] = column
        for track, column in tracks.items():
            fresh = track.looks == 1 and track not in self._live
            if fresh:
                self._live.append(track)
            else:
                track.see(faces[column], time_s, self._unsearched)
            face, is_best = encoded.get(column, faces[column]), False
            if face.encoding is not None:
                if self._options.thumbnail_px:
                    thumbnail = make_face_thumbnail(rgb, face.box, self._options.thumbnail_px)
                    face = replace(face, thumbnail=thumbnail)
                is_best = track.add_encoded(faces[column], face, time_s)
            seen[track] = (face, is_best)
        self._unsearched = 0
        note_seen_together(list(seen))
        self._mark_crossings(encoded, tracks)
        return seen

    def _begin(self, face: Face, time_s: float) -> LiveTrack:
        self._number += 1
        return LiveTrack(self._number, face.box, time_s, time_s, face, time_s)

    def _weigh(self, costs: Costs, encoded: dict[int, Face]) -> None:
        """Where a face was encoded, the encoding says more than the place."""
        if self._even_distance is None:
            return
        for row, track in enumerate(self._live):
            fused = track.fused()
            for column, face in encoded.items():
                if fused is None or face.encoding is None or not np.isfinite(costs[row, column]):
                    continue
                costs[row, column] = 0.2 * costs[row, column] + _distance(fused, face) / self._even_distance

    def _assign_in_turn(self, costs: Costs) -> dict[int, int]:
        """Assign faces to the tracks that the last search saw, then the rest to those that were lost."""
        pairs: dict[int, int] = {}
        for lost in (False, True):
            left = costs.copy()
            left[[row for row, track in enumerate(self._live) if track.seen is lost or row in pairs]] = np.inf
            left[:, list(pairs.values())] = np.inf
            pairs.update(assign(left))
        return pairs

    def _find_again(
        self,
        faces: Sequence[Face],
        pairs: dict[int, int],
        encode: Callable[[Sequence[int]], None],
        encoded: dict[int, Face],
    ) -> None:
        """Encode the faces that continue no track; add those of a track that is not seen otherwise."""
        new = [column for column in range(len(faces)) if column not in pairs.values()]
        encode(new)
        if self._even_distance is None:
            return
        costs = np.full((len(self._live), len(faces)), np.inf)
        for row, track in enumerate(self._live):
            fused = track.fused()
            if row in pairs or fused is None:
                continue
            for column in new:
                face = encoded.get(column)
                if face is not None and face.encoding is not None and (face.quality or 0.0) > 0.3:
                    distance = _distance(fused, face) / self._even_distance
                    costs[row, column] = distance if distance <= 1 else np.inf
        pairs.update(assign(costs))

    def _mark_crossings(self, encoded: dict[int, Face], tracks: dict[LiveTrack, int]) -> None:
        """Mark tracks that are near each other as doubtful, until each stands alone and is encoded."""
        for track in self._live:
            near = any(
                touching(track.box, other.box, CROSSING_REACH) for other in self._live if other is not track
            )
            if near:
                track.doubtful = True
            elif track.doubtful and tracks.get(track) in encoded:
                track.doubtful = False

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
                track.match = match

    def _end(self, tracks: Sequence[LiveTrack]) -> None:
        ending = list(tracks)
        if self._recognizer is not None:
            self._decide(self._recognizer)
        self._ended += [track.summary(self._fingerprint) for track in ending]
        self._live = [track for track in self._live if track not in ending]


def _distance(fused: Vector, face: Face) -> float:
    assert face.encoding is not None
    return float(np.linalg.norm(fused - face.encoding))
