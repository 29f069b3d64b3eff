"""What moves is seen in a small picture, noise is not; faces that a region cuts are not taken for others."""

from __future__ import annotations

import numpy as np
import pytest
from toy_faces import ToyEngine, toy_frame

from face_det.tracking.motion import Glancer
from face_det.tracking.options import TrackingOptions
from face_det.tracking.searching import Schedule, Search, search
from face_det.tracking.tracks import LiveTrack
from face_det.types import Box, Face, Rgb


def grey(width: int = 640, height: int = 360, level: int = 100) -> Rgb:
    return np.full((height, width, 3), level, np.uint8)


def live(box: Box, time_s: float = 0.0) -> LiveTrack:
    """A track that was seen once."""
    return LiveTrack(1, box, time_s, time_s, 0, Face(box, 0.9, 100.0, None, None), time_s)


def test_noise_is_no_movement_and_no_cut() -> None:
    """Neither that of a sensor nor a lamp's slow flicker."""
    rng = np.random.default_rng(2)
    glancer = Glancer()
    for number in range(10):
        noisy = np.clip(grey() + rng.normal(0, 8, grey().shape) + number % 3, 0, 255).astype(np.uint8)
        assert not glancer.look(noisy)
        if not number:
            glancer.mark("here")
        assert glancer.moved_since("here") == []


def test_movements_are_boxes_with_a_margin() -> None:
    """Those far apart are two; where nothing was marked, nothing is known."""
    glancer = Glancer()
    assert not glancer.look(grey())
    assert glancer.moved_since("here") is None
    glancer.mark("here")
    moved = grey()
    moved[100:160, 50:90] = 200
    moved[200:240, 500:560] = 30
    assert not glancer.look(moved)
    left, right = glancer.moved_since("here") or []
    assert left.xmin < 40 < 100 < left.xmax < 150
    assert left.ymin < 90 < 170 < left.ymax < 220
    assert right.xmin < 490 < 570 < right.xmax
    assert glancer.look(grey(320, 180))
    assert glancer.moved_since("here") is None


@pytest.mark.parametrize("size", [(1, 1), (4, 3), (3000, 20)])
def test_frames_of_any_size_can_be_looked_at(size: tuple[int, int]) -> None:
    """However small."""
    glancer = Glancer()
    glancer.look(grey(*size))
    glancer.mark("here")
    assert glancer.moved_since("here") == []
    assert glancer.look(grey(*size, level=250))


def test_a_face_that_a_region_cuts_is_left_to_others() -> None:
    """Half of a face would be taken for another one; at the frame's own edge it is all there is."""
    engine = ToyEngine()
    frame = toy_frame((1, 100, 100), (2, -10, 200))
    cut, whole, edge = Box(60, 60, 130, 200), Box(60, 60, 180, 200), Box(-50, 150, 100, 300)
    assert search(engine, frame, Search(20, (cut,)), 0.0) == []
    (found,) = search(engine, frame, Search(20, (whole,)), 0.0)
    assert found.box == Box(100, 100, 140, 140)
    (found,) = search(engine, frame, Search(20, (edge,)), 0.0)
    assert found.box == Box(0, 200, 30, 240)


def test_a_face_that_is_found_twice_is_one() -> None:
    """In the whole frame, and around its track."""
    engine = ToyEngine()
    track = live(Box(100, 100, 140, 140))
    assert len(search(engine, toy_frame((1, 100, 100)), Search(20, None, (track,)), 0.1)) == 1


def test_between_searches_only_the_young_are_searched_for() -> None:
    """Until it is known how they move; and nobody where nothing moves."""
    schedule, glancer, track = Schedule(TrackingOptions()), Glancer(), live(Box(100, 100, 140, 140))

    def plan(frame: Rgb, time_s: float) -> Search | None:
        cut = glancer.look(frame)
        return schedule.plan(time_s, glancer, [track], cut=cut, size=(640, 360))

    first = plan(toy_frame((1, 100, 100)), 0.0)
    assert first is not None
    assert first.regions is None
    assert plan(toy_frame((1, 100, 100)), 0.04) is None
    young = plan(toy_frame((1, 120, 100)), 0.08)
    assert young is not None
    assert (young.regions, young.around) == ((), (track,))
    track.looks = 10
    assert plan(toy_frame((1, 140, 100)), 0.12) is None
    coarse = plan(toy_frame((1, 160, 100)), 0.3)
    assert coarse is not None
    (region,) = coarse.regions or ()
    assert region.xmin < 100 < 200 < region.xmax < 400


def test_what_lies_outside_the_frame_is_not_searched() -> None:
    """A region around a large face at the edge does not make the whole frame worth a search."""
    schedule, glancer = Schedule(TrackingOptions()), Glancer()
    track = live(Box(0, 0, 150, 150))
    track.looks = 10

    def plan(frame: Rgb, time_s: float) -> Search | None:
        track.last_s = time_s
        return schedule.plan(time_s, glancer, [track], cut=glancer.look(frame), size=(640, 360))

    assert plan(grey(), 0.0) is not None
    moved = grey()
    moved[20:140, 20:140] = 200
    coarse = plan(moved, 0.3)
    assert coarse is not None
    (region,) = coarse.regions or ()
    assert region.width * region.height > 0.8 * 640 * 360


