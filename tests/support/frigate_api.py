"""A stand-in for Frigate: real HTTP and MQTT, built from its API definition, no Frigate.

Routes, query parameters, bodies, limits and status codes are those of frigate/api/defs of versions 0.15 to
0.17; messages are those of docs/docs/integrations/mqtt.md.
What Frigate does not define is refused with 422.
"""

from __future__ import annotations

import json
import re
import threading
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, unquote, urlsplit

import paho.mqtt.client as paho
from mosquitto import until
from paho.mqtt.enums import CallbackAPIVersion
from stand_in import StandIn, StandInHandler

USER, PASSWORD = "faces", "open sesame, Frigate"
EVENTS_QUERY = {
    *("camera", "cameras", "label", "labels", "sub_label", "sub_labels", "zone", "zones", "limit"),
    *("after", "before", "time_range", "has_clip", "has_snapshot", "in_progress", "include_thumbnails"),
    *("favorites", "min_score", "max_score", "is_submitted", "min_length", "max_length", "sort", "timezone"),
}
SNAPSHOT_QUERY = {"download", "timestamp", "bbox", "crop", "height", "quality"}
ROW = {
    "label": "person",
    "sub_label": None,
    "end_time": None,
    "false_positive": None,
    "zones": [],
    "has_clip": False,
    "has_snapshot": True,
    "retain_indefinitely": False,
    "plus_id": None,
}


class FrigateApi(StandIn):
    """Serves `events`, rows by id, and pictures by (event or camera, kind).

    `login` makes it ask for a user, as port 8971 does, and `role` is that user's. `asked` has the method and
    path of each request, `labels` what sub labels were set: (id, name, score). `hold` is waited for before
    anything is answered, `down` answers everything with 502, `lists_none` the list of events.
    """

    def __init__(self, login=False):
        super().__init__(_Handler)
        self.events, self.pictures = {}, {}
        self.asked, self.labels, self.cookies = [], [], set()
        self.login, self.role, self.down = login, "admin", False
        self.lists_none = False
        self.hold = threading.Event()
        self.hold.set()

    def count(self, path):
        """How often a path was asked for."""
        return sum(asked == path for _, asked in list(self.asked))

    def close(self):
        self.hold.set()
        super().close()


class _Handler(StandInHandler):
    def answer(self, method):
        frigate = self.server
        body = self.read_body()
        asked = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(asked.query).items()}
        path = unquote(asked.path).removeprefix("/api/")
        frigate.asked.append((method, path))
        frigate.hold.wait(300)
        if frigate.down or (frigate.lists_none and path == "events"):
            return self.send(502, {"message": "Bad Gateway"})
        if (method, path) == ("POST", "login"):
            return self._log_in(json.loads(body))
        if frigate.login and not self._is_logged_in():
            return self.send(401, {"message": "Authentication required"})
        if (method, path) == ("GET", "profile"):
            return self.send(200, {"username": USER, "role": frigate.role})
        if (method, path) == ("GET", "events"):
            return self._events(query)
        if found := re.fullmatch(r"events/([^/]+)/sub_label", path):
            return self._sub_label(found[1], json.loads(body))
        if found := re.fullmatch(r"events/([^/]+)", path):
            row = frigate.events.get(found[1])
            return self.send(404, "Event not found") if row is None else self.send(200, row)
        if found := re.fullmatch(r"events/([^/]+)/(snapshot\.jpg|snapshot-clean\.(?:webp|png))", path):
            return self._picture(found[1], found[2], query, SNAPSHOT_QUERY)
        if found := re.fullmatch(r"([^/]+)/(latest\.jpg)", path):
            return self._picture(found[1], found[2], query, SNAPSHOT_QUERY)
        if found := re.fullmatch(r"([^/]+)/recordings/(\d+\.\d+)/snapshot\.jpg", path):
            return self._picture(found[1], "recorded", query, set())
        return self.send(404, {"detail": "Not Found"})

    def _log_in(self, form):
        frigate = self.server
        if (form.get("user"), form.get("password")) != (USER, PASSWORD):
            return self.send(401, {"message": "Login failed"})
        token = f"jwt{len(frigate.cookies)}"
        frigate.cookies.add(token)
        cookie = f"frigate_token={token}; HttpOnly; Path=/"
        return self.send(200, b"", "text/plain", {"Set-Cookie": cookie})

    def _is_logged_in(self):
        token = SimpleCookie(self.headers.get("Cookie", "")).get("frigate_token")
        return token is not None and token.value in self.server.cookies

    def _events(self, query):
        if not set(query) <= EVENTS_QUERY:
            return self.send(422, {"detail": "unknown parameters"})
        rows = list(self.server.events.values())
        for plural, key in (("labels", "label"), ("cameras", "camera")):
            if query.get(plural, "all") != "all":
                rows = [row for row in rows if row[key] in query[plural].split(",")]
        if "after" in query:
            rows = [row for row in rows if row["start_time"] > float(query["after"])]
        if "before" in query:
            rows = [row for row in rows if row["start_time"] < float(query["before"])]
        rows.sort(key=lambda row: row["start_time"], reverse=True)
        return self.send(200, rows[: int(query.get("limit", 100))])

    def _sub_label(self, event_id, body):
        frigate = self.server
        if frigate.login and frigate.role != "admin":
            return self.send(403, {"detail": "Role viewer not authorized. Required: admin"})
        name, score = body.get("subLabel"), body.get("subLabelScore")
        if not isinstance(name, str) or len(name) > 100 or (score is not None and not 0 < score <= 1):
            return self.send(422, {"detail": "sub label"})
        row = frigate.events.get(event_id)
        if row is None:
            return self.send(404, {"success": False, "message": f"Event {event_id} not found."})
        row["sub_label"] = name or None
        frigate.labels.append((event_id, name, score))
        return self.send(200, {"success": True, "message": f"Event {event_id} sub label set to {name}"})

    def _picture(self, owner, kind, query, known):
        if not set(query) <= known:
            return self.send(422, {"detail": "unknown parameters"})
        picture = self.server.pictures.get((owner, kind))
        if picture is None:
            return self.send(404, {"success": False, "message": "Snapshot not available"})
        return self.send(200, picture, "image/jpeg")


class FrigateMessages:
    """Publishes as Frigate does, at QoS 0, and changes the rows of its API with each message."""

    def __init__(self, api, broker):
        self._api = api
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        until(self._client.is_connected, "the broker")
        self._before = {}

    def tell(self, kind, event_id, camera="front", start=None, box=(0, 0, 1, 1), snapshot=None, **changed):
        """Publish `new`, `update` or `end`; `snapshot` is (time, box), `changed` other keys of the row."""
        row = self._api.events.setdefault(event_id, {**ROW, "id": event_id, "camera": camera, "data": {}})
        row.setdefault("start_time", start)
        row.update(changed)
        after = {
            **{key: value for key, value in row.items() if key != "data"},
            "frame_time": row["end_time"] or row["start_time"],
            "snapshot": snapshot and {"frame_time": snapshot[0], "box": list(snapshot[1]), "score": 0.9},
            "false_positive": False,
            "box": list(box),
            "stationary": False,
            "current_zones": row["zones"],
            "entered_zones": row["zones"],
        }
        # While an event goes on, its sub label is told together with its score.
        after["sub_label"] = row["sub_label"] and [row["sub_label"], 0.9]
        message = {"type": kind, "before": self._before.get(event_id, after), "after": after}
        self._before[event_id] = after
        self._client.publish("frigate/events", json.dumps(message), qos=0)

    def say(self, topic, payload):
        """Publish something else."""
        self._client.publish(topic, payload, qos=0)

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()
