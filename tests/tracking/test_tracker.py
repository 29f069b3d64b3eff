"""Faces are followed: through crossings, gaps and cuts, and with few searches and encodings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from toy_faces import MEAN_FACE, POOR, ToyEngine, toy_encoding, toy_frame, toy_recognizer

from face_det.errors import BadImage
from face_det.recognition import Recognizer
from face_det.tracking import FaceTracker, Track, TrackedFace, TrackingOptions
from face_det.types import Box, Face, Outcome, Rgb

FPS = 10


@pytest.fixture
def engine() -> ToyEngine:
    """Networks for squares."""
    return ToyEngine()


@pytest.fixture
def tracker(engine: ToyEngine) -> FaceTracker:
    """Nobody is enrolled."""
    stranger = toy_recognizer(engine)
    return FaceTracker(lambda: stranger)


def play(
    tracker: FaceTracker, frames: Sequence[Rgb], start_s: float = 0.0, fps: float = FPS
) -> list[list[TrackedFace]]:
    """Show frames to a tracker."""
    return [tracker.step(frame, start_s + number / fps) for number, frame in enumerate(frames)]


def numbers(seen: list[list[TrackedFace]], who: int, frames: Sequence[Rgb]) -> set[int]:
    """The numbers of the tracks that lie over somebody where nobody else is."""
    found = set()
    for faces, frame in zip(seen, frames, strict=True):
        for face in faces:
            x, y = int((face.box.xmin + face.box.xmax) / 2), int((face.box.ymin + face.box.ymax) / 2)
            if face.face is not None and frame[min(y, 359), min(x, 639), 0] == who:
                found.add(face.track)
    return found


def test_two_who_cross_keep_their_tracks(tracker: FaceTracker) -> None:
    """They go on as they went, one behind the other for a moment."""
    frames = [toy_frame((1, 20 + 15 * at, 100), (2, 560 - 15 * at, 105), photo=at % 3) for at in range(36)]
    seen = play(tracker, frames)
    first, second = (numbers(seen, who, frames) for who in (1, 2))
    assert len(first) == len(second) == 1
    assert first != second
    assert len(tracker.finish()) == 2


@pytest.mark.parametrize("steps", range(17, 20))
def test_two_who_meet_and_turn_back_keep_their_tracks(tracker: FaceTracker, steps: int) -> None:
    """By their movement they would have crossed: the encodings tell that they did not."""
    way = [(at, 100) for at in range(steps)] + [(at, 112) for at in range(steps - 2, -1, -1)]
    frames = [toy_frame((1, 20 + 15 * at, top), (2, 560 - 15 * at, top), photo=at % 3) for at, top in way]
    seen = play(tracker, frames, fps=25)
    first, second = (numbers(seen, who, frames) for who in (1, 2))
    assert len(first) == len(second) == 1
    assert first != second


def test_somebody_hidden_for_a_moment_is_found_again(tracker: FaceTracker) -> None:
    """Also elsewhere than expected; who is away for longer begins another track."""
    here, there = toy_frame((1, 100, 100)), toy_frame((1, 400, 250), photo=1)
    nobody = toy_frame()
    play(tracker, [here] * 5 + [nobody] * 10 + [there] * 15)
    assert tracker.take_ended() == []
    play(tracker, [nobody] * 25 + [here] * 5, start_s=3.0)
    (ended,) = tracker.take_ended()
    assert (ended.number, ended.first_s) == (1, 0.0)
    assert ended.last_s == pytest.approx(2.9, abs=0.2)
    assert [track.number for track in tracker.finish()] == [2]


def test_somebody_else_in_the_same_place_is_another_track(tracker: FaceTracker) -> None:
    """The encoding says so, although the place is the same, at once as well as after a moment."""
    for away in ([], [toy_frame()] * 5):
        frames = [toy_frame((1, 100, 100))] * 8 + away + [toy_frame((2, 102, 100))] * 15
        play(tracker, frames, start_s=0.0 if not away else 100.0)
        tracks = tracker.finish()
        assert len(tracks) == 2
        assert tracks[0].encoding is not None
        assert tracks[1].encoding is not None
        assert float(tracks[0].encoding @ tracks[1].encoding) < 0.6


def test_a_camera_may_send_a_frame_every_few_seconds(tracker: FaceTracker) -> None:
    """Who is there in each is one track; after a long pause it is another."""
    frames = [toy_frame((1, 100 + 5 * at, 100), photo=at) for at in range(4)]
    play(tracker, frames, fps=1 / 4)
    play(tracker, frames, start_s=100, fps=1 / 4)
    assert [(track.number, track.frames) for track in tracker.finish()] == [(1, 4), (2, 4)]


def test_frames_that_were_not_searched_count(tracker: FaceTracker) -> None:
    """For somebody who stands still as well as for somebody who walks, whoever else there is."""
    play(
        tracker, [toy_frame((1, 100, 100), *([(2, 200 + 9 * at, 250)] if at > 9 else [])) for at in range(40)]
    )
    assert [track.frames for track in tracker.finish()] == pytest.approx([40, 30], abs=3)


def test_a_cut_ends_the_tracks(tracker: FaceTracker) -> None:
    """The next scene begins others, though somebody stands in the same place."""
    play(tracker, [toy_frame((1, 100, 100))] * 5 + [toy_frame((1, 100, 100), background=200)] * 5)
    (ended,) = tracker.take_ended()
    assert ended.number == 1
    assert [track.number for track in tracker.finish()] == [2]


def test_a_clock_that_is_set_back_ends_the_tracks(tracker: FaceTracker) -> None:
    """Nothing is predicted over such a step."""
    play(tracker, [toy_frame((1, 100, 100))] * 5, start_s=50)
    play(tracker, [toy_frame((1, 100, 100))] * 5, start_s=20)
    assert [(track.number, track.first_s) for track in tracker.finish()] == [(1, 50), (2, 20)]


def summaries(engine: ToyEngine, frames: Sequence[Rgb], *, exhaustive: bool, fps: float = 25) -> list[Track]:
    """The tracks of a clip."""
    known = toy_recognizer(engine, 1, 2)
    tracker = FaceTracker(lambda: known, TrackingOptions(exhaustive=exhaustive))
    play(tracker, frames, fps=fps)
    return tracker.finish()


def test_most_frames_are_not_searched(engine: ToyEngine) -> None:
    """Exhaustively each is, and the people are the same."""
    frames = [
        toy_frame((1, 20 + 5 * at, 100), *([(2, 500 - 4 * at, 250)] if at > 30 else []), photo=at % 4)
        for at in range(100)
    ]
    quick = summaries(engine, frames, exhaustive=False)
    pixels = sum(width * height for width, height in engine.detector.searched)
    assert pixels <= len(frames) * 640 * 360 / 10
    engine.detector.searched.clear()
    every = summaries(engine, frames, exhaustive=True)
    assert len(engine.detector.searched) >= len(frames)
    told = [[(track.number, track.match.name) for track in tracks] for tracks in (quick, every)]
    assert told[0] == told[1] == [(1, "Person 1"), (2, "Person 2")]
    for one, other in zip(quick, every, strict=True):
        # Small faces are searched for once a second.
        assert one.frames == pytest.approx(other.frames, abs=27)


def test_a_still_picture_is_hardly_searched_and_hardly_encoded(engine: ToyEngine) -> None:
    """The face stays where it is meanwhile."""
    (track,) = summaries(engine, [toy_frame((1, 100, 100))] * 250, exhaustive=False)
    assert len(engine.detector.searched) <= 10
    assert engine.embedder.encoded <= 8
    assert track.last_s >= 8
    assert track.match.name == "Person 1"


def test_a_face_is_encoded_again_when_it_is_better(engine: ToyEngine) -> None:
    """Somebody comes nearer: the last faces are the best, and few of all are encoded."""
    frames = []
    for at in range(100):
        frame = toy_frame()
        side = 20 + 2 * at
        frame[50 : 50 + side, 100 + at : 100 + at + side] = (1, 60 + at, at % 5)
        frames.append(frame)
    (track,) = summaries(engine, frames, exhaustive=False)
    assert track.best_s > 3
    assert track.norm is not None
    assert track.norm > 14
    assert 4 <= engine.embedder.encoded <= 25


def test_who_is_enrolled_meanwhile_is_named_from_the_next_frame_on(engine: ToyEngine) -> None:
    """And nobody is once the model is gone. A new embedder encodes anew."""
    current = [toy_recognizer(engine)]
    tracker = FaceTracker(lambda: current[0])
    frame = toy_frame((1, 100, 100))
    play(tracker, [frame] * 5)
    answers = []
    for number, enrolled in enumerate([(), (1, 2), ()]):
        current[0] = toy_recognizer(engine, *enrolled)
        (face,) = tracker.step(frame, 0.5 + number / FPS)
        answers.append(face.match.name)
    assert answers == [None, "Person 1", None]
    other = ToyEngine("sface:other")
    current[0] = toy_recognizer(other, 1, 2)
    for number in range(15):
        (face,) = tracker.step(toy_frame((1, 101 + number, 100)), 0.8 + number / FPS)
    assert face.match.name == "Person 1"
    assert other.embedder.encoded > 0
    (track,) = tracker.finish()
    assert track.fingerprint == "sface:other"


def test_the_best_face_is_told_once(engine: ToyEngine) -> None:
    """`is_best` comes with an encoding, and with a thumbnail if they are asked for."""
    known = toy_recognizer(engine, 1, 2)
    tracker = FaceTracker(lambda: known, TrackingOptions(thumbnail_px=32))
    faces = [face for (face,) in play(tracker, [toy_frame((1, 100 + at, 100)) for at in range(20)])]
    best = [face for face in faces if face.is_best]
    assert 1 <= len(best) <= 4
    for face in best:
        assert face.face is not None
        assert face.face.encoding is not None
        assert face.face.thumbnail is not None
        assert face.face.thumbnail.startswith(b"\xff\xd8")
    assert [face.frames for face in faces] == sorted(face.frames for face in faces)
    assert {face.match.outcome for face in faces} == {Outcome.KNOWN}


def test_a_name_needs_more_than_a_lucky_frame(engine: ToyEngine) -> None:
    """One frame resembles somebody enrolled, and is the clearest; the other good ones do not."""
    known = toy_recognizer(engine, 1, 2)
    tracker = FaceTracker(lambda: known)
    lucky = MEAN_FACE + 0.55 * (toy_encoding(1) - MEAN_FACE) + 0.75 * (toy_encoding(3) - MEAN_FACE)
    engine.embedder.told[3, 9] = lucky / np.linalg.norm(lucky)
    one = Face(Box(0, 0, 40, 40), 0.9, 500.0, None, engine.embedder.told[3, 9], 20.0, 0.99)
    assert known.match([one], [0])[0].name == "Person 1"
    frames = [toy_frame((3, 100 + 5 * at, 100), photo=at % 9) for at in range(25)]
    frames += [toy_frame((3, 230 + 5 * at, 100), norm=200, photo=9) for at in range(25)]
    seen = play(tracker, frames)
    assert "Person 1" not in {face.match.name for faces in seen for face in faces}
    (track,) = tracker.finish()
    assert track.norm == 20


def test_a_poor_face_gets_no_name(engine: ToyEngine) -> None:
    """Its encoding is just like the enrolled ones, but backs of heads can be, too."""
    known = toy_recognizer(engine, 1, 2)
    tracker = FaceTracker(lambda: known)
    play(tracker, [toy_frame((1, 100 + at, 100), norm=POOR) for at in range(20)])
    (track,) = tracker.finish()
    assert track.match.name is None
    assert track.match.outcome is Outcome.UNCERTAIN
    assert track.match.explanation is not None


def test_after_a_bad_frame_it_goes_on(engine: ToyEngine) -> None:
    """A frame that crashes the engine's processes is refused; the tracks go on with the next one."""

    class Crashing(ToyEngine):
        def find(
            self, rgb: Rgb, regions: Sequence[Box] | None = None, from_px: float = 0.0
        ) -> tuple[Face, ...]:
            if rgb[0, 0, 2] == 1:
                raise BadImage("image: crashed the process that looked at it, twice")
            return super().find(rgb, regions, from_px)

    stranger = Recognizer(Crashing(), None)
    tracker = FaceTracker(lambda: stranger)
    play(tracker, [toy_frame((1, 100 + at, 100)) for at in range(5)])
    bad = toy_frame((1, 160, 100))
    bad[0, 0, 2] = 1
    with pytest.raises(BadImage):
        tracker.step(bad, 0.7)
    play(tracker, [toy_frame((1, 110 + at, 100)) for at in range(5)], start_s=1.0)
    (track,) = tracker.finish()
    assert track.last_s >= 1.0
    assert np.isfinite(track.best.box.xmin)
