"""A bridge in this process, between a real broker and the events of a test."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time

from mosquitto import PATIENCE_S

from face_det.integrations import Bridge, BridgeOptions, Broker, Topics

EVENT, LATE = "face_det/home/front/event", "face_det/home/front/event/late"
STATUS = "face_det/home/status"


async def soon(condition, what="it"):
    """Wait in the loop until condition() is true; its value."""
    end = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {PATIENCE_S} s for {what}"
        await asyncio.sleep(0.01)
    return value


@contextlib.asynccontextmanager
async def bridge(broker, daemon, *, usable=True, access=None, cameras=("front",), **options):
    """A bridge that is running; it is stopped as SIGTERM stops it.

    `access` has more about the broker; without `usable`, nobody waits for the connection.
    """
    place = Broker("127.0.0.1", broker.port, **(access or {}))
    made = Bridge(place, daemon, BridgeOptions(Topics("home"), cameras, **options))
    task, test = asyncio.create_task(made.run()), asyncio.current_task()
    # Otherwise a test would wait in vain for a bridge that has ended with an error.
    task.add_done_callback(lambda ended: ended.cancelled() or test.cancel())
    try:
        if usable:
            await soon(lambda: made.connection.usable, "the connection")
        yield made
    finally:
        task.cancel()
        result = (await asyncio.gather(task, return_exceptions=True))[0]
        assert isinstance(result, asyncio.CancelledError), result


def seqs(listener, topic=EVENT):
    """The numbers of the events that a listener has heard."""
    return [json.loads(payload)["seq"] for payload in listener.of(topic)]


def vanish(made):
    """End a bridge's connection as kill -9 does: nothing more is said to anybody."""
    made.connection._live.client.socket().shutdown(2)
