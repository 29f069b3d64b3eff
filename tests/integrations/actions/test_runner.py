"""Each action for itself: once or at least once, tried again, given up, and never for what is old."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager

import pytest
from event_log import EventLog

from face_det.errors import FaceDetError
from face_det.integrations import (
    Action,
    ActionFailed,
    Command,
    Conditions,
    DeadLetters,
    lease,
    perform_actions,
)
from face_det.integrations.actions import memory, runner


class Bell:
    """An action that notes for which events it was done; `faults` has what it raises first."""

    def __init__(self, *faults):
        self.faults, self.tried, self.done, self.closed = list(faults), [], [], False
        self.hanging = False

    async def perform(self, event):
        self.tried.append(event["seq"])
        while self.hanging:
            await asyncio.sleep(0.01)
        if self.faults:
            raise self.faults.pop(0)
        self.done.append(event["seq"])

    async def close(self):
        self.closed = True


def opening(effect, name="door", **options):
    """An action that opens for Alice."""
    return Action(name, effect, Conditions(persons=("Alice",), opens=True), **options)


@asynccontextmanager
async def acting(daemon, folder, *actions):
    """The program at work, with cursors set."""
    running = asyncio.create_task(perform_actions(daemon, actions, folder))
    await soon(lambda: all(one.cursor in daemon.cursors for one in actions) or running.done())
    try:
        yield running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def soon(condition):
    """Wait until condition() is true."""
    async with asyncio.timeout(300):
        while not condition():
            await asyncio.sleep(0.005)


def clear(daemon, **fields):
    """Append an event about Alice, in two clear frames."""
    return daemon.append(**{"frames": 2, "quality": 0.9, **fields})


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    """Between two tries; the pauses themselves are tenacity's."""
    monkeypatch.setattr(runner, "LONGEST_PAUSE_S", 0.01)


def test_what_fails_is_tried_again_and_then_given_up(tmp_path, caplog):
    """So often, and no more; later events are done all the same, and the log says everything."""
    caplog.set_level(logging.INFO)
    daemon, bell = EventLog(), Bell(*[ActionFailed("no answer")] * 4)

    async def story():
        async with acting(daemon, tmp_path, Action("bell", bell, Conditions(), attempts=3)):
            for _ in range(3):
                daemon.append()
            await soon(lambda: daemon.cursors["actions/bell"] == 3)

    asyncio.run(story())
    assert bell.tried == [1, 1, 1, 2, 2, 3]
    assert bell.done == [2, 3]
    (letter,) = DeadLetters(tmp_path).read()
    assert (letter["action"], letter["seq"], letter["reason"]) == ("bell", 1, "no answer")
    assert "action bell: no answer; again in" in caplog.text
    assert "action bell: not done for event 1: no answer" in caplog.text
    assert bell.closed


def test_what_would_fail_each_time_is_not_tried_again(tmp_path):
    """A camera whose name would be an option of the command: at once in the log, and the next event comes."""
    daemon, command = EventLog(), Command(["/bin/true", "{camera}"], 60)

    async def story():
        async with acting(daemon, tmp_path, Action("bell", command, Conditions(), attempts=6)):
            daemon.append(camera="--help")
            daemon.append()
            await soon(lambda: daemon.cursors["actions/bell"] == 2)
            await soon(lambda: daemon.counts["actions/bell"]["done"] == 1)

    asyncio.run(story())
    (letter,) = DeadLetters(tmp_path).read()
    assert (letter["seq"], letter["reason"]) == (
        1,
        "argument {camera}: must not become an option; write --name={camera}, say",
    )
    assert daemon.counts["actions/bell"] == {"done": 1, "retried": 0, "failed": 1}


def test_one_that_hangs_delays_no_other(tmp_path):
    """Nor does one with a fault of ours; each has its own place in the log of events."""
    daemon, slow, broken, bell = EventLog(), Bell(), Bell(KeyError("x")), Bell()
    slow.hanging = True
    actions = [
        Action(name, effect, Conditions(), attempts=1)
        for name, effect in (("slow", slow), ("broken", broken), ("bell", bell))
    ]

    async def story():
        async with acting(daemon, tmp_path, *actions) as running:
            daemon.append()
            daemon.append()
            await soon(lambda: bell.done == [1, 2] and broken.done == [2] and slow.tried == [1])
            await soon(lambda: daemon.cursors["actions/broken"] == 2)
            assert daemon.cursors["actions/slow"] == 0
            assert not running.done()

    asyncio.run(story())
    (letter,) = DeadLetters(tmp_path).read()
    assert (letter["action"], letter["reason"]) == (
        "broken",
        "a bug in face_det: KeyError; the log has the traceback",
    )


