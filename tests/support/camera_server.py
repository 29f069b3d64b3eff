"""Cameras that speak http, as real servers: good ones, and those that stop, stall, lie or want a password."""

from __future__ import annotations

import hashlib
import http.server
import itertools
import ssl
import threading
from pathlib import Path

PASSWORD = "s3cret"
NONCE = "5f1d"


class CameraServer(http.server.ThreadingHTTPServer):
    """Serves `pictures` in turn, over TLS if it has a certificate, a file with its key.

    `asked` lists the paths of all requests.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(
        self,
        pictures: list[bytes],
        fps: float = 20,
        host: str = "127.0.0.1",
        certificate: Path | None = None,
    ):
        super().__init__((host, 0), _Handler)
        self.scheme = "http" if certificate is None else "https"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            # The handshake is left to each connection's own thread.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.pictures = pictures
        self.interval_s = 1 / fps
        self.asked: list[str] = []
        self.closing = threading.Event()
        self.broken = threading.Event()
        self.turn = itertools.count()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def address(self, path: str, credentials: str = "", host: str = "127.0.0.1") -> str:
        """The address of one of the paths that `_Handler` knows."""
        at = f"{credentials}@" if credentials else ""
        return f"{self.scheme}://{at}{host}:{self.server_address[1]}/{path}"

    def next_picture(self) -> bytes:
        """The next of the pictures, whoever asks."""
        return self.pictures[next(self.turn) % len(self.pictures)]

    def stop(self) -> None:
        """End all connections."""
        self.closing.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """Clients leave in the middle; that is what tests do."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append(self.path)
        name = self.path.strip("/").partition("?")[0].replace("-", "_").replace(".", "_")
        if self.server.broken.is_set():
            self.send_error(503)
            return
        getattr(self, f"serve_{name}")()

    def log_message(self, *args):
        pass

    def serve_snapshot_jpg(self):
        self._send(self.server.next_picture(), "image/jpeg")

    def serve_html(self):
        self._send(b"<h1>Log in</h1>", "text/html")

    def serve_redirect(self):
        self.send_response(302)
        self.send_header("Location", self.server.address("snapshot.jpg"))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def serve_basic(self):
        if self.headers.get("Authorization", "").startswith("Basic "):
            import base64

            words = base64.b64decode(self.headers["Authorization"].split()[1]).decode()
            if words == f"me:{PASSWORD}":
                self.serve_mjpeg()
                return
        self._ask('Basic realm="camera"')

    def serve_digest(self):
        given = self.headers.get("Authorization", "")
        fields = dict(
            part.strip().split("=", 1) for part in given.removeprefix("Digest ").split(", ") if "=" in part
        )
        fields = {name: value.strip('"') for name, value in fields.items()}

        def md5(text):
            return hashlib.md5(text.encode()).hexdigest()

        ours = md5(f"me:camera:{PASSWORD}"), md5(f"GET:{self.path}")
        if fields.get("response") == md5(f"{ours[0]}:{NONCE}:{ours[1]}"):
            self.serve_snapshot_jpg()
        else:
            self._ask(f'Digest realm="camera", nonce="{NONCE}"')

    def serve_mjpeg(self):
        self._stream("--frame", lambda data: b"Content-Length: %d\r\n" % len(data))

    def serve_without_lengths(self):
        self._stream("frame", lambda data: b"")

    def serve_lying_lengths(self):
        self._stream("frame", lambda data: b"Content-Length: %d\r\n" % (len(data) - 100))

    def serve_endless(self):
        self._stream("frame", lambda data: b"Content-Length: 99999999999\r\n")

    def serve_short(self):
        self._stream("frame", lambda data: b"Content-Length: %d\r\n" % len(data), most=3)

    def serve_stalling(self):
        self._stream("frame", lambda data: b"Content-Length: %d\r\n" % len(data), most=3)
        self.server.closing.wait()

    def serve_garbage(self):
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        while not self.server.closing.wait(0.001):
            self.wfile.write(b"\xff\xd8 nothing of the kind " * 100)

    def serve_silent(self):
        self.server.closing.wait()

    def serve_trickle(self):
        self.send_response(200)
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", "100000")
        self.end_headers()
        while not self.server.closing.wait(0.1):
            self.wfile.write(b"\xff")

    def _ask(self, kind):
        self.send_response(401)
        self.send_header("WWW-Authenticate", kind)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, data, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, boundary, more, most=None):
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={boundary}")
        self.end_headers()
        boundary = boundary.removeprefix("--")
        for _ in range(most) if most else itertools.count():
            data = self.server.next_picture()
            head = f"--{boundary}\r\nContent-Type: image/jpeg\r\n".encode()
            self.wfile.write(head + more(data) + b"\r\n" + data + b"\r\n")
            if self.server.closing.wait(self.server.interval_s) or self.server.broken.is_set():
                return


def small_pictures(*paths: Path, size: tuple[int, int] = (320, 240)) -> list[bytes]:
    """Photos as small JPEGs."""
    import io

    import PIL.Image

    found = []
    for path in paths:
        file = io.BytesIO()
        with PIL.Image.open(path) as picture:
            picture.convert("RGB").resize(size).save(file, "JPEG", quality=85)
        found.append(file.getvalue())
    return found
