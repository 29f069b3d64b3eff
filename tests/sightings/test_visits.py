"""Visits: faces of one camera close in time, and one event for a person in each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from running import eventually
from seen import NOON, FakeTime, always, face, names_told, opened, person, picture, rows, value

from face_det.sightings import SightingStore


def show(one: SightingStore, time: float, name: str | None = "anna", take: int = 0, **fields: Any) -> None:
    known = {"time": NOON + time, **fields}
    one.record(picture(face(person(1, take), name), **known))


def visits(one: SightingStore) -> list[tuple[float, float]]:
    return [(row["begun"] - NOON, row["last"] - NOON) for row in rows(one, "SELECT * FROM visit ORDER BY id")]


def test_the_gap_ends_a_visit(tmp_path: Path) -> None:
    """Exactly the gap apart is still one visit, a little more begins another: one event each."""
    with opened(tmp_path, visit_gap_s=60) as one:
        for time in (0, 60, 120, 180.5):
            show(one, time)
        assert visits(one) == [(0, 120), (180.5, 180.5)]
        assert names_told(one) == ["anna", "anna"]


def test_other_cameras_and_callers_are_other_visits(tmp_path: Path) -> None:
    """Without a camera, the caller stands for one."""
    with opened(tmp_path) as one:
        for fields in ({}, {"camera": "b"}, {"camera": None}, {"camera": None, "caller": "uid 2"}):
            show(one, 0, **fields)
            show(one, 1, **fields)
        assert visits(one) == [(0, 1)] * 4
        assert names_told(one) == ["anna"] * 4


def test_a_clock_that_is_set_back_loses_nothing(tmp_path: Path) -> None:
    """An earlier time begins another visit; both end, with an event for each."""
    time = FakeTime()
    with opened(tmp_path, time) as one:
        show(one, 5000)
        show(one, 0)
        show(one, 10)
        assert visits(one) == [(5000, 5000), (0, 10)]
        assert names_told(one) == ["anna", "anna"]
        time.go_on(61)
        query = "SELECT visit FROM event WHERE type = 'visit_ended' ORDER BY seq"
        eventually(lambda: [row["visit"] for row in rows(one, query)] == [1, 2])


def test_two_sources_of_one_camera_that_take_turns_make_a_visit_each(tmp_path: Path) -> None:
    """Their clocks differ by an hour, ahead or behind; each tells of anna once, also across a restart."""
    for turn in range(4):
        with opened(tmp_path) as one:
            for source in (0, 3600, -3600):
                show(one, source + turn)
            assert visits(one) == [(at, at + turn) for at in (0, 3600, -3600)]
            assert names_told(one) == ["anna"] * 3


def test_of_many_times_at_one_camera_the_newest_go_on(tmp_path: Path) -> None:
    """Photos of a year, all with one camera's name, do not pile up in memory: visits end."""
    with opened(tmp_path) as one:
        for day in range(20):
            show(one, 86_400 * day)
        one.flush()
        ended = [row["visit"] for row in rows(one, "SELECT visit FROM event WHERE type = 'visit_ended'")]
        assert ended == list(range(1, 17))
        show(one, 86_400 * 16 + 1)
        show(one, 1)
        assert visits(one)[-4:] == [(86_400 * at, 86_400 * at) for at in (17, 18, 19)] + [(1, 1)]


def test_a_very_long_visit_is_ended_by_the_next(tmp_path: Path) -> None:
    """At once, not after the gap: it is the same visit, of which there is one event an hour."""
    with opened(tmp_path) as one:
        for time in range(0, 3661, 60):
            show(one, time)
        show(one, 3605)
        one.flush()
        ended = rows(one, "SELECT visit FROM event WHERE type = 'visit_ended'")
        assert [row["visit"] for row in ended] == [1]
        assert visits(one) == [(0, 3600), (3605, 3660)]


def test_pictures_out_of_order_are_one_visit(tmp_path: Path) -> None:
    """Workers answer side by side."""
    with opened(tmp_path) as one:
        for time in (3, 1, 2):
            show(one, time)
        assert visits(one) == [(1, 3)]
        assert names_told(one) == ["anna"]