def test_what_was_being_done_at_the_end_is_done_again(tmp_path):
    """At least once: the cursor moves afterwards."""
    daemon, bell, again = EventLog(), Bell(), Bell()
    bell.hanging = True

    async def story():
        async with acting(daemon, tmp_path, Action("bell", bell, Conditions())):
            daemon.append()
            await soon(lambda: bell.tried == [1])
        async with acting(daemon, tmp_path, Action("bell", again, Conditions())):
            await soon(lambda: again.done == [1])

    asyncio.run(story())


def test_what_was_being_opened_at_the_end_is_not_opened_again(tmp_path):
    """At most once: the cursor moves before, and a failure is not tried again either."""
    daemon, door, again = EventLog(), Bell(), Bell(ActionFailed("stuck"))
    door.hanging = True

    async def story():
        async with acting(daemon, tmp_path, opening(door)):
            clear(daemon)
            await soon(lambda: door.tried == [1])
            assert daemon.cursors["actions/door"] == 1
        async with acting(daemon, tmp_path, opening(again)):
            clear(daemon, visit=2, camera="back")
            clear(daemon, visit=3, camera="side")
            await soon(lambda: again.tried == [2, 3])
            await soon(lambda: again.done == [3])

    asyncio.run(story())
    (letter,) = DeadLetters(tmp_path).read()
    assert (letter["seq"], letter["reason"]) == (2, "stuck")


@pytest.mark.parametrize("age_s", [11, 3600, -11, -3600])
def test_nothing_opens_for_what_is_not_now(tmp_path, age_s):
    """Whether the program was away, or a clock is wrong; it is said, and whoever comes next gets in."""
    daemon, door = EventLog(), Bell()

    async def story():
        async with acting(daemon, tmp_path, opening(door)):
            clear(daemon, age_s=age_s)
            clear(daemon, visit=2)
            await soon(lambda: door.done == [2])

    asyncio.run(story())
    (letter,) = DeadLetters(tmp_path).read()
    assert letter["seq"] == 1
    assert "opens nothing: the picture is" in letter["reason"]


def test_what_waited_for_the_daemon_too_long_opens_nothing(tmp_path):
    """The age is asked once the cursor has moved, however long that takes."""
    daemon, door = EventLog(), Bell()

    async def story():
        async with acting(daemon, tmp_path, opening(door)):
            daemon.held.add("move")
            seq = clear(daemon)
            await asyncio.sleep(0.05)
            assert door.tried == []
            # As if eleven seconds had passed meanwhile.
            daemon.events[seq - 1]["time"] -= 11
            daemon.held.clear()
            await soon(lambda: daemon.cursors["actions/door"] == 1)
            await soon(lambda: list(DeadLetters(tmp_path).read()))

    asyncio.run(story())
    assert door.tried == []


def test_a_second_factor_may_come_later(tmp_path):
    """One frame opens nothing; the event that says that another agrees does."""
    daemon, door, bell = EventLog(), Bell(), Bell()

    async def story():
        async with acting(daemon, tmp_path, opening(door), Action("bell", bell, Conditions())):
            clear(daemon, frames=1)
            clear(daemon, kind="corroborated")
            clear(daemon, frames=1, visit=2)
            await soon(lambda: bell.done == [1, 3] and daemon.cursors["actions/door"] == 3)

    asyncio.run(story())
    assert door.done == [2]


def test_a_door_does_not_open_again_for_who_is_still_there(tmp_path):
    """Whatever begins new visits; at other doors and for who was away it opens, also after a restart."""
    daemon, door, again = EventLog(), Bell(), Bell()

    async def story():
        async with acting(daemon, tmp_path, opening(door, visit_gap_s=5)):
            for visit in range(3):
                clear(daemon, visit=visit, age_s=9 - 4 * visit)
            clear(daemon, visit=4, age_s=1, camera="back")
            await soon(lambda: daemon.cursors["actions/door"] == 4)
        async with acting(daemon, tmp_path, opening(again, visit_gap_s=5)):
            clear(daemon, visit=5)
            clear(daemon, visit=6, camera="back", age_s=-5)
            await soon(lambda: daemon.cursors["actions/door"] == 6)

    asyncio.run(story())
    assert (door.done, again.done) == ([1, 4], [6])


def test_what_was_done_is_forgotten_in_the_end(tmp_path, monkeypatch):
    """A program that runs for years remembers the newest visits."""
    monkeypatch.setattr(memory, "MOST", 2)
    daemon, bell = EventLog(), Bell()

    async def story():
        async with acting(daemon, tmp_path, Action("bell", bell, Conditions(), once_per_visit=True)):
            for visit in (1, 2, 2, 3, 3, 2, 1):
                daemon.append(visit=visit)
            await soon(lambda: daemon.cursors["actions/bell"] == 7)

    asyncio.run(story())
    assert bell.done == [1, 2, 4, 7]


