"""When to search for faces, and where: in the whole frame, where something moved, or around tracks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from face_det.boxes import intersection_over_union
from face_det.engine import FaceEngine
from face_det.tracking.association import box_side
from face_det.tracking.motion import Glancer
from face_det.tracking.options import TrackingOptions
from face_det.tracking.tracks import LiveTrack
from face_det.types import Box, Face, Rgb

WHOLE_EVERY_S = 4.0
"""So often the whole frame is searched, wherever something moved."""
WHOLE_SHARE = 0.8
"""Where regions make up more than this share of the frame, the whole frame is searched."""
MARGIN = 1.0
"""The region around a face reaches at least so many of its sides beyond it."""
SAFE_RATIO = 1.3
"""A search for faces from so many pixels on surely finds those that many times as large."""
DUPLICATE_IOU = 0.4
"""Faces found in two searches of a frame that overlap more than this are one."""
CUT_OFF = 0.02
"""A face whose box ends within this share of its side at the edge of a region may go on beyond it."""
FOLLOW_MISSED = 3
"""A small face is searched for where it is expected until it was missed so many times."""
EXHAUSTIVE_PAUSES = 0.4
"""Where every frame is searched, searches for all faces follow after this share of `full_every_s`."""
BASE_REACH, SPEED_REACH, YOUNG_REACH, LONGEST_REACH = 0.5, 3.0, 8.0, 2.5
"""In sides of a face, how far it may be from where it is predicted: at once, and more with each second, up to
a limit. Somebody who walks moves nine sides a second, which is not known yet while a track is young."""
FULL, COARSE = "full", "coarse"


@dataclass(frozen=True, slots=True)
class Search:
    """What to search: `regions` (None: the whole frame) for faces from `from_px` on, and around tracks."""

    from_px: float
    regions: tuple[Box, ...] | None
    around: tuple[LiveTrack, ...] = ()

    def covers(self, track: LiveTrack, time_s: float) -> bool:
        """Tell whether a track would be found, were its face there."""
        if self.regions is None or track in self.around:
            return True
        return any(
            _holds_middle(region, box)
            for region in self.regions
            for box in (track.box, track.predict(time_s))
        )


def reach(track: LiveTrack, time_s: float) -> float:
    """Return how far from its predicted place a track's face may be, in sides of the face."""
    passed = max(time_s - track.last_s, 0.0)
    return min(BASE_REACH + (YOUNG_REACH if track.young else SPEED_REACH) * passed, LONGEST_REACH)


class Schedule:
    """Says for each frame what to search."""

    def __init__(self, options: TrackingOptions) -> None:
        self._options = options
        self._whole_s = self._full_s = self._coarse_s = float("-inf")

    def plan(
        self,
        time_s: float,
        glancer: Glancer,
        tracks: Sequence[LiveTrack],
        *,
        cut: bool,
        size: tuple[int, int],
    ) -> Search | None:
        """Return what to search in the frame of that size (width, height); None if nothing needs to be."""
        options = self._options
        pause = options.full_every_s * (EXHAUSTIVE_PAUSES if options.exhaustive else 1.0)
        if cut or not 0 <= time_s - self._full_s < pause:
            whole = cut or options.exhaustive or not 0 <= time_s - self._whole_s < WHOLE_EVERY_S
            moved = None if whole else glancer.moved_since(FULL)
            if moved != []:
                self._full_s = self._coarse_s = time_s
                self._whole_s = time_s if moved is None else self._whole_s
                glancer.mark(FULL, COARSE)
                return Search(options.search_from_px, self._regions(moved, tracks, time_s, size))
        return self._plan_coarse(time_s, glancer, tracks, size)

    def _plan_coarse(
        self, time_s: float, glancer: Glancer, tracks: Sequence[LiveTrack], size: tuple[int, int]
    ) -> Search | None:
        options = self._options
        from_px = max(options.coarse_from_px, options.search_from_px)
        moved = None if options.exhaustive else glancer.moved_since(COARSE)
        if moved == []:
            return None
        if options.exhaustive or time_s - self._coarse_s >= options.search_every_s:
            self._coarse_s = time_s
            glancer.mark(COARSE)
            surely = SAFE_RATIO * from_px
            small = [one for one in tracks if one.missed <= FOLLOW_MISSED and box_side(one.box) < surely]
            return Search(from_px, self._regions(moved, tracks, time_s, size), tuple(small))
        quick = [track for track in tracks if track.seen and (track.young or track.doubtful)]
        return Search(from_px, (), tuple(quick)) if quick else None

    def _regions(
        self, moved: list[Box] | None, tracks: Sequence[LiveTrack], time_s: float, size: tuple[int, int]
    ) -> tuple[Box, ...] | None:
        """Return the regions to search: where something moved, and all of the faces of which a part did."""
        if moved is None:
            return None
        faces = [region_around(track, time_s) for track in tracks if track.seen]
        moving = [face for face in faces if any(intersection_over_union(face, box) > 0 for box in moved)]
        regions = merge_regions([*moved, *moving])
        visible = [region.clipped(size[0], size[1]) for region in regions]
        area = sum(region.width * region.height for region in visible)
        return None if area > WHOLE_SHARE * size[0] * size[1] else tuple(regions)


