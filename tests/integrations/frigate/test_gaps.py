"""`face-det frigate` after it, the broker or Frigate was away: nothing is lost, nothing comes twice.

A real daemon, real photos, a real broker; Frigate is a stand-in that was built from its API definition.
"""

from __future__ import annotations

import time

import pytest
from frigate_api import PASSWORD, ROW, USER, FrigateMessages
from frigate_program import LEFT, RIGHT, FrigateProgram, event_id, share
from mosquitto import until


def happened(api, number, picture, camera="front", **changed):
    """An event that has ended, with a clean snapshot; its id."""
    one, now = event_id(number), time.time()
    row = {"id": one, "camera": camera, "start_time": now - 20, "end_time": now - 10}
    api.events[one] = {**ROW, **row, "data": {"box": share(LEFT)}, **changed}
    api.pictures[one, "snapshot-clean.png"] = picture
    return one


def follow_another(api, messages, number, picture):
    """An event of now, which is done when those before are; its id."""
    one, begin = event_id(number), time.time()
    api.pictures[one, "snapshot.jpg"] = picture
    messages.tell("new", one, start=begin, box=LEFT, snapshot=(begin, LEFT))
    messages.tell("end", one, box=LEFT, snapshot=(begin, LEFT), end_time=begin + 1)
    until(lambda: [label for label in api.labels if label[0] == one])
    return one


@pytest.mark.slow
def test_what_happened_while_it_was_away_gets_names_once(program, api, messages, frame, seen):
    """Also after a second restart: the same sub labels, and the same sightings."""
    program.start()
    assert program.stop() == 0
    one = happened(api, 20, frame("obama3", "biden"))
    car = happened(api, 21, frame("obama3"), label="car")
    program.start()
    until(lambda: api.labels)
    program.until_logged("pictures, Obama")
    found = until(lambda: seen(one), "the sighting")
    assert {item["face"] for item in found} == {"Obama"}
    assert program.stop() == 0
    program.start()
    other = follow_another(api, messages, 22, frame("obama3"))
    assert [label[0] for label in api.labels] == [one, other]
    until(lambda: seen(other), "the other sighting")
    assert (seen(one), seen(car)) == (found, [])


@pytest.mark.slow
def test_a_kept_picture_is_no_picture_of_the_end(program, api, frame, seen):
    """Nobody knows when it was taken; whatever opens a door must not take it for one of now."""
    program.start()
    assert program.stop() == 0
    now = time.time()
    one = happened(api, 35, frame("obama3"), start_time=now - 100, end_time=now - 1)
    program.start()
    found = until(lambda: seen(one), "the sighting")
    assert {round(item["time"] - now) for item in found} == {-100}


@pytest.mark.slow
def test_somebody_else_in_a_kept_picture_gives_no_name(program, api, messages, frame):
    """Frigate kept no clean copy: a whole frame shows others, too, and a cropped one mostly the person."""
    program.start()
    assert program.stop() == 0
    stranger, known = (happened(api, number, None, camera="back") for number in (32, 33))
    for one, box in ((stranger, RIGHT), (known, LEFT)):
        del api.pictures[one, "snapshot-clean.png"]
        api.events[one]["data"] = {"box": share(box)}
        api.pictures[one, "snapshot.jpg"] = frame("obama3", "biden")
    program.start()
    program.until_logged("pictures, Obama")
    program.until_logged("nobody is named")
    assert [label[:2] for label in api.labels] == [(known, "Obama")]


@pytest.mark.slow
def test_an_event_that_goes_on_over_a_kill_has_one_name_and_one_visit(program, api, messages, frame, seen):
    """kill -9 in the middle; nothing is set again."""
    one, begin = event_id(23), time.time()
    program.start()
    api.pictures["front", "latest.jpg"] = api.pictures[one, "snapshot.jpg"] = frame("obama3")
    messages.tell("new", one, start=begin, box=LEFT, snapshot=(begin, LEFT))
    until(lambda: api.labels)
    until(lambda: seen(one), "the sighting")
    program.kill()
    asked = api.count("front/latest.jpg")
    program.start()
    messages.tell("update", one, box=LEFT, snapshot=(begin, LEFT))
    until(lambda: api.count("front/latest.jpg") > asked + 3)
    messages.tell("end", one, box=LEFT, snapshot=(begin, LEFT), end_time=begin + 5)
    program.until_logged("pictures, Obama")
    assert [label[:2] for label in api.labels] == [(one, "Obama")]
    assert len({item["visit"] for item in seen(one)}) == 1


@pytest.mark.slow
def test_frigate_that_is_away_or_hangs_is_waited_for(program, api, messages, frame):
    """It answers 502, then not at all; the log says so once, and both events get their names at last."""
    program.start(timeout=0.5)
    api.down = True
    one, two, begin = event_id(24), event_id(25), time.time()
    for event in (one, two):
        api.pictures[event, "snapshot.jpg"] = frame("obama3")
        api.pictures[event, "snapshot-clean.png"] = frame("obama3")
    messages.tell("new", one, start=begin, box=LEFT, snapshot=(begin, LEFT))
    messages.tell("end", one, box=LEFT, snapshot=(begin, LEFT), end_time=begin + 1)
    program.until_logged("502")
    api.hold.clear()
    api.down = False
    messages.tell("new", two, start=begin, box=LEFT, snapshot=(begin, LEFT))
    messages.tell("end", two, box=LEFT, snapshot=(begin, LEFT), end_time=begin + 1)
    program.until_logged("does not answer")
    api.hold.set()
    until(lambda: {label[0] for label in api.labels} == {one, two})
    assert len(api.labels) == 2
    assert program.log().count(f"event {two} waits: Frigate at {api.url} does not answer") <= 2


