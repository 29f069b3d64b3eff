"""A program: decodes the stream, video file or device named on stdin; writes its newest pictures to stdout.

It is a process of its own because a decoder that crashes or hangs must not take its caller along, and because
FFmpeg takes what it may open from the environment. The address, which may contain a password, comes through
stdin, where no list of processes shows it. The program ends when stdin does.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from face_det.cameras.sources import ANY_CERTIFICATE, MAX_PIXELS
from face_det.streams import (
    RTSP_SCHEMES,
    CertificateRefused,
    StreamFailed,
    probe_stream,
    refuse_other_hosts,
    tls_options,
)

READY, PICTURE, FAILED = b"R", b"P", b"F"
HEADER = struct.Struct(">cdI")
"""A message's kind, a time on the monotonic clock, which processes share, and the length of what follows."""
ENDED = "its stream ended"

_JPEG_QUALITY = 95
_RETRIES = 5
"""How often reading is tried again after a damaged packet."""
_PAUSE_S = 1.0
_VIDEO_FORMATS = "mov,matroska,avi,mpegts,mpeg,flv,asf,mjpeg,h264,hevc,ogg,rawvideo"
# By itself FFmpeg would study a stream for five seconds before the first picture.
_RTSP = "rtsp_transport;tcp|analyzeduration;1000000|format_whitelist;rtsp,rtp|protocol_whitelist;rtsp,rtp,tcp"
_OPTIONS = {
    "rtsp": _RTSP,
    "rtsps": f"{_RTSP},rtsps,tls",
    # A file could name others to read, or an address to connect to.
    "file": f"protocol_whitelist;file|format_whitelist;{_VIDEO_FORMATS}",
}


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
        return scheme if scheme in (*RTSP_SCHEMES, "v4l2") else "file"

    @property
    def is_live(self) -> bool:
        """Tell whether it sets its own pace; a file, also one that stands in for a device, does not."""
        return self.kind in RTSP_SCHEMES or Path(self.path).is_char_device()

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
            os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = _options(order)
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
        _probe(order)
        while True:
            _read_once(order, newest)
            if not order.loop:
                break
        newest.fail(ENDED)
    except StreamFailed as failure:
        newest.fail(str(failure))
    except Exception as error:  # noqa: BLE001 - its text may contain the address
        newest.fail(f"cannot be read: {type(error).__name__}")


def _options(order: Order) -> str:
    return _OPTIONS[order.kind] + tls_options(order.address, verify_tls=order.verify_tls)


def _probe(order: Order) -> None:
    """Raise StreamFailed for what FFmpeg would not say, or would let pass."""
    if order.kind in RTSP_SCHEMES:
        try:
            probe_stream(order.address, order.timeout_s, verify_tls=order.verify_tls)
        except CertificateRefused as failure:
            raise StreamFailed(f"{failure} {ANY_CERTIFICATE}") from None


def _open_patiently(order: Order) -> Any:
    """Open it, once again if need be: some cameras serve one client, and the probe has just left."""
    try:
        return _open(order)
    except StreamFailed:
        if order.kind not in RTSP_SCHEMES:
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
        source = order.address if order.kind in RTSP_SCHEMES else order.path
        capture = cv2.VideoCapture(source, cv2.CAP_FFMPEG, [*limits, cv2.CAP_PROP_N_THREADS, 1])
    if not capture.isOpened():
        if order.kind in RTSP_SCHEMES:
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
        if order.kind in RTSP_SCHEMES:
            refuse_other_hosts(order.address)
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


if __name__ == "__main__":
    main()
