"""A stand-in for Immich: real HTTP, built from what its server's code says it answers, no Immich.

Routes, query parameters, bodies and fields are those of its people, search, faces and assets, from 1.126 on.
What Immich does not define is refused with 400, as its validation does.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

KEY = "an-immich-key"
SEARCH = {"personIds", "type", "page", "size", "withExif", "withPeople", "withDeleted", "order"}


class ImmichApi(ThreadingHTTPServer):
    """Serves `people`, (id, name); `faces`, by asset; and `previews`, by asset.

    Lists have `page_size` items a page, whatever is asked for. `status`, if set, is answered to everything;
    `asked` has the method and path of each request.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.people, self.faces, self.previews = [], {}, {}
        self.page_size, self.status, self.asked = 1, None, []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def show(self, asset, picture, size, *faces):
        """Add an asset with a preview and faces: (person's id or None, x1, y1, x2, y2), in `size`."""
        self.previews[asset] = picture
        self.faces[asset] = [
            {
                "id": f"{asset}-{place}",
                "imageWidth": size[0],
                "imageHeight": size[1],
                "boundingBoxX1": x1,
                "boundingBoxY1": y1,
                "boundingBoxX2": x2,
                "boundingBoxY2": y2,
                "sourceType": "machine-learning",
                "person": None if person is None else self._person(person),
            }
            for place, (person, x1, y1, x2, y2) in enumerate(faces)
        ]

    def _person(self, person):
        name = dict(self.people)[person]
        return {"id": person, "name": name, "birthDate": None, "isHidden": False, "thumbnailPath": "/p.jpeg"}

    def page(self, items, number):
        """A page of a list, from 1 on, and whether another one follows."""
        begun = (number - 1) * self.page_size
        return items[begun : begun + self.page_size], begun + self.page_size < len(items)


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        parts = urlsplit(self.path)
        query = {key: value[0] for key, value in parse_qs(parts.query).items()}
        if not self._admitted(parts.path):
            return
        if parts.path == "/api/people" and query.keys() <= {"page", "size", "withHidden"}:
            people, more = self.server.page(self.server.people, int(query.get("page", 1)))
            total = len(self.server.people)
            listed = [self.server._person(person) for person, _ in people]
            self._json({"people": listed, "total": total, "hidden": 0, "hasNextPage": more})
        elif parts.path == "/api/faces" and query.keys() == {"id"}:
            self._json(self.server.faces[query["id"]])
        elif parts.path.endswith("/thumbnail") and query == {"size": "preview"}:
            picture = self.server.previews.get(parts.path.split("/")[3])
            if picture is None:
                self._json({"message": "Not found or no asset.view access", "statusCode": 400}, 400)
            else:
                self._send(picture, "image/jpeg")
        else:
            self._json({"message": "Cannot GET", "statusCode": 404}, 404)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if not self._admitted(self.path):
            return
        if self.path != "/api/search/metadata" or not body.keys() <= SEARCH:
            self._json({"message": ["property should not exist"], "statusCode": 400}, 400)
            return
        (person,) = body["personIds"]
        theirs = [
            asset
            for asset, faces in self.server.faces.items()
            if any((face["person"] or {}).get("id") == person for face in faces)
        ]
        assets, more = self.server.page(theirs, body["page"])
        items = [{"id": asset, "originalFileName": f"{asset}.heic", "type": "IMAGE"} for asset in assets]
        following = str(body["page"] + 1) if more else None
        found = {
            "items": items,
            "count": len(items),
            "total": len(items),
            "facets": [],
            "nextPage": following,
        }
        self._json({"assets": found, "albums": {"items": [], "count": 0, "total": 0, "facets": []}})

    def _admitted(self, path):
        self.server.asked.append(f"{self.command} {path}")
        if self.server.status is not None:
            self._json({"message": "told to", "statusCode": self.server.status}, self.server.status)
        elif self.headers.get("x-api-key") != KEY:
            self._json({"message": "Invalid API key", "statusCode": 401}, 401)
        else:
            return True
        return False

    def _json(self, value, status=200):
        self._send(json.dumps(value).encode(), "application/json", status)

    def _send(self, body, kind, status=200):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
