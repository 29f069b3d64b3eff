"""`face-det frigate` while somebody is there: a real daemon, real photos, a real broker.

Frigate is a stand-in over HTTP, tests/support/frigate_api.py, which was built from its API definition.
"""

from __future__ import annotations

import time

import pytest
from frigate_program import LEFT, RIGHT, event_id, share
from mosquitto import until


def test_the_better_picture_names_the_person_and_the_name_is_set_once(program, api, messages, frame, seen):
    """A back first, the face in a later snapshot; our sightings know the name, and SIGTERM ends it with 0."""
    one, begin = event_id(1), time.time()
    program.start()
    api.pictures["front", "latest.jpg"] = api.pictures[one, "snapshot.jpg"] = frame("nobody")
    messages.tell("new", one, start=begin, box=LEFT, snapshot=(begin, LEFT))
    until(lambda: api.count("front/latest.jpg") > 1)
    assert api.labels == []
    api.pictures[one, "snapshot.jpg"] = frame("obama3")
    messages.tell("update", one, box=LEFT, snapshot=(begin + 1, LEFT))
    until(lambda: api.labels)
    asked = api.count("front/latest.jpg")
    until(lambda: api.count("front/latest.jpg") > asked + 2)
    messages.tell("end", one, box=LEFT, snapshot=(begin + 1, LEFT), end_time=begin + 5)
    program.until_logged("pictures, Obama")
    ((labelled, name, score),) = api.labels
    assert (labelled, name) == (one, "Obama")
    assert 0.5 < score <= 1
    until(lambda: seen(one), "the sighting")
    assert {(item["face"], item["camera"]) for item in seen(one)} == {("Obama", "front")}
    assert "is lost" not in program.log()
    assert program.stop() == 0


@pytest.mark.slow
def test_of_two_people_in_a_frame_each_has_a_name_of_their_own(program, api, messages, frame, seen):
    """The stranger's event gets no name from the man beside, whom our sightings have only in his event."""
    known, stranger, begin = event_id(2), event_id(3), time.time()
    program.start()
    api.pictures["front", "latest.jpg"] = frame("obama3", "biden")
    for one, box in ((known, LEFT), (stranger, RIGHT)):
        api.pictures[one, "snapshot.jpg"] = frame("obama3", "biden")
        messages.tell("new", one, start=begin, box=box, snapshot=(begin, box))
    until(lambda: api.count("front/latest.jpg") > 10)
    for one, box in ((known, LEFT), (stranger, RIGHT)):
        messages.tell("end", one, box=box, snapshot=(begin, box), end_time=begin + 5)
    program.until_logged("pictures, Obama")
    program.until_logged("nobody is named")
    assert [label[:2] for label in api.labels] == [(known, "Obama")]
    until(lambda: seen(known) and seen(stranger), "both sightings")
    assert {item["face"] for item in seen(known)} == {"Obama"}
    assert {item["face"] for item in seen(stranger)} == {"Unknown"}


