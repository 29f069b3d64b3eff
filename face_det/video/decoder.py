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
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

from face_det.streams import RTSP_SCHEMES, StreamFailed, refuse_other_hosts
from face_det.video.child_main import Caller
from face_det.video.parts import find_parts

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


@dataclass(slots=True)
class _Count:
    """How far the file is read: the number of the next frame, the time of the latest, and damaged places."""

    index: int = 0
    time_s: float = 0.0
    gaps: int = 0


class _Clock:
    """Says when each frame of a video is shown, which begins where another one ended, and never goes back.

    >>> clock = _Clock(_Count(), fps=10.0)
    >>> [round(clock.tick(told_s), 1) for told_s in (0.0, 0.1, 0.2, 0.0, 0.1)]
    [0.0, 0.1, 0.2, 0.3, 0.4]
    """

    def __init__(self, count: _Count, fps: float) -> None:
        self._count, self._step_s = count, 1 / fps
        self._begin_s = count.time_s + self._step_s if count.index else 0.0
        self._has_times = False
        self.frames = 0

    def tick(self, told_s: float) -> float:
        """Take account of a frame, and of its time as FFmpeg tells it; return when it is shown."""
        self._has_times |= told_s > 0
        # A bare stream of H.264, say, has no times.
        time_s = self._begin_s + (told_s if self._has_times else self.frames * self._step_s)
        if self.frames and time_s < self._count.time_s:
            # Streams that were put together begin anew.
            self._begin_s += self._count.time_s + self._step_s - time_s
            time_s = self._count.time_s + self._step_s
        self._count.time_s = max(self._count.time_s, time_s)
        self.frames += 1
        return self._count.time_s


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
        self._count = _Count()
        self._unread: list[float] = []
        """When the parts that cannot be decoded begin."""
        self._spoke_s = time.monotonic()

    def run(self) -> None:
        """Send the measures, the frames and the end."""
        count = self._count
        with _named(self._request["address"], self._request["suffix"]) as address:
            parts = [address] if self._request["stream"] else self._parts(address)
            for number, part in enumerate(parts):
                capture = self._open(part, first=number == 0)
                if capture is None and number == 0:
                    return
                begin, begin_s = count.index, count.time_s
                if capture is not None and not self._read(
                    capture, self._info(capture, alone=len(parts) == 1)
                ):
                    return
                if count.index == begin and len(parts) > 1:
                    self._unread.append(begin_s)
        end = {"frames": count.index, "time_s": count.time_s, "gaps": count.gaps, "unread": self._unread}
        self._caller.send(end=end)

    def _parts(self, address: str) -> list[str]:
        """Return addresses of the videos in a file, of which FFmpeg would read one only."""
        descriptor = os.open(address, os.O_RDONLY | os.O_CLOEXEC)
        try:
            begins = find_parts(descriptor, self._stay_alive)
        finally:
            os.close(descriptor)
        if len(begins) == 1:
            return [address]
        ends = [*begins[1:], 0]
        return [
            f"subfile,,start,{begin},end,{end},,:{address}" for begin, end in zip(begins, ends, strict=True)
        ]

    def _open(self, address: str, *, first: bool) -> cv2.VideoCapture | None:
        """Open an address; None if that fails or leads elsewhere, after an error was sent about the first."""
        limit_ms = round(self._request["timeout_s"] * 1000)
        timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, limit_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, limit_ms]
        parameters = [*timeouts, cv2.CAP_PROP_N_THREADS, min(4, os.cpu_count() or 1)]
        capture, error = cv2.VideoCapture(), {"error": "unopened"}
        opened = capture.open(address, cv2.CAP_FFMPEG, parameters)
        if _speaks_rtsp(address):
            if not opened:
                # Some cameras serve one client, and whoever probed it has just left.
                time.sleep(PAUSE_S)
                opened = capture.open(address, cv2.CAP_FFMPEG, parameters)
            try:
                refuse_other_hosts(address)
            except (StreamFailed, OSError) as failure:
                opened, error = False, {"error": "elsewhere", "why": str(failure)}
        if not opened and first:
            self._caller.send(**error)
        return capture if opened else None

    def _info(self, capture: cv2.VideoCapture, *, alone: bool) -> dict[str, Any]:
        """Return what a video says of its length, if it is `alone` in the file, and rate."""
        frames = capture.get(cv2.CAP_PROP_FRAME_COUNT) if alone else 0
        return _as_info(frames, capture.get(cv2.CAP_PROP_FPS))

    def _read(self, capture: cv2.VideoCapture, info: dict[str, Any]) -> bool:
        """Send its frames; False, after an error was sent, if they are too large.

        Reads on behind packets that cannot be decoded, which cv2 takes for the end.
        """
        width, height = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        if width * height > self._request["max_pixels"]:
            self._caller.send(error="too_large", width=width, height=height)
            return False
        every, dense, count = self._request["every"], self._request["dense"], self._count
        failures, clock = 0, _Clock(count, info["fps"] or _DEFAULT_FPS)
        while failures < (1 if self._request["stream"] else FAILURES):
            if not capture.grab():
                failures += 1
                continue
            count.gaps += failures > 0 and clock.frames > 0
            failures = 0
            clock.tick(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
            if count.index < dense or count.index % every == 0:
                read, bgr = capture.retrieve()
                if read and not self._send(bgr, count.index, count.time_s, info):
                    return False
                self._spoke_s = time.monotonic()
            else:
                self._stay_alive(count.index)
            count.index += 1
        return True

    def _stay_alive(self, reached: int) -> None:
        """Say from time to time that something is still done."""
        if time.monotonic() - self._spoke_s > ALIVE_S:
            self._caller.send(alive=reached)
            self._spoke_s = time.monotonic()

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
