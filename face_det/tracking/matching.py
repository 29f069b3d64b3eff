"""Assigns the faces of a frame to tracks: by place, and by encodings where place leaves a doubt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from face_det.engine import FaceEngine
from face_det.tracking.association import Costs, ambiguous_faces, assign, motion_costs
from face_det.tracking.searching import reach
from face_det.tracking.tracks import LiveTrack, Vector
from face_det.types import Face, Rgb

PLACE_WEIGHT = 0.2
"""What place still counts for where encodings decide."""
CONTRADICTION = 1.12
"""That many times the even distance apart, encodings show two people, wherever the faces are: for SFace, at a
cosine of 0.2, which two photos of one person hardly ever have, and nearly all pairs of strangers."""
CLEAR_QUALITY = 0.5
"""Encodings of worse faces neither contradict nor find a track again: poor faces resemble each other, and not
their own person."""


@dataclass(eq=False, slots=True)
class Matching:
    """The faces of one frame and the tracks they may continue.

    `covered` says which tracks were searched for. `even_distance` is the embedder's; None if it is not known,
    and place alone decides. `encoded` holds the faces that were encoded so far, by their positions among
    `faces`.
    """

    engine: FaceEngine
    rgb: Rgb
    faces: Sequence[Face]
    tracks: Sequence[LiveTrack]
    covered: Sequence[bool]
    time_s: float
    even_distance: float | None
    encoded: dict[int, Face] = field(default_factory=dict)
    _fused: list[Vector | None] = field(default_factory=list)

    def assign(self) -> dict[int, int]:
        """Return which face (its position) continues which track (its position); no others continue any.

        Faces are encoded if their place does not tell whose they are, if they are new, or if their track
        wants it.
        """
        self._fused = [track.fused() for track in self.tracks]
        costs = motion_costs(
            [track.predict(self.time_s) for track in self.tracks],
            [reach(track, self.time_s) for track in self.tracks],
            [face.box for face in self.faces],
        )
        doubtful = [row for row, track in enumerate(self.tracks) if track.unsure(self.time_s)]
        near_doubt = np.flatnonzero(np.isfinite(costs[doubtful]).any(axis=0)).tolist()
        self._encode({*ambiguous_faces(costs), *near_doubt})
        self._weigh(costs)
        pairs = self._in_turn(costs)
        wanted = [
            column
            for row, column in pairs.items()
            if self.tracks[row].wants_encoding(self.faces[column], self.time_s)
        ]
        self._encode(wanted)
        pairs = {row: column for row, column in pairs.items() if not self._contradicts(row, column)}
        self._encode({*range(len(self.faces))} - {*pairs.values()})
        pairs.update(self._found_again(pairs))
        return pairs

    def _encode(self, which: Iterable[int]) -> None:
        new = [at for at in sorted(which) if at not in self.encoded and self.faces[at].reason is None]
        if new:
            done = self.engine.encode(self.rgb, [self.faces[at] for at in new])
            self.encoded.update(zip(new, done, strict=True))

    def _distance(self, row: int, column: int) -> float | None:
        """Return how far apart a track's and a face's encodings are, in even distances; None if unknown."""
        fused, face = self._fused[row], self.encoded.get(column)
        if self.even_distance is None or fused is None or face is None or face.encoding is None:
            return None
        return float(np.linalg.norm(fused - face.encoding)) / self.even_distance

    def _both_clear(self, row: int, column: int) -> bool:
        qualities = (self.tracks[row].best.quality, self.encoded[column].quality)
        return all(quality is None or quality >= CLEAR_QUALITY for quality in qualities)

    def _contradicts(self, row: int, column: int) -> bool:
        """Tell whether the encodings surely are two people's."""
        distance = self._distance(row, column)
        return distance is not None and distance > CONTRADICTION and self._both_clear(row, column)

    def _weigh(self, costs: Costs) -> None:
        """Where a face was encoded, the encoding counts more than the place."""
        for row in range(len(self.tracks)):
            for column in self.encoded:
                distance = self._distance(row, column)
                if distance is None or not np.isfinite(costs[row, column]):
                    continue
                costs[row, column] = PLACE_WEIGHT * costs[row, column] + distance
                if self._contradicts(row, column):
                    costs[row, column] = np.inf

    def _in_turn(self, costs: Costs) -> dict[int, int]:
        """Assign faces to the tracks that the last search saw, then the rest to those that were lost."""
        pairs: dict[int, int] = {}
        for lost in (False, True):
            left = costs.copy()
            left[[row for row, track in enumerate(self.tracks) if track.seen is lost or row in pairs]] = (
                np.inf
            )
            left[:, list(pairs.values())] = np.inf
            pairs.update(assign(left))
        return pairs

    def _found_again(self, pairs: dict[int, int]) -> dict[int, int]:
        """Assign the faces that are left to tracks that they resemble, wherever they are."""
        costs = np.full((len(self.tracks), len(self.faces)), np.inf)
        for row, track in enumerate(self.tracks):
            for column in self.encoded:
                if row in pairs or column in pairs.values() or (track.seen and not self.covered[row]):
                    continue
                distance = self._distance(row, column)
                if distance is not None and distance <= 1 and self._both_clear(row, column):
                    costs[row, column] = distance
        return dict(assign(costs))
