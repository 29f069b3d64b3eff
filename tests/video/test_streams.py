"""Streams: a camera's motion JPEG over http that is good, falls silent, or never answers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2
import numpy as np
import pytest
from rtsp_fixtures import GOOD_START, answering, leading_to

from face_det.errors import VideoError
from face_det.video import open_video

FRAMES = 12


class Camera(BaseHTTPRequestHandler):
    """Sends frames, then falls silent; elsewhere leads to a file, to itself again, or to nothing."""

    def do_GET(self) -> None:
        if self.path.startswith("/elsewhere"):
            self.send_response(302)
            self.send_header("Location", "/video")
            self.end_headers()
            return
        if self.path == "/playlist":
            self._send(
                b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n/video\n#EXT-X-ENDLIST\n", "text/plain"
            )
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for index in range(FRAMES):
            picture = cv2.imencode(".jpg", np.full((120, 160, 3), 20 + 8 * index, np.uint8))[1].tobytes()
            self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\n")
            self.wfile.write(b"Content-Length: %d\r\n\r\n%s\r\n" % (len(picture), picture))
            time.sleep(0.01)
        if "silent" in self.path:
            self.server.released.wait(120)  # type: ignore[attr-defined]

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.apple.mpegurl")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def camera() -> Iterator[str]:
    """The address of a camera."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    server.released = threading.Event()  # type: ignore[attr-defined]
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://me:secret@127.0.0.1:{server.server_port}"
    server.released.set()  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


@pytest.mark.slow
def test_a_stream_that_ends_and_one_that_falls_silent(camera: str) -> None:
    """All frames come, and then the reason why there are no more."""
    for path in ("/video", "/silent"):
        with open_video(camera + path, timeout_s=3) as reader:
            frames = list(reader)
        assert len(frames) >= FRAMES - 1, path
        assert reader.problem == "the stream ended, or sent nothing for 3 s"
        assert reader.info.duration_s is None
        times = [frame.time_s for frame in frames]
        assert times == sorted(times)


@pytest.mark.slow
def test_streams_that_are_not_read(camera: str) -> None:
    """One that never answers, a redirection, a playlist: each is told, without the password."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        port = mute.getsockname()[1]
        for address in (
            f"http://me:secret@127.0.0.1:{port}/video?token=secret",
            f"{camera}/elsewhere",
            f"{camera}/playlist",
            "http://me:secret@127.0.0.1:1/video",
        ):
            began = time.monotonic()
            with pytest.raises(
                VideoError, match="must send video, but none could be read within 2 s"
            ) as caught:
                open_video(address, timeout_s=2)
            assert "secret" not in str(caught.value)
            assert time.monotonic() - began < 60


def test_a_place_stands_for_the_address(camera: str) -> None:
    """Whoever names cameras does not show their addresses."""
    with pytest.raises(VideoError, match=r"^camera door: must send video"):
        open_video(f"{camera}/elsewhere", timeout_s=2, place="camera door")


@pytest.mark.slow
def test_an_rtsp_server_is_asked_first(rtsp: Any) -> None:
    """Its faults have names, and no redirection is followed, also if a server at first pretends not to."""
    elsewhere = leading_to(rtsp.address("jpeg"))
    with (
        answering(None) as silent,
        answering(elsewhere) as honest,
        answering(GOOD_START, GOOD_START, elsewhere, host="127.0.0.2") as lying,
    ):
        for address, why in {
            rtsp.address("nothing"): "must answer with a stream, got 404; check the path in its address",
            rtsp.address("locked"): "asks for a password (401); put a user and a password in its address",
            silent: "must answer within 3 s",
            honest: "redirects elsewhere (302), which is refused; configure where it leads",
            lying: "redirects elsewhere, which is refused; configure where it leads",
            "rtsp:///video": "its address names no server",
        }.items():
            with pytest.raises(VideoError) as caught:
                open_video(address, timeout_s=3 if address == silent else 60)
            assert str(caught.value).endswith(f": {why}")
            assert "s3cret" not in str(caught.value)
    with open_video(rtsp.address("locked", "me:s3cret")) as reader:
        assert next(reader).rgb.shape == (240, 320, 3)