@pytest.mark.slow
def test_an_event_goes_on_where_it_was_interrupted(program, api, messages, frame):
    """Frigate is away when it has a better picture, and never mentions the event again."""
    one, begin = event_id(44), time.time()
    program.start()
    api.pictures["front", "latest.jpg"] = api.pictures[one, "snapshot.jpg"] = frame("nobody")
    messages.tell("new", one, start=begin, box=LEFT, snapshot=(begin, LEFT))
    until(lambda: api.count("front/latest.jpg") > 1)
    api.down = True
    api.pictures[one, "snapshot.jpg"] = frame("obama3")
    messages.tell("update", one, box=LEFT, snapshot=(begin + 1, LEFT))
    program.until_logged(f"event {one} waits")
    api.down = False
    until(lambda: api.labels)
    assert [label[:2] for label in api.labels] == [(one, "Obama")]


@pytest.mark.slow
def test_what_happens_before_the_missed_events_are_known_does_not_hide_them(program, api, messages, frame):
    """Also if it claims to be of the future; nothing counts as done until Frigate has listed the events."""
    program.start()
    assert program.stop() == 0
    now = time.time()
    one = happened(api, 40, frame("obama3"), start_time=now - 5000, end_time=now - 4990)
    program.place(int(now - 6000))
    api.lists_none = True
    program.start(ready=False)
    program.until_logged("answers events with status 502")
    follow_another(api, messages, 41, frame("obama3"))
    program.until_logged("pictures, Obama")
    api.lists_none = False
    until(lambda: [label for label in api.labels if label[0] == one])
    messages.tell("end", event_id(42), start=now + 1e6, end_time=now + 1e6)
    program.until_logged("nobody is named")
    follow_another(api, messages, 43, frame("obama3"))
    until(lambda: program.place() >= int(now))
    assert program.place() <= time.time()


@pytest.mark.slow
def test_events_that_no_broker_told_of_are_asked_for(program, api, frame, mosquitto):
    """The broker was away meanwhile; when it is back, so are they."""
    program.start()
    mosquitto.stop()
    program.until_logged("retrying")
    one = happened(api, 26, frame("obama3"))
    mosquitto.start()
    until(lambda: api.labels)
    assert [label[0] for label in api.labels] == [one]
    messages = FrigateMessages(api, mosquitto)
    follow_another(api, messages, 27, frame("obama3"))
    # Frigate was restarted, and told nobody of an event that it had finished before.
    two = happened(api, 28, frame("obama3"))
    messages.say("frigate/available", "online")
    until(lambda: [label for label in api.labels if label[0] == two])
    messages.close()


@pytest.mark.slow
def test_a_login_is_made_and_made_again(program, api, messages, frame, tmp_path):
    """As at port 8971; a cookie that Frigate has forgotten is replaced."""
    api.login = True
    (tmp_path / "password").write_text(PASSWORD + "\n")
    program.start(ready=False, user=USER, passwordFile=str(tmp_path / "password"))
    until(lambda: api.count("events") > 2)
    follow_another(api, messages, 29, frame("obama3"))
    api.cookies.clear()
    follow_another(api, messages, 30, frame("obama3"))
    assert api.count("login") == 2


@pytest.mark.slow
def test_a_login_that_fails_and_a_user_who_may_not_are_named(program, api, messages, frame, tmp_path):
    """The log says what to change, and never the password; once that is done, the name is set."""
    api.login, api.role = True, "viewer"
    secret = tmp_path / "password"
    secret.write_text("guess-4711")
    program.start(ready=False, user=USER, passwordFile=str(secret))
    program.until_logged("check frigate.user and passwordFile")
    assert "guess-4711" not in program.log()
    secret.write_text(PASSWORD)
    one = happened(api, 31, frame("obama3"))
    program.until_logged("frigate.user must be an admin there")
    assert api.labels == []
    api.role = "admin"
    until(lambda: api.labels)
    assert [label[:2] for label in api.labels] == [(one, "Obama")]


@pytest.mark.slow
def test_a_second_program_waits_until_the_first_has_ended(program, daemon, api, mosquitto, frame, tmp_path):
    """An event is followed by one of them: one sub label, one client of the broker."""
    (tmp_path / "second" / tmp_path.name).mkdir(parents=True)
    second = FrigateProgram(daemon, api, mosquitto, tmp_path / "second" / tmp_path.name)
    program.start()
    try:
        second.start(ready=False)
        second.until_logged("this one waits until that one ends")
        assert program.stop() == 0
        second.until_logged("this program uses it now")
        second.until_logged("ready: following")
        one = happened(api, 36, frame("obama3"))
        second.stop()
        second.start()
        until(lambda: [label[0] for label in api.labels] == [one])
    finally:
        second.kill()