def test_around_a_large_face_small_ones_are_not_searched_for() -> None:
    """At full size only what moved is searched; a large face of which a part moved is looked for coarsely."""
    schedule, glancer = Schedule(TrackingOptions()), Glancer()
    large, small = live(Box(50, 50, 130, 130)), live(Box(500, 50, 530, 80))

    def plan(frame: Rgb, time_s: float) -> Search | None:
        large.last_s = small.last_s = time_s
        large.looks = small.looks = 10
        return schedule.plan(time_s, glancer, [large, small], cut=glancer.look(frame), size=(640, 360))

    assert plan(grey(), 0.0) is not None
    moved = grey()
    moved[110:125, 60:110] = moved[70:76, 505:525] = 200
    full = plan(moved, 1.0)
    assert full is not None
    assert (full.from_px, full.around, full.around_from_px) == (24.0, (large,), 48.0)
    left, right = sorted(full.regions or (), key=lambda region: region.xmin)
    assert left.ymin > 50
    assert left.xmax < 160
    assert right.xmin <= 470
    assert right.xmax >= 560
    assert full.covers(large, 1.0)
    assert full.covers(small, 1.0)


def test_a_part_of_a_large_face_is_no_other_face() -> None:
    """The region that cuts it would show one; beside it, there may be somebody."""
    engine = ToyEngine()
    frame = toy_frame((2, 120, 120), (3, 300, 120))
    large = np.full((160, 160, 3), (1, 140, 0), np.uint8)
    large[40:80, 40:80] = frame[120:160, 120:160]
    frame[80:240, 80:240] = large
    region = Box(100, 100, 400, 200)
    assert len(search(engine, frame, Search(20, (region,)), 0.0)) == 2
    track = live(Box(80, 80, 240, 240))
    found = search(engine, frame, Search(20, (region,), (track,), 48.0), 0.0)
    assert sorted(face.box.xmin for face in found) == [80, 300]


@pytest.mark.parametrize(
    ("left", "doubtful", "others", "searches"),
    [(104, False, [], 1), (190, False, [], 2), (104, True, [], 2), (104, False, [110], 2)],
    ids=["where expected", "elsewhere", "after a crossing", "two for one face"],
)
def test_who_is_where_expected_is_not_searched_for_again(
    left: int, doubtful: bool, others: list[int], searches: int
) -> None:
    """A face found where something moved is its track's, unless it may be another one's."""
    engine = ToyEngine()
    frame = toy_frame()
    frame[100:180, left : left + 80] = (1, 140, 0)
    tracks = [live(Box(x, 100, x + 80, 180)) for x in (100, *others)]
    tracks[0].doubtful = doubtful
    plan = Search(24, (Box(60, 60, 300, 220),), tuple(tracks), 48.0)
    (found,) = search(engine, frame, plan, 0.5)
    assert found.box == Box(left, 100, left + 80, 180)
    assert len(engine.detector.searched) == searches


def test_slow_changes_add_up_and_nothing_is_left_out_for_long() -> None:
    """What changes too little in a second is searched after four; every twenty seconds everything is."""
    schedule, glancer = Schedule(TrackingOptions()), Glancer()
    slow, rest = Box(60, 110, 100, 150), Box(300, 20, 340, 60)
    searched = []
    for second in range(22):
        frame = grey()
        frame[100:160, 50:110] += np.uint8(2 * second)
        frame[280:300, 500 + 40 * (second % 2) :] = 250  # something that moves all the time
        found = schedule.plan(float(second), glancer, [], cut=glancer.look(frame), size=(640, 360))
        assert found is not None
        searched.append([found.covers(live(box), float(second)) for box in (slow, rest)])
    assert [at for at, (crept, _) in enumerate(searched) if crept] == [0, 4, 8, 12, 16, 20]
    assert [at for at, (_, still) in enumerate(searched) if still] == [0, 20]


def test_a_better_face_than_a_clear_one_is_not_encoded() -> None:
    """It would be recognised no better; better than a poor one it is."""
    for best, wanted in ((0.97, False), (0.6, True)):
        track = live(Box(100, 100, 140, 140))
        for time_s in (0.0, 0.3, 0.6):
            face = Face(track.box, 0.9, 100.0, None, np.ones(4), quality=best)
            track.add_encoded(face, face, time_s)
        assert track.wants_encoding(Face(track.box, 0.9, 100.0, None, None, quality=0.99), 1.0) is wanted
        assert track.wants_encoding(Face(track.box, 0.9, 100.0, None, None, quality=0.3), 1.7)