def test_once_per_visit(tmp_path):
    """Also after a restart within the visit; what the conditions do not meet does not count."""
    daemon, bell, again = EventLog(), Bell(), Bell()
    conditions = Conditions(persons=("Alice", "Bob"))

    def ringing(effect):
        return Action("bell", effect, conditions, once_per_visit=True)

    async def story():
        async with acting(daemon, tmp_path, ringing(bell)):
            daemon.append(name="Eve")
            daemon.append(name="Alice")
            daemon.append(name="Bob")
            daemon.append(name="Bob", visit=2)
            await soon(lambda: daemon.cursors["actions/bell"] == 4)
        assert bell.done == [2, 4]
        async with acting(daemon, tmp_path, ringing(again)):
            daemon.append(name="Alice", visit=2)
            daemon.append(name="Alice", visit=1)
            daemon.append(name="Alice", visit=3)
            await soon(lambda: daemon.cursors["actions/bell"] == 7)
        assert again.done == [7]

    asyncio.run(story())


def test_what_is_too_old_is_given_up(tmp_path):
    """Nobody wants a lamp to flash for everybody who was seen while the program was away."""
    daemon, bell = EventLog(), Bell()

    async def story():
        async with acting(daemon, tmp_path, Action("bell", bell, Conditions(), max_age_s=100)):
            daemon.append(age_s=1000)
            daemon.append(age_s=10)
            await soon(lambda: daemon.cursors["actions/bell"] == 2)

    asyncio.run(story())
    assert bell.done == [2]
    (letter,) = DeadLetters(tmp_path).read()
    assert letter["reason"] == "too late: seen 1000 s ago, and maxAge is 100 s"


def test_names_that_nobody_has_are_told(tmp_path, caplog):
    """A misspelt name in neverUnlock would let somebody in."""
    caplog.set_level(logging.WARNING)
    daemon = EventLog()
    conditions = Conditions(persons=("Alice", "Bbo"), opens=True, never_unlock=("Miaa",))

    async def story():
        async with acting(daemon, tmp_path, Action("door", Bell(), conditions)):
            await soon(lambda: len(caplog.records) == 2)

    asyncio.run(story())
    assert [record.message for record in caplog.records] == [
        "action door: nobody called Bbo is enrolled",
        "action door: nobody called Miaa is enrolled",
    ]


def test_a_daemon_that_keeps_no_events_ends_it(tmp_path):
    """All actions end, and let go of what they hold."""
    bell = Bell()

    class Forgetful(EventLog):
        async def _events(self, after, wait_s):
            raise FaceDetError("sightings: are off")

    async def story():
        async with acting(Forgetful(), tmp_path, Action("bell", bell, Conditions())) as running:
            with pytest.raises(FaceDetError, match="are off"):
                await running

    asyncio.run(story())
    assert bell.closed


def test_what_another_program_did_not_do_is_done_once_this_one_may(tmp_path, monkeypatch):
    """It was begun in this visit, but not done: the next turn begins with what the log says."""
    daemon, bell = EventLog(), Bell()
    bell.hanging = True
    monkeypatch.setattr(lease, "TRY_S", 0.01)
    monkeypatch.setattr(lease, "RENEW_S", 0.02)

    async def story():
        async with acting(daemon, tmp_path, Action("bell", bell, Conditions(), once_per_visit=True)):
            daemon.append()
            await soon(lambda: bell.tried == [1])
            daemon.owners["actions/bell"] = "other"
            asked = daemon.calls.count("cursor")
            await soon(lambda: daemon.calls.count("cursor") > asked + 5)
            bell.hanging = False
            del daemon.owners["actions/bell"]
            await soon(lambda: daemon.cursors["actions/bell"] == 1)

    asyncio.run(story())
    assert bell.done == [1]


def test_who_was_away_between_two_tries_does_not_try_again(tmp_path, monkeypatch):
    """Another program has done it meanwhile; this one goes on with what comes next."""
    daemon, bell, now = EventLog(), Bell(ActionFailed("no answer")), [0.0]
    monkeypatch.setattr(lease, "TRY_S", 0.01)
    monkeypatch.setattr(lease, "RENEW_S", 300)
    monkeypatch.setattr(lease, "_now", lambda: now[0])
    ring = bell.perform

    async def ring_and_sleep(event):
        if event["seq"] == 1:
            now[0] += 1000
            daemon.owners["actions/bell"], daemon.cursors["actions/bell"] = "other", 1
        await ring(event)

    bell.perform = ring_and_sleep

    async def story():
        async with acting(daemon, tmp_path, Action("bell", bell, Conditions())):
            daemon.append()
            asked = daemon.calls.count("cursor")
            await soon(lambda: bell.tried and daemon.calls.count("cursor") > asked + 5)
            del daemon.owners["actions/bell"]
            daemon.append()
            await soon(lambda: daemon.cursors["actions/bell"] == 2)

    asyncio.run(story())
    assert (bell.tried, bell.done) == ([1, 2], [2])
    assert list(DeadLetters(tmp_path).read()) == []
