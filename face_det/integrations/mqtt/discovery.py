"""Discovery messages for Home Assistant: one device with entities for each camera and each person.

Each entity has a retained message of its own at `homeassistant/<component>/<node>/<object>/config`, which
every Home Assistant with MQTT event entities reads (2023.8 and later). Its message for whole devices would
need 2024.11. https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from face_det import __version__
from face_det.integrations.mqtt.events import EVENT_TYPES

CAMERA_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
COMMAND = "command"
"""The topic level for commands; no camera has this id."""


@dataclass(frozen=True)
class Topics:
    """The topics of one installation, whose id is `node`; a camera may have any name, see `camera_id`.

    >>> Topics("home").event("front")
    'face_det/home/front/event'
    """

    node: str
    discovery_prefix: str = "homeassistant"

    @property
    def base(self) -> str:
        """The prefix of all topics except Home Assistant's."""
        return f"face_det/{self.node}"

    @property
    def status(self) -> str:
        """Whether we are there: `online` or `offline`, retained."""
        return f"{self.base}/status"

    @property
    def sync(self) -> str:
        """Where we publish to ourselves, to learn that everything before it has arrived."""
        return f"{self.base}/sync"

    @property
    def birth(self) -> str:
        """Where Home Assistant publishes that it has started (its birth message)."""
        return f"{self.discovery_prefix}/status"

    @property
    def configs(self) -> str:
        """A filter for the discovery messages that have been published."""
        return f"{self.discovery_prefix}/+/face_det_{self.node}/+/config"

    @property
    def events(self) -> tuple[str, str]:
        """Filters for what cameras have seen, in time and late."""
        return f"{self.base}/+/event", f"{self.base}/+/event/late"

    @property
    def commands(self) -> str:
        """A filter for commands."""
        return f"{self.base}/{COMMAND}/+"

    @property
    def result(self) -> str:
        """How a command went."""
        return f"{self.base}/result"

    def event(self, camera: str) -> str:
        """Somebody is seen now."""
        return f"{self.base}/{camera_id(camera)}/event"

    def late(self, camera: str) -> str:
        """Somebody was seen, but that could not be reported in time."""
        return f"{self.base}/{camera_id(camera)}/event/late"

    def heard(self, camera: str, *, late: bool = False) -> str:
        """Somebody speaks now or, with `late`, spoke, but that could not be reported in time."""
        return f"{self.base}/{camera_id(camera)}/heard{'/late' * late}"

    def state(self, camera: str) -> str:
        """Who is there."""
        return f"{self.base}/{camera_id(camera)}/state"

    def seen(self, camera: str) -> str:
        """Whether somebody is there: `ON` or `OFF`."""
        return f"{self.base}/{camera_id(camera)}/seen"

    def image(self, camera: str) -> str:
        """The last face, a JPEG."""
        return f"{self.base}/{camera_id(camera)}/image"

    def person(self, name: str) -> str:
        """Where somebody was seen last; see `object_id`."""
        return f"{self.base}/person/{object_id(name)}"

    def config(self, component: str, name: str) -> str:
        """The entity `name`."""
        return f"{self.discovery_prefix}/{component}/face_det_{self.node}/{name}/config"


def camera_id(name: str) -> str:
    """Return a camera's id in topics: its name, or one derived from it if topics may not contain it.

    >>> camera_id("front"), camera_id("Haustür 2")
    ('front', 'Haustur_2_8a4319')
    """
    if CAMERA_NAME.fullmatch(name) and name != COMMAND:
        return name
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.sub(r"[^A-Za-z0-9_-]+", "_", plain).strip("_")[:40] or "camera"
    return f"{words}_{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def object_id(name: str) -> str:
    """Return a person's id in topics: names may contain letters that topics may not.

    >>> object_id("Zoë")
    'person_c6a1269858'
    """
    return f"person_{hashlib.sha256(name.encode()).hexdigest()[:10]}"


def describe_entities(
    topics: Topics, cameras: Iterable[str], people: Iterable[str], page: str | None = None
) -> dict[str, bytes]:
    """Return the discovery messages for all entities, by topic; `page` is the page's address."""
    node = f"face_det_{topics.node}"
    device: dict[str, Any] = {"identifiers": [node], "name": "face_det", "sw_version": __version__}
    if page is not None:
        device["configuration_url"] = page
    found = {}

    def add(component: str, item: str, **about: Any) -> None:
        entity = {
            **about,
            "unique_id": f"{node}_{item}",
            "availability_topic": topics.status,
            "device": device,
            "origin": {"name": "face_det", "sw_version": __version__},
        }
        found[topics.config(component, item)] = json.dumps(entity, ensure_ascii=False).encode()

    for camera in cameras:
        _describe_camera(topics, camera, add)
    for person in people:
        add(
            "sensor",
            object_id(person),
            name=f"{person} last seen",
            state_topic=topics.person(person),
            value_template="{{ value_json.camera }}",
            json_attributes_topic=topics.person(person),
        )
    return found


def _describe_camera(topics: Topics, camera: str, add: Callable[..., None]) -> None:
    title = camera.replace("_", " ").replace("-", " ").capitalize()
    item = camera_id(camera)
    add(
        "event",
        f"{item}_event",
        name=f"{title} face",
        state_topic=topics.event(camera),
        event_types=list(EVENT_TYPES),
    )
    add(
        "sensor",
        f"{item}_people",
        name=f"{title} people",
        state_topic=topics.state(camera),
        value_template="{{ value_json.people }}",
        json_attributes_topic=topics.state(camera),
    )
    add(
        "binary_sensor",
        f"{item}_seen",
        name=f"{title} face seen",
        state_topic=topics.seen(camera),
        device_class="occupancy",
    )
    add(
        "image",
        f"{item}_image",
        name=f"{title} last face",
        image_topic=topics.image(camera),
        content_type="image/jpeg",
    )
