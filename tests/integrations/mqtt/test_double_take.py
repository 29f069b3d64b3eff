"""Automations on Double Take's topics find there what Double Take puts there."""

from __future__ import annotations

import json

import pytest
from bridging import EVENT, LATE, bridge, seqs, soon

pytestmark = pytest.mark.anyio
CAMERA = "double-take/cameras/front"
SHAPE = {"id", "duration", "timestamp", "attempts", "camera", "zones"}
FACE = {"name", "confidence", "match", "box", "type", "duration", "detector", "filename", "base64"}


async def test_somebody_known_is_a_match(mosquitto, daemon, listener):
    """At their name and at the camera, with name, confidence in per cent, and box; before our own event."""
    async with bridge(mosquitto, daemon, double_take=True):
        daemon.append("visit_began")
        seq = daemon.append(name="Ann Lee", time=1623906090.03, probability=0.6607)
        daemon.people.append("Ann Lee")
        await soon(lambda: seqs(listener, LATE))
        # It happened years ago.
        assert not listener.of("double-take/matches/Ann-Lee")
        daemon.append(name="Ann Lee", probability=0.6607)
        await soon(lambda: seqs(listener) == [seq + 1])
    (message,) = map(json.loads, listener.of("double-take/matches/Ann-Lee"))
    assert message.keys() == {*SHAPE, "match"}
    match = message["match"]
    assert match.keys() == FACE
    assert (match["name"], match["confidence"], match["match"]) == ("Ann Lee", 66.07, True)
    assert match["box"] == {"top": 20, "left": 10, "width": 50, "height": 61}
    assert message["timestamp"][-1] == "Z"
    assert (message["camera"], message["id"]) == ("front", f"home-{seq + 1}")
    (message,) = map(json.loads, listener.of(CAMERA))
    assert message.keys() == {*SHAPE, "matches", "misses", "unknowns", "personCount", "counts"}
    assert (message["matches"], message["misses"], message["unknowns"]) == ([match], [], [])
    assert message["counts"] == {"person": 1, "match": 1, "miss": 0, "unknown": 0}
    topics = [topic for topic, _, _ in listener.messages]
    assert topics.index(CAMERA) < topics.index(EVENT)


@pytest.mark.parametrize(
    ("outcome", "group"), [("unknown", "unknowns"), ("uncertain", "misses")], ids=["stranger", "uncertain"]
)
async def test_somebody_without_a_name_is_unknown_or_a_miss(mosquitto, daemon, listener, outcome, group):
    """Strangers are at `unknown`, too; who may be somebody is only at the camera."""
    async with bridge(mosquitto, daemon, double_take=True):
        daemon.append(name=None, outcome=outcome, probability=None)
        await soon(lambda: seqs(listener) == [1])
    (message,) = map(json.loads, listener.of(CAMERA))
    (face,) = message[group]
    assert (face["name"], face["match"], face["confidence"]) == ("unknown", False, 0)
    unknown = [json.loads(one) for one in listener.of("double-take/matches/unknown")]
    assert [one["unknown"] for one in unknown] == [face] * (group == "unknowns")


@pytest.mark.parametrize(
    ("people", "place"),
    [
        (["Ольга Иванова"], "person_"),
        (["Unknownë"], "person_"),
        (["Zoë", "Zo"], "person_"),
        (["Ann Lee", "Ann-Lee"], "person_"),
        (["Zo", "Zoë"], "Zo"),
    ],
)
async def test_nobody_known_is_taken_for_a_stranger_or_for_another(
    mosquitto, daemon, listener, people, place
):
    """Their name has no letter that Double Take keeps, or another's loses to the same."""
    daemon.people = people
    async with bridge(mosquitto, daemon, double_take=True):
        daemon.append(name=people[0])
        await soon(lambda: seqs(listener) == [1])
    matches = [topic for topic, _, _ in listener.messages if topic.startswith("double-take/matches/")]
    assert len(matches) == 1
    assert matches[0].startswith(f"double-take/matches/{place}")
    assert json.loads(listener.of(matches[0])[0])["match"]["name"] == people[0]


async def test_the_number_of_people_follows_the_visit(mosquitto, daemon, listener):
    """Nobody, one, two, nobody."""
    daemon.people = ["Alice", "Bob"]
    async with bridge(mosquitto, daemon, double_take=True):
        daemon.append("visit_began")
        daemon.append()
        daemon.append(name="Bob")
        daemon.append("visit_ended")
        await soon(lambda: len(listener.of(f"{CAMERA}/person")) == 5)
    assert listener.of(f"{CAMERA}/person") == [b"0", b"0", b"1", b"2", b"0"]


async def test_nothing_is_there_unless_it_is_switched_on(mosquitto, daemon, listener):
    """Double Take itself may still be running."""
    async with bridge(mosquitto, daemon):
        daemon.append()
        await soon(lambda: seqs(listener) == [1])
    assert not [topic for topic, _, _ in listener.messages if topic.startswith("double-take")]
