"""Events go to the broker once each, and nothing but configurations and availability stays there."""

from __future__ import annotations

import asyncio
import contextlib
import json

from event_log import FACE, EventLog
from mosquitto import Listener, retained, until

from face_det.integrations import Bridge, BridgeOptions, Broker, Topics

EVENT, LATE = "face_det/home/front/event", "face_det/home/front/event/late"
STATUS = "face_det/home/status"


@contextlib.asynccontextmanager
async def bridge(broker, daemon, **options):
    """A bridge that is running; it is stopped as SIGTERM stops it."""
    made = Bridge(
        Broker("127.0.0.1", broker.port), daemon, BridgeOptions(Topics("home"), ("front",), **options)
    )
    task = asyncio.create_task(made.run())
    try:
        await soon(lambda: made.connection.usable or task.done())
        yield made
    finally:
        task.cancel()
        result = (await asyncio.gather(task, return_exceptions=True))[0]
        assert isinstance(result, asyncio.CancelledError), result


async def soon(condition):
    await asyncio.to_thread(until, condition)


def seqs(listener, topic=EVENT):
    return [json.loads(payload)["seq"] for payload in listener.of(topic)]


def vanish(made):
    """End a bridge as kill -9 does: nothing more is said to anybody."""
    made.connection._live.client.socket().shutdown(2)


def test_a_sighting_is_told_with_state_face_and_place(mosquitto):
    """The face comes before the event that an automation waits for."""
    daemon = EventLog()

    async def story():
        listener = Listener(mosquitto)
        async with bridge(mosquitto, daemon):
            await soon(lambda: listener.of("face_det/home/front/seen") == [b"OFF"])
            assert json.loads(listener.of("face_det/home/front/state")[0]) == {"people": "nobody", "ts": None}
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
            assert topics.index("face_det/home/front/image") < topics.index(EVENT)
            assert listener.of("face_det/home/front/image") == [FACE + b"2"]
            assert json.loads(listener.of("face_det/home/front/state")[-1])["people"] == "Alice"
            assert listener.of("face_det/home/front/seen")[-1] == b"ON"
            (place,) = [payload for topic, payload, _ in listener.messages if "/person/" in topic]
            assert json.loads(place)["camera"] == "front"
            daemon.append("visit_ended")
            await soon(lambda: listener.of("face_det/home/front/seen")[-1] == b"OFF")
            assert json.loads(listener.of("face_det/home/front/state")[-1])["people"] == "nobody"
        await soon(lambda: listener.of(STATUS)[-1] == b"offline")
        listener.close()

    asyncio.run(story())


def test_only_configurations_and_availability_are_retained(mosquitto):
    """Whoever connects later is not told of an old sighting as if it were new."""
    daemon = EventLog()

    async def story():
        listener = Listener(mosquitto)
        async with bridge(mosquitto, daemon):
            daemon.append("visit_began")
            daemon.append()
            await soon(lambda: listener.of(EVENT))
            kept = await asyncio.to_thread(retained, mosquitto)
        listener.close()
        assert kept.pop(STATUS) == b"online"
        assert len(kept) == 5
        assert all(topic.startswith("homeassistant/") and topic.endswith("/config") for topic in kept)

    asyncio.run(story())


def test_who_is_forgotten_is_also_forgotten_by_the_broker(mosquitto):
    """Even if the bridge was away meanwhile."""
    daemon = EventLog()
    daemon.people = ["Alice", "Bob"]

    async def story():
        async with bridge(mosquitto, daemon):
            assert len(await asyncio.to_thread(retained, mosquitto)) == 7
        daemon.people = ["Bob"]
        async with bridge(mosquitto, daemon):
            kept = await asyncio.to_thread(retained, mosquitto)
        assert len(kept) == 6
        assert not any(b"Alice" in payload for payload in kept.values())

    asyncio.run(story())


def test_killed_between_the_broker_and_the_cursor_it_sends_the_event_once(mosquitto):
    """The broker tells the next bridge which event it had last."""
    daemon = EventLog()

    async def story():
        listener = Listener(mosquitto)
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
        listener.close()

    asyncio.run(story())


def test_after_a_long_time_without_a_broker_events_are_late(mosquitto):
    """They come, each once, but not as something that happens now."""
    daemon = EventLog()

    async def story():
        async with bridge(mosquitto, daemon):
            pass
        daemon.append("visit_began", age_s=3600)
        daemon.append(age_s=3600)
        daemon.append("visit_ended", age_s=3500)
        daemon.append("visit_began", visit=2)
        daemon.append(name=None, visit=2)
        listener = Listener(mosquitto)
        async with bridge(mosquitto, daemon):
            await soon(lambda: seqs(listener) == [5])
        assert seqs(listener, LATE) == [2]
        states = {json.loads(one)["people"] for one in listener.of("face_det/home/front/state")}
        assert states == {"stranger"}
        listener.close()

    asyncio.run(story())


def test_home_assistant_that_starts_is_told_everything_but_events(mosquitto):
    """Configurations, who is there, and the last face."""
    daemon = EventLog()

    async def story():
        listener = Listener(mosquitto)
        async with bridge(mosquitto, daemon):
            daemon.append()
            await soon(lambda: seqs(listener) == [1])
            listener.messages.clear()
            listener.client.publish("homeassistant/status", "online", qos=1)
            await soon(lambda: listener.of("face_det/home/front/seen"))
            told = [topic for topic, _, _ in listener.messages if topic.endswith("/config")]
            assert len(told) == 5
            assert listener.of("face_det/home/front/image") == [FACE + b"1"]
            assert listener.of(EVENT) == []
        listener.close()

    asyncio.run(story())


def test_a_broker_that_restarts_gets_each_event_once(mosquitto):
    """Those that happened meanwhile, too."""
    daemon = EventLog()

    async def story():
        listener = Listener(mosquitto)
        async with bridge(mosquitto, daemon) as made:
            daemon.append()
            await soon(lambda: seqs(listener) == [1])
            await asyncio.to_thread(mosquitto.stop)
            await soon(lambda: not made.connection.usable)
            daemon.append()
            daemon.append()
            listener.close()
            await asyncio.to_thread(mosquitto.start)
            later = await asyncio.to_thread(Listener, mosquitto)
            await soon(lambda: daemon.cursors["mqtt-home"] == 3)
        assert made is not None
        later.close()

    asyncio.run(story())
