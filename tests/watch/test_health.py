"""When a camera counts as lost, black or frozen; the doctests say the rest."""

from __future__ import annotations

import numpy as np

from face_det.watch import health, motion

GREY = np.full((90, 160), 120, np.uint8)


def states(check, *moments):
    return [check.health(at).state for at in moments]


def test_lost_and_back():
    """After a pause that is longer than a reconnection; the last reason is told until it is back."""
    check = health.HealthCheck(0.0)
    check.see(b"1", GREY, 1.0)
    check.fail("its stream ended")
    assert states(check, 1.5, 5.9, 6.0) == ["fine", "fine", "lost"]
    assert check.health(6.0).reason == "its stream ended"
    check.see(b"2", GREY, 7.0)
    assert check.health(7.0) == health.Health("fine")
    assert check.health(12.5).reason == "no picture has come for 5 s"


def test_black():
    """Dark and even for ten seconds: a night with a lamp in it is not black."""
    for lamp, expected in ((8, "black"), (255, "fine")):
        check = health.HealthCheck(0.0)
        dark = np.full((90, 160), 8, np.uint8)
        dark[:10, :10] = lamp
        for at in range(12):
            check.see(bytes([at]), dark, float(at))
        assert check.health(11.0).state == expected
        check.see(b"light", GREY, 12.0)
        assert check.health(12.0).state == "fine"


def test_frozen():
    """The same bytes for a minute; a file may stay the same."""
    for still, expected in ((False, "frozen"), (True, "fine")):
        check = health.HealthCheck(0.0, may_stand_still=still)
        for at in range(62):
            check.see(b"same", GREY, float(at))
        assert check.health(61.0).state == expected
    check = health.HealthCheck(0.0)
    for at in range(62):
        check.see(bytes([at]), GREY, float(at))
    assert check.health(61.0).state == "fine"


def test_noise_is_no_motion_and_a_new_size_is():
    """A sensor's noise changes each pixel a little."""
    random = np.random.default_rng(1)
    gate = motion.MotionGate()
    noisy = [(GREY + random.normal(0, 4, GREY.shape)).astype(np.uint8) for _ in range(5)]
    assert [gate.passes(one, 2.1 + at / 10) for at, one in enumerate(noisy)] == [True, *[False] * 4]
    assert gate.passes(np.zeros((45, 80), np.uint8), 3.0)
    slow = motion.MotionGate()
    passed = [slow.passes(GREY + np.uint8(step), float(step) / 10) for step in range(40)]
    assert passed[0]
    assert any(passed[10:])
