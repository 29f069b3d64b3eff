"""A stand-in for ZoneMinder's API: real HTTP with the routes, forms and shapes of 1.36, no ZoneMinder."""

from __future__ import annotations

import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

USER, PASSWORD = "faces", "open sesame"


class ZoneMinderApi(ThreadingHTTPServer):
    """Serves `events`, rows by number; the frames of one come from the folder in its FileSystemPath.

    `delay_s` holds each answer back, `on_get` is called before an event is answered, and `asked` has the
    method and path of each request.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.events, self.asked, self.tokens = {}, [], set()
        self.delay_s, self.on_get = 0.0, lambda eid: None
        self.editable = True
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/zm"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *about):
        pass

    def do_GET(self):
        self._answer("GET")

    def do_POST(self):
        self._answer("POST")

    def do_PUT(self):
        self._answer("PUT")

    def _answer(self, method):
        portal = self.server
        form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode())
        asked = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(asked.query).items()}
        path = asked.path.removeprefix("/zm/")
        portal.asked.append((method, path))
        time.sleep(portal.delay_s)
        if path == "api/host/login.json":
            if (form.get("user"), form.get("pass")) != ([USER], [PASSWORD]):
                return self._send(401, {"success": False})
            token = f"token{len(portal.tokens)}"
            portal.tokens.add(token)
            return self._send(
                200, {"access_token": token, "access_token_expires": 7200, "version": "1.36.33"}
            )
        if query.get("token") not in portal.tokens:
            return self._send(401, {"success": False})
        if found := re.fullmatch(r"api/events/(\d+)\.json", path):
            return self._event(method, int(found[1]), form)
        if found := re.fullmatch(r"api/frames/index/EventId:(\d+)\.json", path):
            numbers = [int(path.name[:5]) for path in self._folder(found[1]).glob("*-capture.jpg")]
            return self._send(200, {"frames": [{"Frame": {"FrameId": str(number)}} for number in numbers]})
        picture = self._folder(query["eid"]) / f"{int(query['fid']):05d}-capture.jpg"
        if not picture.is_file():
            return self._send(404, {})
        return self._send(200, picture.read_bytes(), "image/jpeg")

    def _folder(self, eid):
        return Path(self.server.events[int(eid)]["FileSystemPath"])

    def _event(self, method, eid, form):
        self.server.on_get(eid)
        row = self.server.events.get(eid)
        if row is None:
            return self._send(404, {"success": False, "data": {"name": "Invalid event"}})
        if method == "PUT":
            if self.server.editable:
                row["Notes"] = form["Event[Notes]"][0]
            return self._send(200, {"message": "Saved"})
        return self._send(200, {"event": {"Event": row, "Monitor": {"Id": "3", "Name": "Front"}}})

    def _send(self, status, body, kind="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
