"""For whom an action was due, by a clock that may be set."""

from __future__ import annotations

from face_det.integrations.actions import memory


def test_a_clock_that_was_set_back_locks_nobody_out():
    """Who comes back is let in, though that is before the door last opened; not who is still there."""
    now = [0.0]
    seen = memory.Memory(lambda: now[0])

    def come(after_s, time):
        now[0] += after_s
        return seen.was_away({"camera": "door", "name": "Alice", "time": time}, gap_s=60)

    assert come(0, 5000.0)
    assert not come(10, 1000.0)
    assert come(61, 1061.0)
    assert not come(59, 1120.0)
    assert come(60, 1180.0)
