"""Events go to the broker once each, and nothing but configurations and availability stays there."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
from bridging import EVENT, LATE, STATUS, bridge, seqs, soon, vanish
from event_log import FACE
from mosquitto import Listener, Mosquitto, retained

import face_det.integrations.mqtt.bridge as bridge_module

pytestmark = pytest.mark.anyio
STATE, SEEN, IMAGE = (f"face_det/home/front/{name}" for name in ("state", "seen", "image"))


async def test_a_sighting_is_told_with_state_face_and_place(mosquitto, daemon, listener):
    """The face comes before the event that an automation waits for."""
    async with bridge(mosquitto, daemon):
        await soon(lambda: listener.of(SEEN) == [b"OFF"])
        assert json.loads(listener.of(STATE)[0]) == {"people": "nobody", "ts": None}
        daemon.append("visit_began")
        seq = daemon.append()
        await soon(lambda: listener.of(EVENT))
        message = json.loads(listener.of(EVENT)[0])
        assert message.pop("ts") == daemon.events[-1]["time"]
        assert message == {
            **{"event_type": "known", "person": "Alice", "proba": 0.9},
            **{"sighting": seq, "visit": 1, "seq": seq},
        }
        topics = [topic for topic, _, _ in listener.messages]
        assert topics.index(IMAGE) < topics.index(EVENT)
        assert listener.of(IMAGE) == [FACE + b"2"]
        assert json.loads(listener.of(STATE)[-1])["people"] == "Alice"
        assert listener.of(SEEN)[-1] == b"ON"
        (place,) = [payload for topic, payload, _ in listener.messages if "/person/" in topic]
        assert json.loads(place)["camera"] == "front"
        daemon.append("visit_ended")
        await soon(lambda: listener.of(SEEN)[-1] == b"OFF")
        assert json.loads(listener.of(STATE)[-1])["people"] == "nobody"
    await soon(lambda: listener.of(STATUS)[-1] == b"offline")


async def test_a_voice_is_told_apart_from_faces(mosquitto, daemon, listener):
    """On topics of its own: whoever is heard is neither seen nor there, and what is old is late."""
    heard, late = "face_det/home/front/heard", "face_det/home/front/heard/late"
    spoken = {"outcome": "known", "name": "Alice", "probability": 0.9, "speech": 3.2, "visit": None}
    async with bridge(mosquitto, daemon, late_after_s=60):
        daemon.append("heard", **spoken)
        daemon.append("heard", age_s=100, **spoken)
        daemon.append("heard", **{**spoken, "outcome": "unknown", "name": None})
        daemon.append("heard", **{**spoken, "camera": None})
        seen = daemon.append()
        await soon(lambda: seqs(listener) == [seen])
        assert seqs(listener, heard) == [1, 3]
        assert seqs(listener, late) == [2]
        told = json.loads(listener.of(heard)[0])
        assert told.pop("ts") == daemon.events[0]["time"]
        assert told == {"event_type": "known", "person": "Alice", "proba": 0.9, "speech": 3.2, "seq": 1}
        states = [json.loads(one)["people"] for one in listener.of(STATE)]
        assert states == ["nobody", "Alice"], "only the one who was seen is there"


async def test_who_leaves_says_goodbye(mosquitto, daemon, listener, caplog):
    """The will is for those who vanish, and a broker may hold it back for a while."""
    caplog.set_level(logging.INFO)
    async with bridge(mosquitto, daemon):
        await soon(lambda: listener.of(STATUS) == [b"online"])
    await soon(lambda: listener.of(STATUS)[-1] == b"offline")
    assert "was not told" not in caplog.text


async def test_only_configurations_and_availability_are_retained(mosquitto, daemon, listener):
    """Whoever connects later is not told of an old sighting as if it were new."""
    async with bridge(mosquitto, daemon, double_take=True):
        daemon.append("visit_began")
        daemon.append()
        await soon(lambda: listener.of(EVENT))
        kept = await asyncio.to_thread(retained, mosquitto)
    assert kept.pop(STATUS) == b"online"
    assert len(kept) == 5
    assert all(topic.startswith("homeassistant/") and topic.endswith("/config") for topic in kept)


async def test_who_is_forgotten_is_also_forgotten_by_the_broker(mosquitto, daemon):
    """Even if the bridge was away meanwhile."""
    daemon.people = ["Alice", "Bob"]
    async with bridge(mosquitto, daemon):
        assert len(await asyncio.to_thread(retained, mosquitto)) == 7
    daemon.people = ["Bob"]
    async with bridge(mosquitto, daemon):
        kept = await asyncio.to_thread(retained, mosquitto)
    assert len(kept) == 6
    assert not any(b"Alice" in payload for payload in kept.values())


async def test_a_camera_that_is_renamed_leaves_nothing_behind(mosquitto, daemon):
    """Unless it has been seen by that name: whoever calls the daemon names cameras, too."""
    async with bridge(mosquitto, daemon, cameras=("front",)):
        assert len(await asyncio.to_thread(retained, mosquitto)) == 6
    async with bridge(mosquitto, daemon, cameras=("door",)):
        kept = await asyncio.to_thread(retained, mosquitto)
        assert len(kept) == 6
        assert not any("front" in topic for topic in kept)
        daemon.append(camera="front")
        await soon(lambda: daemon.cursors["mqtt-home"] == 1)
    async with bridge(mosquitto, daemon, cameras=("door",)):
        assert len(await asyncio.to_thread(retained, mosquitto)) == 10


async def test_people_who_come_and_go_without_an_event_are_noticed(mosquitto, daemon, listener, monkeypatch):
    """Somebody may change the folder of photos by hand."""
    monkeypatch.setattr(bridge_module, "CHECK_S", 0.05)

    def named(name):
        return [topic for topic, payload, _ in listener.messages if name in payload]

    async with bridge(mosquitto, daemon):
        assert not named(b"Bob last seen")
        daemon.people = ["Alice", "Bob"]
        await soon(lambda: named(b"Bob last seen"))
        (topic,) = named(b"Bob last seen")
        daemon.people = ["Alice"]
        await soon(lambda: listener.of(topic)[-1] == b"")


async def test_somebody_new_who_is_seen_has_an_entity_before_the_event(mosquitto, daemon, listener):
    """They need not wait for the next look at who is enrolled."""
    async with bridge(mosquitto, daemon):
        daemon.people = ["Alice", "Carol"]
        daemon.append(name="Carol")
        await soon(lambda: seqs(listener) == [1])
    told = [
        (b"Carol last seen" in payload and "config") or (topic.split("/")[2] == "person" and "place") or topic
        for topic, payload, _ in listener.messages
        if b"Carol last seen" in payload or "/person/" in topic or topic == EVENT
    ]
    assert told == ["config", "place", EVENT]


async def test_a_camera_may_have_any_name(mosquitto, daemon, listener, caplog):
    """Topics have an id in its place, Home Assistant shows the name, and the log says what the id is."""
    caplog.set_level(logging.INFO)
    place = "face_det/home/Haustur_2_8a4319/event"
    async with bridge(mosquitto, daemon):
        for name in ("Haustür 2", "command", "a/b"):
            daemon.append(camera=name)
        await soon(lambda: daemon.cursors["mqtt-home"] == 3)
        await soon(lambda: seqs(listener, place) == [1])
    told = {topic: payload for topic, payload, _ in listener.messages}
    entity = json.loads(told["homeassistant/event/face_det_home/Haustur_2_8a4319_event/config"])
    assert (entity["name"], entity["state_topic"]) == ("Haustür 2 face", place)
    heard = [topic for topic, _, _ in listener.messages if topic.endswith("/event")]
    assert len(set(heard)) == 3
    assert not any(topic.startswith(("face_det/home/command/", "face_det/home/a/")) for topic in heard)
    assert "camera Haustür 2 is called Haustur_2_8a4319 in topics" in caplog.text


async def test_killed_between_the_broker_and_the_cursor_it_sends_the_event_once(mosquitto, daemon, listener):
    """The broker tells the next bridge which event it had last."""
    async with bridge(mosquitto, daemon) as made:
        daemon.append()
        await soon(lambda: seqs(listener) == [1])
        await soon(lambda: daemon.cursors["mqtt-home"] == 1)
        daemon.held.add("move")
        daemon.append()
        await soon(lambda: seqs(listener) == [1, 2])
        vanish(made)
    assert daemon.cursors["mqtt-home"] == 1
    daemon.held.clear()
    async with bridge(mosquitto, daemon):
        daemon.append()
        await soon(lambda: daemon.cursors["mqtt-home"] == 3)
        await soon(lambda: 3 in seqs(listener))
    assert seqs(listener) == [1, 2, 3]


async def test_after_a_long_time_without_a_broker_events_are_late(mosquitto, daemon, listener):
    """They come, each once, but not as something that happens now."""
    async with bridge(mosquitto, daemon):
        pass
    await soon(lambda: listener.of(STATUS)[-1:] == [b"offline"])
    daemon.append("visit_began", age_s=3600)
    daemon.append(age_s=3600)
    daemon.append("visit_ended", age_s=3500)
    daemon.append("visit_began", visit=2)
    daemon.append(name=None, visit=2)
    listener.messages.clear()
    async with bridge(mosquitto, daemon):
        await soon(lambda: seqs(listener) == [5])
    assert seqs(listener, LATE) == [2]
    assert {json.loads(one)["people"] for one in listener.of(STATE)} == {"stranger"}


async def test_home_assistant_that_starts_is_told_everything_but_events(mosquitto, daemon, listener):
    """Configurations, who is there, and the last face."""
    async with bridge(mosquitto, daemon):
        daemon.append()
        await soon(lambda: seqs(listener) == [1])
        listener.messages.clear()
        listener.client.publish("homeassistant/status", "online", qos=1)
        await soon(lambda: listener.of(SEEN))
        told = [topic for topic, _, _ in listener.messages if topic.endswith("/config")]
        assert len(told) == 5
        assert listener.of(IMAGE) == [FACE + b"1"]
        assert listener.of(EVENT) == []


async def test_a_broker_that_restarts_gets_each_event_once(mosquitto, daemon, listener):
    """Those that happened meanwhile, too: the listener hears each from somebody, and none again."""
    async with bridge(mosquitto, daemon) as made:
        daemon.append()
        await soon(lambda: daemon.cursors["mqtt-home"] == 1)
        await soon(lambda: seqs(listener) == [1])
        # The broker goes in the middle of an event, and another one happens while it is away.
        daemon.held.add("thumbnail")
        daemon.calls.clear()
        daemon.append()
        await soon(lambda: "thumbnail" in daemon.calls)
        await asyncio.to_thread(mosquitto.stop)
        await soon(lambda: not made.connection.usable)
        daemon.append()
        # The bridge waits for the events until the listener is back, who would miss them otherwise.
        daemon.held = {"events"}
        await asyncio.to_thread(mosquitto.start)
        await soon(lambda: listener.client.publish("back", "1").rc == 0 and listener.of("back"))
        daemon.held.clear()
        await soon(lambda: daemon.cursors["mqtt-home"] == 3)
        daemon.append()
        await soon(lambda: seqs(listener)[-1] == 4)
    assert seqs(listener) == [1, 2, 3, 4]
    assert seqs(listener, LATE) == []


async def test_a_broker_that_returns_while_the_daemon_is_away_hears_that_we_are_not_there(
    tmp_path, mosquitto, daemon
):
    """It was killed, and has kept `online`, which would be a lie."""
    broker = Mosquitto(tmp_path / "saving", "autosave_on_changes true", "autosave_interval 1")
    try:
        async with bridge(broker, daemon) as made:
            await soon(lambda: (broker.folder / "mosquitto.db").exists())
            assert (await asyncio.to_thread(retained, broker))[STATUS] == b"online"
            daemon.away = True
            broker.process.kill()
            broker.process.wait()
            await soon(lambda: not made.connection.usable)
            await asyncio.to_thread(broker.start)
            listener = await asyncio.to_thread(Listener, broker)
            await soon(lambda: listener.of(STATUS)[-1:] == [b"offline"])
            daemon.away = False
            await soon(lambda: listener.of(STATUS)[-1] == b"online")
            listener.close()
    finally:
        broker.stop()
