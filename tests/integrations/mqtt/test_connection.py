"""The connection to a broker: it publishes, subscribes, and comes back."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import pytest
from mosquitto import Listener, Mosquitto, until

from face_det.errors import TopicRefused, Unreachable
from face_det.integrations import Broker, BrokerConnection, Message


@contextlib.asynccontextmanager
async def running(connection, received=None):
    """A connection that is used."""
    seen = []

    async def note(message):
        seen.append(message)

    task = asyncio.create_task(connection.run(received or note))
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def soon(condition):
    """Wait in the loop until condition() is true."""
    await asyncio.to_thread(until, condition)


def test_what_is_published_arrives_and_what_is_subscribed_to_comes(mosquitto):
    """The broker's word is awaited."""

    async def story():
        listener = Listener(mosquitto)
        connection = BrokerConnection(Broker("127.0.0.1", mosquitto.port), "me", topics=("a/+",))
        with pytest.raises(Unreachable, match="not connected yet"):
            await connection.publish("a/b", "early")
        async with running(connection) as seen:
            await connection.wait_usable()
            await connection.publish("a/b", "one")
            await soon(lambda: seen and listener.of("a/b"))
        assert [(one.topic, one.payload, one.retain) for one in seen] == [("a/b", b"one", False)]
        assert listener.of("a/b") == [b"one"]
        listener.close()

    asyncio.run(story())


def test_messages_that_need_no_acknowledgement_do_not_end_the_connection(mosquitto, caplog):
    """At QoS 0, as Home Assistant and Frigate publish by default: the broker keeps us, and all come."""

    async def story():
        sender = Listener(mosquitto, "nothing")
        connection = BrokerConnection(Broker("127.0.0.1", mosquitto.port), "me", topics=("a/+",))
        async with running(connection) as seen:
            await connection.wait_usable()
            for number in range(3):
                sender.client.publish("a/b", str(number), qos=0)
                await soon(lambda number=number: len(seen) > number)
            await connection.publish("a/b", "last")
            await soon(lambda: len(seen) == 4)
        sender.close()
        assert [one.payload for one in seen] == [b"0", b"1", b"2", b"last"]

    asyncio.run(story())
    assert "is lost" not in caplog.text


def test_it_comes_back_with_the_broker_and_the_log_says_so(mosquitto, caplog):
    """Subscriptions too; nothing can be published meanwhile."""
    caplog.set_level(logging.INFO)

    async def story():
        connection = BrokerConnection(Broker("127.0.0.1", mosquitto.port), "me", topics=("a",))
        async with running(connection) as seen:
            await connection.wait_usable()
            await asyncio.to_thread(mosquitto.stop)
            await soon(lambda: connection.reason)
            with pytest.raises(Unreachable):
                await connection.publish("a", "lost")
            await asyncio.to_thread(mosquitto.start)
            await connection.wait_usable()
            await connection.publish("a", "two")
            await soon(lambda: seen)
            assert [one.payload for one in seen] == [b"two"]

    asyncio.run(story())
    said = [record.message for record in caplog.records if "broker" in record.message]
    assert "the connection is lost" in said[0]
    assert "is back" in said[-1]


def test_the_will_tells_that_we_vanished(mosquitto):
    """The broker publishes it, as retained as it was given."""

    async def story():
        listener = Listener(mosquitto)
        will = Message("me/status", b"offline", retain=True)
        connection = BrokerConnection(Broker("127.0.0.1", mosquitto.port), "me", will=will)
        async with running(connection):
            await connection.wait_usable()
            connection._live.client.socket().shutdown(2)
            await soon(lambda: listener.of("me/status") == [b"offline"])
        listener.close()

    asyncio.run(story())


def test_a_refused_topic_is_an_error_that_says_what_to_change(tmp_path, mosquitto):
    """Of MQTT 3.1.1, the broker would take the message and drop it."""
    rules = tmp_path / "acl"
    rules.write_text("topic readwrite open/#\n")
    strict = Mosquitto(tmp_path / "strict", f"acl_file {rules}")

    async def story():
        connection = BrokerConnection(Broker("127.0.0.1", strict.port), "me")
        async with running(connection):
            await connection.wait_usable()
            await connection.publish("open/a", "1")
            with pytest.raises(TopicRefused, match=r"secret/a: must allow anybody to publish, got Not"):
                await connection.publish("secret/a", "1")

    try:
        asyncio.run(story())
    finally:
        strict.stop()
