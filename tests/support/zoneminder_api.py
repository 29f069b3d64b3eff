"""A stand-in for ZoneMinder's API: real HTTP with the routes, forms and shapes of 1.36, no ZoneMinder.

tests/integrations/zoneminder/installed asks a real 1.36. The tags of 1.38 are only here, after its source.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from stand_in import StandIn, StandInHandler

USER, PASSWORD = "faces", "open sesame"


class ZoneMinderApi(StandIn):
    """Serves `events`, rows by number; the frames of one come from the folder in its FileSystemPath.

    `delay_s` holds each answer back, `on_get` is called before an event is answered, and `asked` has the
    method and path of each request. `version` from 1.38 on has `tags`, and `tagged` (tag, event). Without
    `login`, everybody may do everything.
    """

    def __init__(self):
        super().__init__(_Handler)
        self.events, self.asked, self.tokens = {}, [], set()
        self.delay_s, self.on_get = 0.0, lambda eid: None
        self.editable, self.version = True, "1.36.33"
        self.login = True
        self.tags, self.tagged = [], []

    @property
    def url(self):
        return f"{super().url}/zm"


class _Handler(StandInHandler):
    def answer(self, method):
        portal = self.server
        form = parse_qs(self.read_body().decode())
        asked = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(asked.query).items()}
        path = asked.path.removeprefix("/zm/")
        portal.asked.append((method, path))
        time.sleep(portal.delay_s)
        if path == "api/host/login.json":
            if (form.get("user"), form.get("pass")) != ([USER], [PASSWORD]):
                return self.send(401, {"success": False})
            token = f"token{len(portal.tokens)}"
            portal.tokens.add(token)
            return self.send(
                200, {"access_token": token, "access_token_expires": 7200, "version": portal.version}
            )
        valid = not portal.login or query.get("token") in portal.tokens
        if path == "index.php":
            if not valid:
                return self.send(200, b"<!DOCTYPE html>", "text/html")
            return self._view(query)
        if not valid:
            return self.send(401, {"success": False})
        if path == "api/host/getVersion.json":
            return self.send(200, {"version": portal.version, "apiversion": "2.0"})
        if path == "api/host/getTimeZone.json":
            return self.send(200, {"tz": "UTC"})
        found = re.fullmatch(r"api/events/(\d+)\.json", path)
        return self._event(method, int(found[1]), query, form) if found else self.send(404, {})

    def _view(self, query):
        if query["view"] == "request":
            return self._tags(query)
        if query["view"] == "view_video":
            row = self.server.events[int(query["eid"])]
            return self.send(200, (self._folder(row["Id"]) / row["DefaultVideo"]).read_bytes(), "video/mp4")
        if "path" in query:
            picture = self._folder(Path(query["path"]).parent.name) / Path(query["path"]).name
        elif query["fid"] != "1":
            # It has no row, and so is none of the event's frames.
            return self.send(200, b"", "text/html")
        else:
            picture = self._folder(query["eid"]) / "00001-capture.jpg"
        if not picture.is_file():
            return self.send(404, b"", "text/html")
        return self.send(200, picture.read_bytes(), "image/jpeg")

    def _tags(self, query):
        """What 1.38 answers; earlier versions know no such request."""
        portal, action = self.server, query["action"]
        if portal.version < "1.38":
            return self.send(200, {"result": "Error", "message": "No such request"})
        if action == "getavailabletags":
            found = portal.tags
        elif action == "createtag":
            found = self._create_tag(query["tname"])
        elif action == "getselectedtags":
            found = [tag for tag in portal.tags if (tag["Id"], int(query["id"])) in portal.tagged]
        else:
            assert action == "addtag"
            if int(query["id"]) in portal.events:
                portal.tagged.append((int(query["tid"]), int(query["id"])))
            found = []
        return self.send(200, {"result": "Ok", "response": found})

    def _create_tag(self, name):
        """Names are unique, with at most 64 characters of latin1; whatever the database refuses is Ok."""
        tags = self.server.tags
        try:
            name.encode("cp1252")
        except UnicodeEncodeError:
            return []
        if len(name) > 64 or name in (tag["Name"] for tag in tags):
            return []
        tags.append({"Id": len(tags) + 1, "Name": name, "CreatedBy": 1})
        return tags[-1:]

    def _folder(self, eid):
        return Path(self.server.events[int(eid)]["FileSystemPath"])

    def _event(self, method, eid, query, form):
        self.server.on_get(eid)
        row = self.server.events.get(eid)
        if row is None:
            return self.send(404, {"success": False, "data": {"name": "Invalid event"}})
        if method == "PUT":
            if re.search(r"[^\0-\uffff]", form["Event[Notes]"][0]):
                # Its tables are utf8mb3.
                return self.send(500, {"success": False, "data": {"name": "An Internal Error Has Occurred."}})
            if self.server.editable:
                row["Notes"] = form["Event[Notes]"][0]
            return self.send(200, {"message": "Saved"})
        event = {"Event": row, "Monitor": {"Id": 3, "Name": "Front"}}
        if query.get("noframes") != "true":
            # Only one frame in a hundred has a row, if there was no motion.
            event["Frame"] = [{"Id": 1, "EventId": eid, "FrameId": 1, "Type": "Normal"}]
        return self.send(200, {"event": event})
