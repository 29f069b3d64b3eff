"""When to search for faces, and where: in the whole frame, or around those that are followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from face_det.boxes import intersection_over_union
from face_det.engine import FaceEngine
from face_det.tracking.association import box_side
from face_det.tracking.motion import Glance
from face_det.tracking.options import TrackingOptions
from face_det.tracking.tracks import LiveTrack
from face_det.types import Box, Face, Rgb

LONGEST_STILL_S = 2.0
"""Where nothing moves, a search still follows after so many seconds."""
MARGIN = 1.0
"""A region reaches at least so many sides of the face beyond it."""
SAFE_RATIO = 1.3
"""A search for faces from so many pixels on surely finds those that many times as large."""
DUPLICATE_IOU = 0.4
"""Faces found in two searches of a frame that overlap more than this are one."""
EXHAUSTIVE_PAUSES = 0.4
"""Where every frame is searched, searches for all faces follow after this share of `full_every_s`."""
BASE_REACH, SPEED_REACH, YOUNG_REACH, LONGEST_REACH = 0.5, 3.0, 8.0, 2.5
"""In sides of a face, how far it may be from where it is predicted: at once, and more with each second, up to
a limit. Somebody who walks moves nine sides a second, which is not known yet while a track is young."""


@dataclass(frozen=True, slots=True)
class Search:
    """What to search: the whole frame for faces from `from_px` on (None: not), and around tracks."""

    from_px: float | None
    around: tuple[LiveTrack, ...]


def reach(track: LiveTrack, time_s: float) -> float:
    """Return how far from its predicted place a track's face may be, in sides of the face."""
    passed = max(time_s - track.last_s, 0.0)
    return min(BASE_REACH + (YOUNG_REACH if track.young else SPEED_REACH) * passed, LONGEST_REACH)


class Schedule:
    """Says for each frame what to search."""

    def __init__(self, options: TrackingOptions) -> None:
        self._options = options
        self._full_s = self._coarse_s = float("-inf")

    def plan(self, time_s: float, glance: Glance, tracks: Sequence[LiveTrack]) -> Search | None:
        """Return what to search in the frame at that time; None if nothing needs to be."""
        options = self._options
        pause = options.full_every_s * (EXHAUSTIVE_PAUSES if options.exhaustive else 1.0)
        if not glance.cut and 0 <= time_s - self._full_s < pause:
            return self._plan_coarse(time_s, glance, tracks)
        if not (glance.cut or glance.moved or options.exhaustive) and (
            0 <= time_s - self._full_s < LONGEST_STILL_S
        ):
            return None
        self._full_s = self._coarse_s = time_s
        return Search(options.search_from_px, ())

    def _plan_coarse(self, time_s: float, glance: Glance, tracks: Sequence[LiveTrack]) -> Search | None:
        options = self._options
        surely = SAFE_RATIO * options.coarse_from_px
        if options.exhaustive or (glance.moved and time_s - self._coarse_s >= options.search_every_s):
            self._coarse_s = time_s
            small = [track for track in tracks if track.seen and box_side(track.box) < surely]
            return Search(options.coarse_from_px, tuple(small))
        young = [track for track in tracks if track.seen and (track.young or track.doubtful)]
        return Search(None, tuple(young)) if young and glance.moved else None


def search(engine: FaceEngine, rgb: Rgb, plan: Search, time_s: float) -> list[Face]:
    """Find the faces that the plan asks for, best first; raises as `FaceEngine.find` does."""
    found: list[Face] = []
    if plan.from_px is not None:
        found += engine.find(rgb, from_px=plan.from_px)
    regions = _regions(plan.around, time_s)
    if regions:
        smallest = min(min(track.box.width, track.box.height) for track in plan.around)
        found += engine.find(rgb, regions, from_px=smallest / SAFE_RATIO)
    kept: list[Face] = []
    for face in sorted(found, key=lambda one: -one.score):
        if all(intersection_over_union(face.box, other.box) <= DUPLICATE_IOU for other in kept):
            kept.append(face)
    return kept


def _regions(tracks: Sequence[LiveTrack], time_s: float) -> list[Box]:
    """Return boxes around where the tracks are expected, of which no two overlap."""
    regions: list[Box] = []
    for track in tracks:
        box = track.predict(time_s)
        margin = box_side(box) * max(MARGIN, reach(track, time_s) + 0.25)
        region = Box(box.xmin - margin, box.ymin - margin, box.xmax + margin, box.ymax + margin)
        while hit := next((one for one in regions if intersection_over_union(one, region) > 0), None):
            regions.remove(hit)
            region = Box(
                min(hit.xmin, region.xmin),
                min(hit.ymin, region.ymin),
                max(hit.xmax, region.xmax),
                max(hit.ymax, region.ymax),
            )
        regions.append(region)
    return regions
