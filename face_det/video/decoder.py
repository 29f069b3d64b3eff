"""The process that decodes: `main` opens what it is asked to and sends frame after frame.

It decodes a few frames ahead, into slots of the shared memory, and uses a slot again when the caller says
that it is free. Only FFmpeg reads here, and only what its whitelists let it: a playlist that is called
video.mp4 must not make it open other files or addresses.
"""

from __future__ import annotations

import mmap
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

from face_det.streams import RTSP_SCHEMES, StreamFailed, refuse_other_hosts
from face_det.video.child_main import Caller

SLOTS = 6
SLOT_BYTES = 100_000_000
"""All slots together are smaller than this, if one frame is."""
FAILURES = 250
"""After so many packets in a row that give no frame, a file has ended."""
ALIVE_S = 1.0
"""How often a process that passes frames over says that it is still there."""
PAUSE_S = 1.0
"""How long to wait before an RTSP stream is opened once more."""
_BYTES_PER_PIXEL = 40
"""What decoders keep, in reference frames and for several threads."""
_BASE_BYTES = 2 << 30
_MOST_FRAMES = 10**9
_DEFAULT_FPS = 25.0


def main() -> None:
    """Run the process."""
    caller = Caller()
    try:
        request = caller.receive()
        if request["address"] is None:
            request["address"] = f"/proc/self/fd/{caller.receive_descriptor()}"
    except (EOFError, OSError):
        return  # it was started in advance, and is not needed
    caller.exit_with_it()
    limit = _BASE_BYTES + _BYTES_PER_PIXEL * request["max_pixels"]
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = request["options"]
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "16")
    os.environ["OPENCV_LOG_LEVEL"] = "SILENT"
    try:
        _Decoder(caller, request).run()
    except MemoryError:
        caller.send(error="memory")


class _Decoder:
    """Decodes one video."""

    def __init__(self, caller: Caller, request: dict[str, Any]) -> None:
        self._caller = caller
        self._request = request
        self._map: mmap.mmap | None = None
        self._slots = 0
        self._slot_bytes = 0
        self._free: list[int] = []
        """The offsets of free slots in the shared memory."""
        self._told = False

    def run(self) -> None:
        """Send the measures, the frames and the end."""
        limit_ms = round(self._request["timeout_s"] * 1000)
        capture = cv2.VideoCapture()
        timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, limit_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, limit_ms]
        threads = [cv2.CAP_PROP_N_THREADS, min(4, os.cpu_count() or 1)]
        if not self._open(capture, timeouts + threads):
            return
        measures = [
            capture.get(what)
            for what in (
                cv2.CAP_PROP_FRAME_WIDTH,
                cv2.CAP_PROP_FRAME_HEIGHT,
                cv2.CAP_PROP_FRAME_COUNT,
                cv2.CAP_PROP_FPS,
            )
        ]
        if measures[0] * measures[1] > self._request["max_pixels"]:
            self._caller.send(error="too_large", width=measures[0], height=measures[1])
            return
        self._read(capture, _as_info(*measures[2:]))

    def _open(self, capture: cv2.VideoCapture, parameters: list[int]) -> bool:
        """Open it; False, after an error was sent, if that fails or leads elsewhere."""
        with _named(self._request["address"], self._request["suffix"]) as address:
            opened = capture.open(address, cv2.CAP_FFMPEG, parameters)
            if not opened and _speaks_rtsp(address):
                # Some cameras serve one client, and whoever probed it has just left.
                time.sleep(PAUSE_S)
                opened = capture.open(address, cv2.CAP_FFMPEG, parameters)
        if not opened:
            self._caller.send(error="unopened")
            return False
        if _speaks_rtsp(address):
            try:
                refuse_other_hosts(address)
            except (StreamFailed, OSError) as failure:
                self._caller.send(error="elsewhere", why=str(failure))
                return False
        return True

    def _read(self, capture: cv2.VideoCapture, info: dict[str, Any]) -> None:
        """Read on behind packets that cannot be decoded, which cv2 takes for the end."""
        every, dense = self._request["every"], self._request["dense"]
        index = failures = gaps = 0
        time_s, has_times = 0.0, False
        told = time.monotonic()
        while failures < (1 if self._request["stream"] else FAILURES):
            if not capture.grab():
                failures += 1
                continue
            gaps += failures > 0 and index > 0
            failures = 0
            told_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            has_times |= told_s > 0
            # A bare stream of H.264, say, has no times.
            time_s = max(time_s, told_s if has_times else index / (info["fps"] or _DEFAULT_FPS))
            if index < dense or index % every == 0:
                read, bgr = capture.retrieve()
                if read and not self._send(bgr, index, time_s, info):
                    return
                told = time.monotonic()
            elif time.monotonic() - told > ALIVE_S:
                self._caller.send(alive=index)
                told = time.monotonic()
            index += 1
        self._caller.send(end={"frames": index, "time_s": time_s, "gaps": gaps})

    def _send(self, bgr: np.ndarray[Any, Any], index: int, time_s: float, info: dict[str, Any]) -> bool:
        """Send a frame; False, after an error was sent, if it is too large."""
        height, width = bgr.shape[:2]
        if height * width > self._request["max_pixels"]:
            self._caller.send(error="too_large", width=width, height=height)
            return False
        offset = self._make_room(height * width * 3)
        if not self._told:
            self._told = True
            self._caller.send(info={"width": width, "height": height, **info}, slots=self._slots)
        target: Any = np.frombuffer(self._map, np.uint8, height * width * 3, offset)  # type: ignore[arg-type]
        shaped = target.reshape(height, width, 3)
        if bgr.ndim == 2:
            cv2.cvtColor(bgr, cv2.COLOR_GRAY2RGB, dst=shaped)
        else:
            cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=shaped)
        self._caller.send(frame=[index, time_s, offset, height, width])
        return True

    def _make_room(self, length: int) -> int:
        """Wait for a free slot and return its offset; slots that are too small are given up for new ones."""
        if length > self._slot_bytes:
            self._slots = max(1, min(SLOTS, SLOT_BYTES // length))
            self._slot_bytes = -(-length // mmap.PAGESIZE) * mmap.PAGESIZE
            # Behind the old ones, which the caller may still be looking at.
            begin = os.fstat(self._caller.memory).st_size
            needed = begin + self._slots * self._slot_bytes
            os.ftruncate(self._caller.memory, needed)
            self._map = mmap.mmap(self._caller.memory, needed)
            self._free = [*range(begin, needed, self._slot_bytes)]
        while not self._free:
            offset = self._caller.receive()["free"]
            if offset >= len(self._map or b"") - self._slots * self._slot_bytes:
                self._free.append(offset)
        return self._free.pop(0)


def _speaks_rtsp(address: str) -> bool:
    return address.partition("://")[0].lower() in RTSP_SCHEMES


@contextmanager
def _named(address: str, suffix: str) -> Iterator[str]:
    """Yield a name for the address that ends in the suffix: FFmpeg knows some formats only by it."""
    if not suffix:
        yield address
        return
    with TemporaryDirectory(prefix="face_det-") as folder:
        link = Path(folder, f"video{suffix}")
        link.symlink_to(address)
        yield str(link)


def _as_info(frames: float, fps: float) -> dict[str, Any]:
    """Return the numbers that make sense; FFmpeg gives -1.8e16 frames for a length that it does not know."""
    rate = fps if 0 < fps <= 1000 else None
    count = int(frames) if 0 < frames < _MOST_FRAMES else None
    return {"frames": count, "fps": rate, "duration_s": count / rate if count and rate else None}
