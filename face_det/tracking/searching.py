"""When to search for faces, and where: in the whole frame, where something moved, or around tracks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from face_det.boxes import intersection_over_union
from face_det.engine import FaceEngine
from face_det.tracking.association import box_side
from face_det.tracking.motion import SLOW_LEVELS, Glancer
from face_det.tracking.options import TrackingOptions
from face_det.tracking.tracks import LiveTrack
from face_det.types import Box, Face, Rgb

SLOW_EVERY_S = 4.0
"""So often all is searched that has changed since it was last asked, however little: slow movements and
those in the dark add up."""
WHOLE_EVERY_S = 20.0
"""So often the whole frame is searched, wherever something changed."""
WHOLE_SHARE = 0.8
"""Where regions make up more than this share of the frame, the whole frame is searched."""
MARGIN = 1.0
"""The region around a face reaches at least so many of its sides beyond it."""
SAFE_RATIO = 1.3
"""A search for faces from so many pixels on surely finds those that many times as large."""
DUPLICATE_IOU = 0.4
"""Faces found in two searches of a frame that overlap more than this are one."""
PART_SHARE = 0.6
"""What looks like a face, but lies with this share of its area in a larger one, is a part of that, which a
region has cut."""
EXPECTED_IOU = 0.5
"""A face that overlaps this much with where a track's is expected is the track's."""
CUT_OFF = 0.02
"""A face whose box ends within this share of its side at the edge of a region may go on beyond it."""
FOLLOW_MISSED = 3
"""A small face is searched for where it is expected until it was missed so many times."""
EXHAUSTIVE_PAUSES = 0.4
"""Where every frame is searched, searches for all faces follow after this share of `full_every_s`."""
BASE_REACH, SPEED_REACH, YOUNG_REACH, LONGEST_REACH = 0.5, 3.0, 8.0, 2.5
"""In sides of a face, how far it may be from where it is predicted: at once, and more with each second, up to
a limit. Somebody who walks moves nine sides a second, which is not known yet while a track is young."""
FULL, COARSE, SLOW = "full", "coarse", "slow"


@dataclass(frozen=True, slots=True)
class Search:
    """What to search: `regions` (None: the whole frame) for faces from `from_px` on, and around tracks.

    Around tracks, faces are searched for from the size of the smallest one on, but at least from
    `around_from_px` on.
    """

    from_px: float
    regions: tuple[Box, ...] | None
    around: tuple[LiveTrack, ...] = ()
    around_from_px: float = math.inf

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
        self._whole_s = self._slow_s = self._full_s = self._coarse_s = float("-inf")

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
            slow = whole or not 0 <= time_s - self._slow_s < SLOW_EVERY_S
            moved = None if whole else _moved(glancer, slow=slow)
            if moved != []:
                self._full_s = self._coarse_s = time_s
                self._slow_s = time_s if slow else self._slow_s
                self._whole_s = time_s if moved is None else self._whole_s
                glancer.mark(FULL, COARSE, *([SLOW] if slow else []))
                return self._full(moved, tracks, time_s, size)
        return self._plan_coarse(time_s, glancer, tracks, size)

    def _full(
        self, moved: list[Box] | None, tracks: Sequence[LiveTrack], time_s: float, size: tuple[int, int]
    ) -> Search:
        """Return a search for all faces where something moved.

        Small faces need the frame's full size, which takes four times as long as half of it. Only they are
        searched for at that size in the surroundings of tracks, which are much larger than what moved where
        frames come once a second.
        """
        from_px, coarse_px = self._options.search_from_px, self._coarse_px
        small = [track for track in tracks if box_side(track.box) < SAFE_RATIO * coarse_px]
        regions = _regions(moved, small, time_s, size)
        if regions is None or coarse_px <= from_px:
            return Search(from_px, _regions(moved, tracks, time_s, size))
        large = [track for track in tracks if track not in small and track.seen]
        around = [track for track in large if _moves(track, regions, time_s)]
        return Search(from_px, regions, tuple(around), coarse_px)

    @property
    def _coarse_px(self) -> float:
        return max(self._options.coarse_from_px, self._options.search_from_px)

    def _plan_coarse(
        self, time_s: float, glancer: Glancer, tracks: Sequence[LiveTrack], size: tuple[int, int]
    ) -> Search | None:
        options, from_px = self._options, self._coarse_px
        moved = None if options.exhaustive else glancer.moved_since(COARSE)
        if moved == []:
            return None
        if options.exhaustive or time_s - self._coarse_s >= options.search_every_s:
            self._coarse_s = time_s
            glancer.mark(COARSE)
            surely = SAFE_RATIO * from_px
            small = [one for one in tracks if one.missed <= FOLLOW_MISSED and box_side(one.box) < surely]
            return Search(from_px, _regions(moved, tracks, time_s, size), tuple(small))
        quick = [track for track in tracks if track.seen and (track.young or track.doubtful)]
        return Search(from_px, (), tuple(quick)) if quick else None


def _moved(glancer: Glancer, *, slow: bool) -> list[Box] | None:
    """Return where something moved since the last search for all faces; None if that is not known.

    `slow` asks as well what has changed a little since that was last asked.
    """
    moved = glancer.moved_since(FULL)
    if moved is None or not slow:
        return moved
    crept = glancer.moved_since(SLOW, SLOW_LEVELS)
    return None if crept is None else [*moved, *crept]


def _regions(
    moved: list[Box] | None, tracks: Sequence[LiveTrack], time_s: float, size: tuple[int, int]
) -> tuple[Box, ...] | None:
    """Return the regions to search: where something moved, and all of the faces of which a part did."""
    if moved is None:
        return None
    moving = [region_around(track, time_s) for track in tracks if track.seen and _moves(track, moved, time_s)]
    regions = merge_regions([*moved, *moving])
    visible = [region.clipped(size[0], size[1]) for region in regions]
    area = sum(region.width * region.height for region in visible)
    return None if area > WHOLE_SHARE * size[0] * size[1] else tuple(regions)


def _moves(track: LiveTrack, moved: Sequence[Box], time_s: float) -> bool:
    """Tell whether something moved where a track's face may be."""
    region = region_around(track, time_s)
    return any(intersection_over_union(region, box) > 0 for box in moved)