@pytest.mark.parametrize("killed", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_name_is_corrected_when_the_decision_changes(
    program, api, messages, frame, daemon, small_photos, seen, killed
):
    """One picture shows Obama where Frigate's box was wrong, then many show who it is; also after kill -9."""
    client = daemon.client()
    client.add_face("Biden", small_photos["biden"].read_bytes())
    try:
        one, begin = event_id(4), time.time()
        program.start()
        api.pictures[one, "snapshot.jpg"] = frame("obama3", "biden")
        messages.tell("new", one, start=begin, box=LEFT, snapshot=(begin, LEFT))
        until(lambda: api.labels)
        if killed:
            until(lambda: seen(one))
            program.kill()
            program.start()
        api.pictures["front", "latest.jpg"] = frame("obama3", "biden")
        messages.tell("update", one, box=RIGHT, snapshot=(begin, LEFT))
        until(lambda: api.labels[-1][1] == "Biden")
        messages.tell("end", one, box=RIGHT, snapshot=(begin, LEFT), end_time=begin + 5)
        program.until_logged("pictures, Biden")
        # While both were seen equally often, there was no name.
        assert [label[1] for label in api.labels if label[1]] == ["Obama", "Biden"]
    finally:
        client.forget("Biden")
        client.close()


@pytest.mark.slow
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_sub_label_of_somebody_else_stays_unless_it_may_be_replaced(
    program, api, messages, frame, overwrite
):
    """A user, or Frigate itself, has set one."""
    one, begin = event_id(5), time.time()
    program.start(overwrite=overwrite)
    api.pictures[one, "snapshot.jpg"] = frame("obama3")
    messages.tell("new", one, start=begin, box=LEFT, snapshot=(begin, LEFT), sub_label="postman")
    messages.tell("end", one, box=LEFT, snapshot=(begin, LEFT), end_time=begin + 5)
    program.until_logged("pictures, Obama")
    assert api.events[one]["sub_label"] == ("Obama" if overwrite else "postman")
    assert ("its sub label 'postman' stays" in program.log()) == (not overwrite)


def test_what_is_not_asked_for_is_not_looked_at(program, api, messages, frame):
    """A car, another camera, another zone, and one who walks into the zone only later."""
    car, other, street, late, begin = *(event_id(number) for number in range(6, 10)), time.time()
    program.start(cameras=["front"], zones=["yard"])
    for one in (car, other, street, late):
        api.pictures[one, "snapshot.jpg"] = frame("obama3")
    common = {"start": begin, "box": LEFT, "snapshot": (begin, LEFT)}
    messages.tell("new", car, label="car", zones=["yard"], **common)
    messages.tell("new", other, camera="back", zones=["yard"], **common)
    messages.tell("new", street, zones=["street"], **common)
    messages.tell("new", late, **common)
    messages.say("frigate/events", b"\xff not JSON")
    messages.say("frigate/events", b'{"type": "new", "after": {"id": "../../config", "label": "person"}}')
    messages.tell("update", late, box=LEFT, snapshot=(begin, LEFT), zones=["street", "yard"])
    until(lambda: api.labels)
    assert [label[:2] for label in api.labels] == [(late, "Obama")]
    looked_at = {path.split("/")[1] for _, path in api.asked if path.startswith("events/")}
    assert looked_at == {late}
    assert program.log().count("must be an event of Frigate") == 2


def test_recordings_are_looked_at_if_no_face_could_be_compared(program, api, messages, frame, seen):
    """Cameras record at a higher resolution than Frigate detects."""
    one, begin = event_id(10), time.time() - 60
    program.start()
    api.pictures["front", "latest.jpg"] = api.pictures[one, "snapshot.jpg"] = frame("nobody")
    api.pictures["front", "recorded"] = frame("obama3", "biden")
    path = [[[0.27, 0.97], begin], [[0.27, 0.97], begin + 20]]
    data = {"box": share(LEFT), "path_data": path}
    messages.tell("new", one, start=begin, box=LEFT, snapshot=(begin, LEFT), has_clip=True, data=data)
    messages.tell("end", one, box=LEFT, snapshot=(begin, LEFT), end_time=begin + 20)
    until(lambda: api.labels)
    program.until_logged("pictures, Obama")
    assert [label[:2] for label in api.labels] == [(one, "Obama")]
    until(lambda: seen(one), "the sighting")
    found = seen(one)
    assert {item["face"] for item in found} == {"Obama"}, found


def test_somebody_else_at_the_end_of_an_event_gives_no_name(program, api, messages, frame):
    """Nothing was heard of it before: where its person is in what Frigate kept is only in its API."""
    stranger, known, begin = event_id(13), event_id(14), time.time() - 60
    program.start()
    api.pictures["front", "recorded"] = frame("nobody", "obama3")
    for one, box in ((stranger, LEFT), (known, RIGHT)):
        api.pictures[one, "snapshot-clean.png"] = frame("nobody", "obama3")
        data = {"box": share(box)}
        messages.tell("end", one, start=begin, end_time=begin + 20, box=box, has_clip=True, data=data)
    program.until_logged(f"event {stranger} of front: 9 pictures, nobody is named")
    program.until_logged(f"event {known} of front: 9 pictures, Obama")
    assert [label[:2] for label in api.labels] == [(known, "Obama")]


def test_a_deleted_event_ends(program, api, messages, frame):
    """The log says so, and the next event gets its name."""
    gone, one, begin = event_id(11), event_id(12), time.time()
    program.start()
    messages.tell("new", gone, start=begin, box=LEFT, snapshot=(begin, LEFT))
    until(lambda: api.count(f"events/{gone}/snapshot.jpg"))
    messages.tell("end", gone, box=LEFT, snapshot=(begin, LEFT), end_time=begin + 5)
    del api.events[gone]
    api.pictures[one, "snapshot.jpg"] = frame("obama3")
    messages.tell("new", one, start=begin, box=LEFT, snapshot=(begin, LEFT))
    until(lambda: api.labels)
    program.until_logged(f"event {gone}: Frigate has no such event")
    assert [label[0] for label in api.labels] == [one]
