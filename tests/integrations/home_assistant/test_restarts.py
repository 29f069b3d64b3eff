"""What Home Assistant shows and does when somebody is seen, and while parts of the house restart."""

from __future__ import annotations

import itertools
import re

import pytest
from mosquitto import retained, until

PARTS = ("broker", "bridge", "daemon", "hass")
NOTE = "Alice is at the door"
RESTARTS = [
    *((part,) for part in PARTS),
    *itertools.permutations(PARTS, 2),
]
"""Which parts are stopped, in this order, and then started in this order."""


def seen_once(house, photo="obama3"):
    """Somebody comes and goes; everybody is told once, and not of anything else."""
    before, notes = len(house.told()), len(house.hass.notified())
    house.show(photo)
    until(lambda: len(house.told()) > before, "the event")
    until(lambda: len(house.hass.notified()) > notes, "the notification")
    house.settle()
    assert len(house.told()) == before + 1
    assert house.hass.notified() == [NOTE] * (notes + 1)


def test_the_documented_entities_show_who_is_there(house, yaml_blocks):
    """A stranger comes and goes, then Alice; each entity is as the table says."""
    house.settle()
    states = {name: one["state"] for name, one in house.hass.entities().items() if "face_det_" in name}
    assert states == {
        "event.face_det_front_face": "unknown",
        "sensor.face_det_front_people": "nobody",
        "binary_sensor.face_det_front_face_seen": "off",
        "image.face_det_front_last_face": "unknown",
        "sensor.face_det_alice_last_seen": "unknown",
    }
    for photo, kind, label in (("biden", "stranger", "stranger"), ("obama3", "known", "Alice")):

        def there(kind=kind, label=label):
            # Each entity hears of it in a message of its own.
            found = house.hass.entities()
            return (
                found["sensor.face_det_front_people"]["state"] == label
                and found["binary_sensor.face_det_front_face_seen"]["state"] == "on"
                and found["event.face_det_front_face"]["attributes"]["event_type"] == kind
                and found
            )

        with house.showing(photo):
            found = until(there, label)
        event = found["event.face_det_front_face"]["attributes"]
        assert event["person"] == (label if kind == "known" else None)
        assert {"proba", "sighting", "visit", "ts", "seq"} <= event.keys()
        assert house.hass.picture("image.face_det_front_last_face")[:3] == b"\xff\xd8\xff"
        # A phone asks for the picture of a notification with its own token.
        assert house.hass.read(re.search(r"image: (\S+)", "".join(yaml_blocks))[1])[:3] == b"\xff\xd8\xff"
        house.settle()
        assert house.hass.state("sensor.face_det_front_people") == "nobody"
    assert house.hass.state("sensor.face_det_alice_last_seen") == "front"
    known = [one for one in house.told() if one["event_type"] == "known"]
    assert house.hass.notified() == [NOTE] * len(known) != []


@pytest.mark.parametrize("parts", RESTARTS, ids="-".join)
def test_a_restart_repeats_nothing(house, parts):
    """One sighting, one notification; none when anything comes back; the next sighting is told again."""
    house.settle()
    seen_once(house)
    told, notes = house.told(), house.hass.notified()
    for part in parts:
        house.stop(part)
    for part in parts:
        house.start(part)
    house.settle()
    assert house.told() == told
    assert house.hass.notified() == notes
    seen_once(house)


def test_who_came_while_the_bridge_was_away_is_told_once(house):
    """By the automation, too, because Home Assistant was there."""
    house.settle()
    before, notes = len(house.told()), len(house.hass.notified())
    house.stop("bridge")
    house.show("obama3")
    house.start("bridge")
    until(lambda: len(house.hass.notified()) > notes, "the notification")
    house.settle()
    assert len(house.told()) == before + 1
    assert house.hass.notified() == [NOTE] * (notes + 1)


def test_who_came_while_the_broker_was_away_is_told_once_to_the_broker(house):
    """It is published as soon as the broker is back; who connects later than that misses it."""
    house.settle()
    notes = len(house.hass.notified())
    house.stop("broker")
    house.show("obama3")
    house.start("broker")
    house.settle()
    with_it = house.hass.notified()
    assert with_it in ([NOTE] * notes, [NOTE] * (notes + 1))
    seqs = [one["seq"] for one in house.told()]
    assert len(set(seqs)) == len(seqs)
    seen_once(house)


def test_nobody_who_connects_later_hears_of_a_sighting(house):
    """The broker keeps configurations and availability, and the name of somebody only in a configuration."""
    kept = retained(house.broker)
    assert kept.pop("face_det/home/status") == b"online"
    kept = {topic: payload for topic, payload in kept.items() if payload not in (b"online",)}
    assert len(kept) == 5
    assert all(topic.startswith("homeassistant/") and topic.endswith("/config") for topic in kept)