def search(engine: FaceEngine, rgb: Rgb, plan: Search, time_s: float) -> list[Face]:
    """Find the faces that the plan asks for, best first; raises as `FaceEngine.find` does."""
    if plan.regions is None:
        found = [*engine.find(rgb, from_px=plan.from_px)]
    else:
        found = _find_within(engine, rgb, plan.regions, plan.from_px)
    around = _still_sought(plan, found, time_s)
    if around:
        regions = merge_regions(region_around(track, time_s) for track in around)
        near = _find_within(engine, rgb, regions, _around_px(plan, around))
        found = [face for face in found if not any(_is_part(face.box, whole.box) for whole in near)] + near
    kept: list[Face] = []
    for face in sorted(found, key=lambda one: -one.score):
        if all(intersection_over_union(face.box, other.box) <= DUPLICATE_IOU for other in kept):
            kept.append(face)
    return kept


def _around_px(plan: Search, tracks: Sequence[LiveTrack]) -> float:
    """Return from which size on faces are searched for around these tracks."""
    smallest = min(track.box.shorter_side for track in tracks)
    return min(smallest / SAFE_RATIO, plan.around_from_px)


def _still_sought(plan: Search, found: Sequence[Face], time_s: float) -> list[LiveTrack]:
    """Return the tracks to search around: not those whose faces are found where expected.

    A face stands for one track only. What moved is mostly the person, whose surroundings are much larger.
    """
    if not plan.around or plan.from_px > _around_px(plan, plan.around):
        return [*plan.around]
    left, sought = [*found], []
    for track in plan.around:
        expected = track.predict(time_s)
        face = max(left, key=lambda one: intersection_over_union(one.box, expected), default=None)
        if face is None or intersection_over_union(face.box, expected) < EXPECTED_IOU or track.doubtful:
            sought.append(track)
        else:
            left.remove(face)
    return sought


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


def _is_part(part: Box, whole: Box) -> bool:
    """Tell whether what was found lies in a larger face, and is not the same one."""
    width = min(part.xmax, whole.xmax) - max(part.xmin, whole.xmin)
    height = min(part.ymax, whole.ymax) - max(part.ymin, whole.ymin)
    if width <= 0 or height <= 0 or width * height < PART_SHARE * part.width * part.height:
        return False
    return intersection_over_union(part, whole) <= DUPLICATE_IOU


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
