"""A program: decodes the stream, video file or device named on stdin; writes its newest pictures to stdout.

It is a process of its own because a decoder that crashes or hangs must not take its caller along, and because
FFmpeg takes what it may open from the environment. The address, which may contain a password, comes through
stdin, where no list of processes shows it. The program ends when stdin does.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from face_det.cameras.sources import MAX_PIXELS

READY, PICTURE, FAILED = b"R", b"P", b"F"
HEADER = struct.Struct(">cdI")
"""A message's kind, a time on the monotonic clock, which processes share, and the length of what follows."""
ENDED = "its stream ended"

_JPEG_QUALITY = 95
_RETRIES = 5
"""How often reading is tried again after a damaged packet."""
_PAUSE_S = 1.0
_VIDEO_FORMATS = "mov,matroska,avi,mpegts,mpeg,flv,asf,mjpeg,h264,hevc,ogg,rawvideo"
_AUTHORITIES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
"""Where systems keep the certificates of those who may sign others, in one file as FFmpeg needs it."""
# By itself FFmpeg would study a stream for five seconds before the first picture.
_RTSP = "rtsp_transport;tcp|analyzeduration;1000000|format_whitelist;rtsp,rtp|protocol_whitelist;rtsp,rtp,tcp"
_OPTIONS = {
    "rtsp": _RTSP,
    "rtsps": f"{_RTSP},rtsps,tls",
    # A file could name others to read, or an address to connect to.
    "file": f"protocol_whitelist;file|format_whitelist;{_VIDEO_FORMATS}",
}


class StreamFailed(Exception):
    """Why there are no more pictures, in words that follow a camera's name."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be read, as the line of JSON on stdin says."""

    address: str
    fps: float
    timeout_s: float
    verify_tls: bool
    loop: bool

    @property
    def kind(self) -> str:
        """How it is opened: `rtsp`, `rtsps`, `v4l2` or `file`."""
        scheme = urlsplit(self.address).scheme
        return scheme if scheme in ("rtsp", "rtsps", "v4l2") else "file"

    @property
    def is_live(self) -> bool:
        """Tell whether it sets its own pace; a file, also one that stands in for a device, does not."""
        return self.kind in ("rtsp", "rtsps") or Path(self.path).is_char_device()

    @property
    def path(self) -> str:
        """The path of a file or device."""
        from urllib.request import url2pathname

        return url2pathname(urlsplit(self.address).path)


class Newest:
    """Holds the newest picture for the thread that writes: older ones are replaced."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: tuple[float, Any] | None = None
        self._failure: str | None = None

    def put(self, at: float, bgr: Any) -> None:
        """Replace the picture."""
        with self._changed:
            self._item = at, bgr
            self._changed.notify()

    def fail(self, why: str) -> None:
        """Say that no more pictures come."""
        with self._changed:
            self._failure = why
            self._changed.notify()

    def take(self) -> tuple[float, Any]:
        """Wait for a picture and return it; raise StreamFailed after the last one."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._failure is not None)
            item, self._item = self._item, None
            if item is None:
                raise StreamFailed(self._failure)
            return item


def main() -> None:
    """Read the order, then write pictures until stdin ends or no more come."""
    order = Order(**json.loads(sys.stdin.buffer.readline()))
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    # FFmpeg reports to stdout as well.
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)
        if order.kind in _OPTIONS:
            os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = _OPTIONS[order.kind] + _tls_options(order)
        os.environ["OPENCV_LOG_LEVEL"] = "OFF"
        import cv2

        _send(out, READY, b"")
        newest = Newest()
        threading.Thread(target=_fill, args=(order, newest), daemon=True).start()
        try:
            while True:
                at, bgr = newest.take()
                done, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
                if done:
                    _send(out, PICTURE, jpeg.tobytes(), at)
        except StreamFailed as failure:
            _send(out, FAILED, str(failure).encode())
        except BrokenPipeError:
            pass
    # Without waiting for a decoder that hangs.
    os._exit(0)


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def _send(out: BinaryIO, kind: bytes, body: bytes, at: float = 0.0) -> None:
    out.write(HEADER.pack(kind, at, len(body)) + body)
    out.flush()


def _fill(order: Order, newest: Newest) -> None:
    """Read into `newest` until no more pictures come."""
    try:
        if order.kind in ("rtsp", "rtsps"):
            probe_rtsp(order.address, order.timeout_s, verify_tls=order.verify_tls)
        while True:
            _read_once(order, newest)
            if not order.loop:
                break
        newest.fail(ENDED)
    except StreamFailed as failure:
        newest.fail(str(failure))
    except Exception as error:  # noqa: BLE001 - its text may contain the address
        newest.fail(f"cannot be read: {type(error).__name__}")


def _open_patiently(order: Order) -> Any:
    """Open it, once again if need be: some cameras serve one client, and the probe has just left."""
    try:
        return _open(order)
    except StreamFailed:
        if order.kind not in ("rtsp", "rtsps"):
            raise
        time.sleep(_PAUSE_S)
        return _open(order)


def _open(order: Order) -> Any:
    import cv2

    limit_ms = round(order.timeout_s * 1000)
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, limit_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, limit_ms]
    if order.kind == "v4l2" and order.is_live:
        capture = cv2.VideoCapture(order.path, cv2.CAP_V4L2)
    else:
        source = order.address if order.kind in ("rtsp", "rtsps") else order.path
        capture = cv2.VideoCapture(source, cv2.CAP_FFMPEG, [*limits, cv2.CAP_PROP_N_THREADS, 1])
    if not capture.isOpened():
        if order.kind in ("rtsp", "rtsps"):
            hint = "check the user, the password and the path in its address"
            raise StreamFailed(f"its stream cannot be opened; {hint}")
        if order.kind == "v4l2" and order.is_live:
            raise StreamFailed("its device cannot be opened; is it there, and does no other program use it?")
        raise StreamFailed("must be a video that can be read, but it cannot be opened")
    return capture