def search(engine: FaceEngine, rgb: Rgb, plan: Search, time_s: float) -> list[Face]:
    """Find the faces that the plan asks for, best first; raises as `FaceEngine.find` does."""
    if plan.regions is None:
        found = [*engine.find(rgb, from_px=plan.from_px)]
    else:
        found = _find_within(engine, rgb, plan.regions, plan.from_px)
    if plan.around:
        regions = merge_regions(region_around(track, time_s) for track in plan.around)
        smallest = min(track.box.shorter_side for track in plan.around)
        found += _find_within(engine, rgb, regions, smallest / SAFE_RATIO)
    kept: list[Face] = []
    for face in sorted(found, key=lambda one: -one.score):
        if all(intersection_over_union(face.box, other.box) <= DUPLICATE_IOU for other in kept):
            kept.append(face)
    return kept


def _find_within(engine: FaceEngine, rgb: Rgb, regions: Sequence[Box], from_px: float) -> list[Face]:
    """Find the faces that lie wholly within a region."""
    found = engine.find(rgb, regions, from_px) if regions else ()
    height, width = rgb.shape[:2]
    return [face for face in found if any(_is_whole(face.box, region, width, height) for region in regions)]


def _is_whole(face: Box, region: Box, width: int, height: int) -> bool:
    """Tell whether a face lies in a region and does not end at an edge of it, but for the frame's edges."""
    slack = CUT_OFF * box_side(face)
    return (
        face.xmin >= (region.xmin + slack if region.xmin > 0 else 0)
        and face.ymin >= (region.ymin + slack if region.ymin > 0 else 0)
        and face.xmax <= (region.xmax - slack if region.xmax < width else width)
        and face.ymax <= (region.ymax - slack if region.ymax < height else height)
    )


def _holds_middle(region: Box, face: Box) -> bool:
    across, down = (face.xmin + face.xmax) / 2, (face.ymin + face.ymax) / 2
    return region.xmin <= across <= region.xmax and region.ymin <= down <= region.ymax


def region_around(track: LiveTrack, time_s: float) -> Box:
    """Return where a track's face may be at that time, with what a detector needs to see around it."""
    box = track.predict(time_s)
    margin = box_side(box) * max(MARGIN, reach(track, time_s) + 0.25)
    return Box(box.xmin - margin, box.ymin - margin, box.xmax + margin, box.ymax + margin)


def merge_regions(boxes: Iterable[Box]) -> list[Box]:
    """Return boxes that cover the same and of which no two overlap.

    >>> merge_regions([Box(0, 0, 10, 10), Box(20, 0, 30, 10), Box(5, 5, 15, 15)])
    [Box(xmin=20, ymin=0, xmax=30, ymax=10), Box(xmin=0, ymin=0, xmax=15, ymax=15)]
    """
    regions: list[Box] = []
    for region in boxes:
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