def test_a_visit_goes_on_after_a_restart(tmp_path: Path) -> None:
    """Without a second event, and the tracks keep their numbers."""
    for start in range(3):
        with opened(tmp_path) as one:
            show(one, start)
            one.record(picture(face(person(2, start)), time=NOON + start))
            assert names_told(one) == ["anna"]
    assert visits_tracks(tmp_path) == {1: {1}, 2: {2}}


def visits_tracks(folder: Path) -> dict[int, set[int]]:
    """Of each person, as half of the sightings tell: the numbers of the tracks."""
    with opened(folder) as one:
        found: dict[int, set[int]] = {}
        for row in rows(one, "SELECT track, name FROM sighting"):
            found.setdefault(2 if row["name"] is None else 1, set()).add(row["track"])
        return found


def test_no_track_takes_the_number_of_another(tmp_path: Path) -> None:
    """Also where a long visit has many more sightings than are loaded at the start."""
    with opened(tmp_path) as one:
        one.record(picture(*(face(person(seed)) for seed in range(5))))
        for take in range(505):
            show(one, 0, None, take, frame=str(take))
            if take == 0:
                one.record(picture(face(person(9)), time=NOON))
    with opened(tmp_path) as one:
        before = value(one, "SELECT max(track) FROM sighting")
        one.record(picture(face(person(50)), time=NOON))
        one.flush()
        assert value(one, "SELECT track FROM sighting ORDER BY id DESC LIMIT 1") == before + 1


def test_of_very_many_tracks_the_latest_go_on(tmp_path: Path) -> None:
    """After a restart as before it; two faces of a picture are never one track."""
    last = "SELECT track FROM sighting ORDER BY id DESC LIMIT 1"
    with opened(tmp_path) as one:
        for seed in range(70):
            one.record(picture(face(person(seed))))
        assert value(one, "SELECT count(DISTINCT track) FROM sighting") == 70
        for seed, track in ((69, 70), (6, 7), (5, 71)):
            one.record(picture(face(person(seed, 1))))
            assert value(one, last) == track
        one.record(picture(*(face(person(69, take)) for take in range(2, 4))))
        assert [row["track"] for row in rows(one, f"{last[:-1]}2")] == [72, 70]
    with opened(tmp_path) as one:
        for seed, track in ((69, 70), (8, 9), (7, 73)):
            one.record(picture(face(person(seed, 4))))
            assert value(one, last) == track


def test_a_lucky_frame_among_many_names_nobody(tmp_path: Path) -> None:
    """All frames of the track together decide, once there are several."""
    with opened(tmp_path) as one:
        one.use(always(None), dict, "knows nobody")
        one.flush()
        for take in range(3):
            show(one, take, None, take)
        show(one, 3, "anna", 3)
        assert names_told(one) == []


def test_many_weak_frames_name_somebody(tmp_path: Path) -> None:
    """None of them alone was enough."""
    with opened(tmp_path) as one:
        one.use(always("anna"), dict, "knows anna")
        one.flush()
        show(one, 0, None, 0)
        assert names_told(one) == []
        show(one, 1, None, 1)
        show(one, 2, None, 2)
        assert names_told(one) == ["anna"]


def test_a_visit_ends_when_nothing_is_seen(tmp_path: Path) -> None:
    """By the clock that never jumps; the event says since when it lasted."""
    time = FakeTime()
    with opened(tmp_path, time, visit_gap_s=60) as one:
        show(one, 0)
        show(one, 30)
        one.flush()
        time.monotonic += 61
        eventually(lambda: rows(one, "SELECT * FROM event WHERE type = 'visit_ended'"))
        (ended,) = rows(one, "SELECT * FROM event WHERE type = 'visit_ended'")
        assert (ended["time"] - NOON, ended["camera"]) == (30, "door")
        assert value(one, "SELECT ended FROM visit") == 1
