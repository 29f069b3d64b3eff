"""A broker that is encrypted, strict, wrong or away costs no event, and the log says what to do."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import subprocess
import tracemalloc

import pytest
from bridging import EVENT, LATE, bridge, seqs, soon
from event_log import EventLog
from mosquitto import MOSQUITTO, Listener, Mosquitto

import face_det.integrations.mqtt.bridge as bridge_module
import face_det.integrations.mqtt.connection as connection_module

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(MOSQUITTO is None, reason="needs Debian's mosquitto"),
]
PASSWD = shutil.which("mosquitto_passwd")


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    """Nobody waits half a minute for the next attempt."""
    monkeypatch.setattr(connection_module, "LONGEST_PAUSE_S", 0.5)
    monkeypatch.setattr(bridge_module, "REFUSED_PAUSE_S", 0.1)


@pytest.fixture
def brokers(tmp_path):
    """brokers("line of mosquitto.conf", ...): a broker of its own kind."""
    made = []

    def start(*settings):
        made.append(Mosquitto(tmp_path / f"broker-{len(made)}", *settings))
        return made[-1]

    yield start
    for one in made:
        one.stop()


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=300)


def make_authority(folder, name):
    """A certificate authority: (certificate, key)."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    openssl("req", "-x509", *kind, "-subj", f"/CN={name}", "-keyout", key, "-out", certificate)
    return certificate, key


def sign(folder, authority, name):
    """A certificate for 127.0.0.1 that an authority has signed: (certificate, key)."""
    certificate, key, request = (folder / f"{name}.{end}" for end in ("pem", "key", "csr"))
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", *kind, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
    extra = folder / "extensions"
    extra.write_text("subjectAltName=IP:127.0.0.1\n")
    by = ("-CA", authority[0], "-CAkey", authority[1], "-CAcreateserial", "-extfile", extra)
    openssl("x509", "-req", "-days", "2", "-in", request, *by, "-out", certificate)
    return certificate, key


# paho leaves the socket of a handshake that failed to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket")
@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
async def test_only_a_broker_of_the_right_authority_is_spoken_to(brokers, daemon, tmp_path, caplog):
    """With another authority in caFile nothing is sent, and the log says why; corrected, it works at once."""
    right, wrong = make_authority(tmp_path, "right"), make_authority(tmp_path, "wrong")
    certificate, key = sign(tmp_path, right, "broker")
    broker = brokers(f"certfile {certificate}", f"keyfile {key}")
    trusted = tmp_path / "trusted.pem"
    shutil.copy(wrong[0], trusted)
    access = {"tls": True, "ca_file": trusted}
    listener = Listener(broker, ca=right[0])
    async with bridge(broker, daemon, usable=False, access=access) as made:
        await soon(lambda: "certificate verify failed" in caplog.text)
        daemon.append()
        assert not made.connection.usable
        shutil.copy(right[0], trusted)
        await soon(lambda: made.connection.usable)
        daemon.append()
        await soon(lambda: 2 in seqs(listener))
    assert len(caplog.messages) == len(set(caplog.messages))
    listener.close()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
async def test_a_broker_may_want_our_certificate(brokers, daemon, tmp_path, caplog):
    """Without it there is no connection, and with it there is."""
    authority = make_authority(tmp_path, "authority")
    certificate, key = sign(tmp_path, authority, "broker")
    ours, our_key = sign(tmp_path, authority, "bridge")
    broker = brokers(
        *(f"certfile {certificate}", f"keyfile {key}", f"cafile {authority[0]}"),
        "require_certificate true",
    )
    access = {"tls": True, "ca_file": authority[0]}
    async with bridge(broker, daemon, usable=False, access=access) as made:
        await soon(lambda: "retrying" in caplog.text)
        assert not made.connection.usable
    async with bridge(broker, daemon, access={**access, "certificate": ours, "key": our_key}) as made:
        assert made.connection.usable


@pytest.mark.skipif(PASSWD is None, reason="needs mosquitto_passwd")
async def test_a_wrong_password_is_logged_once_and_costs_no_event(brokers, daemon, tmp_path, caplog):
    """The file is read at each attempt, so a correction needs no restart."""
    users, password = tmp_path / "users", tmp_path / "password"
    subprocess.run([PASSWD, "-b", "-c", users, "bridge", "right"], check=True, capture_output=True)
    broker = brokers("allow_anonymous false", f"password_file {users}")
    password.write_text("wrong\n")
    listener = Listener(broker, user="bridge", password="right")
    access = {"user": "bridge", "password_file": password}
    async with bridge(broker, daemon, usable=False, access=access):
        await soon(lambda: "refuses the connection: Not authorized" in caplog.text)
        await soon(lambda: "mqtt-home" in daemon.cursors)
        daemon.append()
        attempts = (broker.folder / "log").read_text().count("not authorised")
        await soon(lambda: (broker.folder / "log").read_text().count("not authorised") > attempts + 2)
        password.write_text("right\n")
        await soon(lambda: seqs(listener) == [1])
    assert [one for one in caplog.messages if "Not authorized" in one] == [
        f"broker 127.0.0.1:{broker.port}: refuses the connection: Not authorized; retrying"
    ]
    listener.close()