def _read_once(order: Order, newest: Newest) -> None:
    """Read a stream to its end, or a file once, as fast as it plays."""
    import cv2

    capture = _open_patiently(order)
    try:
        if order.kind in ("rtsp", "rtsps"):
            _refuse_other_hosts(order.address)
        interval_s, due, failures, begun, pictures = 1 / order.fps, 0.0, 0, time.monotonic(), 0
        asked, paced = begun, not order.is_live
        while failures < _RETRIES:
            if not capture.grab():
                if time.monotonic() - asked >= order.timeout_s:
                    raise StreamFailed(f"no picture came within {order.timeout_s:g} s")
                failures += 1
                continue
            if paced:
                _wait_until(begun + _position_s(capture, cv2, pictures))
            failures, asked = 0, time.monotonic()
            if asked >= due - interval_s / 4:
                due = max(due, asked) + interval_s
                pictures += _retrieve(capture, newest)
            else:
                pictures += 1
        if not pictures:
            raise StreamFailed("its stream has no picture that can be read")
    finally:
        capture.release()


def _retrieve(capture: Any, newest: Newest) -> int:
    read, bgr = capture.retrieve()
    if not read:
        return 0
    if bgr.shape[0] * bgr.shape[1] > MAX_PIXELS:
        raise StreamFailed(f"its pictures must have at most {MAX_PIXELS:,} pixels")
    newest.put(time.monotonic(), bgr)
    return 1


def _position_s(capture: Any, cv2: Any, pictures: int) -> float:
    """Say when in the file the current picture is; from the count where the file does not say."""
    position_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
    fps = capture.get(cv2.CAP_PROP_FPS)
    return float(position_s) if position_s > 0 else pictures / (fps if 0.1 <= fps <= 1000 else 25)


def _wait_until(moment: float) -> None:
    if (left_s := moment - time.monotonic()) > 0:
        time.sleep(min(left_s, 10))


def probe_rtsp(address: str, timeout_s: float, *, verify_tls: bool) -> None:
    """Ask for the stream's description without a password, and raise StreamFailed for a clear fault.

    FFmpeg would follow a redirect to any host and does not say why a stream cannot be opened.
    """
    parts = urlsplit(address)
    host, secure = parts.hostname or "", parts.scheme == "rtsps"
    plain = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    try:
        with socket.create_connection((host, parts.port or (322 if secure else 554)), timeout_s) as link:
            link.settimeout(timeout_s)
            channel = _secured(link, host, verify_tls) if secure else link
            channel.sendall(
                f"DESCRIBE {plain} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n".encode()
            )
            status = _read_status(channel)
    except TimeoutError:
        raise StreamFailed(f"must answer within {timeout_s:g} s") from None
    except (OSError, ValueError) as error:
        if (why := getattr(error, "verify_message", None)) is not None:
            raise StreamFailed(
                f"its certificate is not accepted: {why}; it must be signed by an authority known here, "
                'for this address ("verifyTls": false accepts any)'
            ) from None
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise StreamFailed(f"cannot be reached: {reason}") from None
    if status == 401 and parts.username is None:
        raise StreamFailed("asks for a password (401); put a user and a password in its address")
    if 300 <= status < 400:
        raise StreamFailed(f"redirects elsewhere ({status}), which is refused; configure where it leads")
    if status not in (200, 401):
        raise StreamFailed(f"must answer with a stream, got {status}; check the path in its address")


def _authorities() -> str | None:
    """Return the file with the certificates of those who may sign a camera's; SSL_CERT_FILE may name it."""
    import ssl

    found = (ssl.get_default_verify_paths().cafile, *_AUTHORITIES)
    return next((path for path in found if path and Path(path).is_file()), None)


def _tls_options(order: Order) -> str:
    """Make FFmpeg check the certificate, which it does not do by itself."""
    if order.kind != "rtsps" or not order.verify_tls:
        return ""
    return f"|tls_verify;1|ca_file;{_authorities()}"


def _secured(link: socket.socket, host: str, verify_tls: bool) -> socket.socket:
    import ssl

    authorities = _authorities() if verify_tls else None
    if verify_tls and authorities is None:
        raise StreamFailed("its certificate cannot be checked: SSL_CERT_FILE must name the authorities' file")
    context = ssl.create_default_context(cafile=authorities)
    if not verify_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(link, server_hostname=host)


def _read_status(channel: socket.socket) -> int:
    """Return the status of the answer's first line."""
    line = b""
    while b"\n" not in line:
        piece = channel.recv(4096)
        if not piece or len(line) > 4096:
            break
        line += piece
    words = line.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"RTSP/") or not words[1].isdigit():
        raise StreamFailed("must answer as an RTSP server does, got something else")
    return int(words[1])


def _refuse_other_hosts(address: str) -> None:
    """Raise StreamFailed if FFmpeg is connected to another host than the configured one."""
    parts = urlsplit(address)
    ours = {found[4][0] for found in socket.getaddrinfo(parts.hostname, None)}
    for entry in os.listdir("/proc/self/fd"):  # noqa: PTH208
        try:
            with socket.socket(fileno=os.dup(int(entry))) as link:
                peer = link.getpeername()
        except OSError:
            continue
        if isinstance(peer, tuple) and peer[0] not in ours:
            raise StreamFailed("redirects elsewhere, which is refused; configure where it leads")


if __name__ == "__main__":
    main()
