"""A web server that notes what it gets, and events to act upon."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class WebServer:
    """A server on this machine. `answers` has what to answer to each path: a status, or a function of the
    handler; 200 where there is nothing."""

    def __init__(self):
        self.requests, self.answers, self.leaving = [], {}, threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append((self.path, self.headers, body))
                answer = outer.answers.get(self.path, 200)
                if callable(answer):
                    answer(self)
                    return
                self.send_response(answer)
                if answer == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *words):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def hang(self, handler):
        """An answer that never comes."""
        self.leaving.wait()

    def trickle(self, handler):
        """An answer whose headers never end, though something always comes."""
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not self.leaving.wait(0.05):
            try:
                handler.wfile.write(b"X-More: 1\r\n")
            except OSError:
                return

    @property
    def paths(self):
        return [path for path, _, _ in self.requests]

    def stop(self):
        self.leaving.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def serving():
    server = WebServer()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def web():
    """The server."""
    with serving() as server:
        yield server


@pytest.fixture
def alice():
    """What a daemon tells of Alice at the door."""
    return {
        **{"seq": 7, "time": 0.0, "type": "seen", "camera": "door", "visit": 2, "sighting": 4},
        **{"outcome": "known", "name": "Alice", "unknown": None},
        **{"probability": 0.987654, "quality": 0.9, "frames": 2},
    }