async def test_events_wait_for_a_topic_that_the_rules_refuse(brokers, daemon, tmp_path, caplog):
    """The log says once which topic and whose rules; when they are opened, everything comes, once each."""
    rules = tmp_path / "rules"
    rules.write_text("topic readwrite homeassistant/#\ntopic read #\ntopic write face_det/home/#\n")
    open_rules = rules.read_text()
    rules.write_text(open_rules + f"topic deny {EVENT}\n")
    broker = brokers(f"acl_file {rules}")
    listener = Listener(broker)
    async with bridge(broker, daemon):
        daemon.append()
        daemon.append()
        await soon(lambda: EVENT in caplog.text)
        tries = (broker.folder / "log").read_text().count("Denied PUBLISH from face_det-home")
        await soon(
            lambda: (broker.folder / "log").read_text().count("Denied PUBLISH from face_det-home") > tries + 2
        )
        assert seqs(listener) == []
        assert daemon.cursors["mqtt-home"] == 0
        rules.write_text(open_rules)
        broker.reload()
        await soon(lambda: daemon.cursors["mqtt-home"] == 2)
        await soon(lambda: seqs(listener)[-1:] == [2])
    assert seqs(listener) == [1, 2]
    assert [one for one in caplog.messages if EVENT in one] == [
        f"broker 127.0.0.1:{broker.port}: {EVENT}: must allow anybody to publish, got Not "
        "authorized; change the broker's access rules; events wait until then"
    ]
    listener.close()


async def test_rules_that_refuse_configurations_are_named_and_waited_for(brokers, daemon, tmp_path, caplog):
    """Without them Home Assistant would know nothing."""
    rules = tmp_path / "rules"
    rules.write_text("topic readwrite face_det/#\ntopic read #\n")
    broker = brokers(f"acl_file {rules}")
    async with bridge(broker, daemon, usable=False) as made:
        await soon(lambda: "must allow anybody to publish" in caplog.text)
        assert "homeassistant/event/face_det_home/front_event/config" in caplog.text
        assert not made.connection.usable
        rules.write_text("topic readwrite #\n")
        broker.reload()
        await soon(lambda: made.connection.usable)


async def test_a_broker_that_comes_hours_later_hears_everything_once(tmp_path, daemon, caplog):
    """What is too old comes as late; meanwhile there is one line in the log, not one for each attempt."""
    caplog.set_level(logging.INFO)
    broker = Mosquitto(tmp_path / "broker")
    broker.stop()
    async with bridge(broker, daemon, usable=False) as made:
        await soon(lambda: made.connection.reason and "mqtt-home" in daemon.cursors)
        for _ in range(5):
            daemon.append(age_s=7200)
        daemon.append()
        attempts, before = [], made.connection._connect

        async def counted():
            attempts.append(1)
            return await before()

        made.connection._connect = counted
        await soon(lambda: len(attempts) > 5)
        made.connection._connect = before
        daemon.held.add("events")
        await asyncio.to_thread(broker.start)
        listener = await asyncio.to_thread(Listener, broker)
        daemon.held.clear()
        await soon(lambda: daemon.cursors["mqtt-home"] == 6)
        await soon(lambda: seqs(listener) == [6])
    assert seqs(listener, LATE) == [1, 2, 3, 4, 5]
    said = [one for one in caplog.messages if one.startswith("broker ")]
    assert len(said) == 2
    assert said[0].endswith("retrying")
    assert said[1].endswith("is back")
    listener.close()
    broker.stop()


async def test_a_clock_that_is_set_costs_no_event_and_repeats_none(brokers, daemon):
    """Forwards or back: events are counted by numbers; nor does it hide where somebody was seen last."""
    broker = brokers()
    listener = Listener(broker)
    async with bridge(broker, daemon):
        for camera, age_s in (("front", 0), ("front", -7200), ("back", 0), ("front", 7200), ("front", 0)):
            daemon.append(age_s=age_s, camera=camera)
        await soon(lambda: daemon.cursors["mqtt-home"] == 5)
        await soon(lambda: seqs(listener)[-1:] == [5])
        places = [json.loads(payload) for topic, payload, _ in listener.messages if "/person/" in topic]
    async with bridge(broker, daemon):
        daemon.append()
        await soon(lambda: seqs(listener)[-1:] == [6])
    assert seqs(listener) == [1, 2, 5, 6]
    assert seqs(listener, "face_det/home/back/event") == [3]
    assert seqs(listener, LATE) == [4]
    assert [place["camera"] for place in places] == ["front", "front", "back", "back", "front"]
    listener.close()


async def _deliver(broker, count):
    """The most memory, in bytes, that a bridge takes while it delivers so many events; all must come."""
    daemon = EventLog()
    daemon.cursors["mqtt-home"] = 0
    for number in range(count):
        daemon.append(age_s=7200, camera="front", visit=number)
    heard = []
    listener = Listener(broker, topic=LATE)
    listener.client.on_message = lambda client, data, one: heard.append(one.mid)
    tracemalloc.start()
    try:
        async with bridge(broker, daemon):
            await soon(lambda: daemon.cursors["mqtt-home"] == count)
            await soon(lambda: len(heard) == count)
            return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        listener.close()


@pytest.mark.slow
async def test_ten_thousand_events_come_in_the_memory_of_a_few(brokers, monkeypatch):
    """The daemon keeps them; the bridge never holds more than a page. The log of events is a stand-in."""
    monkeypatch.setattr("bridging.PATIENCE_S", 800)
    few = await _deliver(brokers(), 200)
    many = await _deliver(brokers(), 10_000)
    assert many < few + 1_000_000, (few, many)
