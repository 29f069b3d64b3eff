"""A video whose frames a process decodes: the caller's side of decoder.py."""

from __future__ import annotations

import ctypes
import math
import weakref
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from face_det.errors import VideoError
from face_det.types import Rgb
from face_det.video.child import Child, ChildEnded
from face_det.video.frames import Sampling, VideoFrame, VideoInfo, VideoReader

START_S = 30.0
"""Beyond the timeout, what a busy machine may take to start a process."""
MISSING_SHARE = 0.02
MISSING_S = 0.5
"""A file is cut off if its frames end earlier than it says, by more than both of these."""

MOST_TOLD = 5
"""So many places are named in a message."""
MOST_LENT = 2
"""So many frames at once are lent to whoever reads, not copied out of the shared memory: the one that is
looked at, and the one before, which a loop holds while it waits for the next."""
SLOTS_AHEAD = 2
"""The process needs so many slots besides to decode ahead; where it has fewer, frames are copied."""

_DECODER = "face_det.video.decoder"
_NO_VIDEO = "must hold a video that can be decoded, got none; is it a video, and is it whole?"


@dataclass(frozen=True, slots=True)
class DecodeRequest:
    """What to decode and how.

    `address` is a stream's; None for a file, which is open as `descriptor`. `options` are FFmpeg's, `suffix`
    is that of the file's name, `is_mp4` says that it begins like an MP4 file.
    """

    place: str
    address: str | None
    options: str
    sampling: Sampling
    timeout_s: float
    max_pixels: int
    descriptor: int | None = None
    suffix: str = ""
    is_mp4: bool = False

    @property
    def is_stream(self) -> bool:
        """True for an address on the network, which has no end."""
        return self.descriptor is None


class DecodedVideo(VideoReader):
    """Reads a file or a stream."""

    def __init__(self, request: DecodeRequest) -> None:
        """Start the process and wait for the first frame. Raises VideoError if there is none."""
        self._request = request
        self._last_s = 0.0
        self._slots = self._lent = 0
        self._returned: deque[int] = deque()
        """The offsets of slots whose frames nobody holds any more."""
        options = {
            "address": request.address,
            "options": request.options,
            "suffix": request.suffix,
            "every": request.sampling.every,
            "dense": request.sampling.dense,
            "timeout_s": request.timeout_s,
            "max_pixels": request.max_pixels,
            "stream": request.is_stream,
        }
        try:
            self._child = _take_process()
        except OSError as error:
            raise VideoError(f"{request.place}: no process can be started: {error.strerror}") from error
        try:
            self._child.send(options)
            if request.descriptor is not None:
                self._child.send_descriptor(request.descriptor)
            answer = self._receive(START_S)
            if "info" not in answer:
                raise VideoError(f"{request.place}: {self._explain(answer)}")
            self._slots = answer["slots"]
            super().__init__(_checked_info(answer["info"]))
        except ChildEnded as error:
            self._child.close()
            raise VideoError(f"{request.place}: {_NO_VIDEO} ({error})") from None
        except BaseException:
            self._child.close()
            raise

    @property
    def process_id(self) -> int:
        """The id of the process that decodes."""
        return self._child.pid

    def close(self) -> None:
        """End the process."""
        super().close()
        self._child.close()

    def _next_frame(self) -> VideoFrame | None:
        self._free_returned()
        try:
            answer = self._receive(0)
            if "frame" in answer:
                return self._take(*answer["frame"])
            self.problem = self._explain_end(answer["end"]) if "end" in answer else self._explain(answer)
        except ChildEnded as error:
            self.problem = f"the video is read up to {self._last_s:.1f} s: {error}"
        return None

    def _receive(self, extra_s: float) -> dict[str, Any]:
        while True:
            # The process keeps the time itself; it is given a little longer to say so.
            answer = self._child.receive(self._request.timeout_s + extra_s + 2.0)
            if "alive" not in answer:
                return answer

    def _take(self, index: int, time_s: float, offset: int, height: int, width: int) -> VideoFrame:
        """Take a frame out of the shared memory. Nothing that the process says is believed unchecked."""
        numbers = (index, offset, height, width)
        if not all(isinstance(number, int) and number >= 0 for number in numbers):
            raise ChildEnded("its process sent nonsense")
        if not 0 < height * width <= self._request.max_pixels or not math.isfinite(time_s):
            raise ChildEnded("its process sent nonsense")
        rgb = self._pixels(offset, height * width * 3).reshape(height, width, 3)
        self._last_s = max(self._last_s, float(time_s))
        return VideoFrame(index, self._last_s, rgb)

    def _pixels(self, offset: int, length: int) -> Rgb:
        """Return pixels from the shared memory: lent, until nobody holds them any more, or a copy."""
        whole = self._child.view(offset + length)
        pixels: Rgb
        if self._lent < min(MOST_LENT, self._slots - SLOTS_AHEAD):
            # An array's views may outlive it, but not the memory that it was made from.
            memory: Any = (ctypes.c_uint8 * length).from_buffer(whole, offset)
            weakref.finalize(memory, self._returned.append, offset).atexit = False
            self._lent += 1
            pixels = np.frombuffer(memory, np.uint8)
        else:
            pixels = np.frombuffer(whole, np.uint8, length, offset).copy()
            self._child.send({"free": offset})
        return pixels

    def _free_returned(self) -> None:
        while self._returned:
            self._child.send({"free": self._returned.popleft()})
            self._lent -= 1

    def _explain(self, answer: dict[str, Any]) -> str:
        """Say why there is no frame."""
        if answer.get("error") == "too_large":
            size = f"{answer['width']:,.0f} x {answer['height']:,.0f}"
            return f"must have at most {self._request.max_pixels:,} pixels in a frame, got {size}"
        if answer.get("error") == "memory":
            return "decoding it takes more memory than is allowed"
        if answer.get("error") == "elsewhere":
            return str(answer["why"])
        if self._request.is_stream:
            return f"must send video, but none could be read within {self._request.timeout_s:g} s"
        if self._request.is_mp4 and "moov atom not found" in self._child.read_log():
            return "must be a whole file, but its index is missing: it is cut off, or still being written"
        return _NO_VIDEO

    def _explain_end(self, end: dict[str, Any]) -> str | None:
        if self._request.is_stream:
            return f"the stream ended, or sent nothing for {self._request.timeout_s:g} s"
        told = []
        if end["gaps"]:
            places = "one damaged place was" if end["gaps"] == 1 else f"{end['gaps']} damaged places were"
            told.append(f"{places} passed over")
        if end["unread"]:
            times = ", ".join(f"{time_s:.1f} s" for time_s in end["unread"][:MOST_TOLD])
            told.append(f"the part that begins after {times} cannot be decoded and was not looked at")
        missing = self._missing(end)
        if missing is not None:
            told.append(missing)
        return "; ".join(told) or None

    def _missing(self, end: dict[str, Any]) -> str | None:
        """Say how much is missing at the end, by its own account of its length."""
        duration, fps, frames = self.info.duration_s, self.info.fps, self.info.frames
        if duration is None or fps is None or frames is None:
            return None
        missing = duration - (end["time_s"] + 1 / fps)
        # A variable rate makes the number of frames wrong, a gap the time: both must agree.
        if missing < max(MISSING_S, duration * MISSING_SHARE) or end["frames"] >= frames * (
            1 - MISSING_SHARE
        ):
            return None
        return f"it is cut off: it ends after {end['time_s']:.1f} s of {duration:.1f} s"


_prepared: list[Child] = []
"""A process that waits for the next video, if there is one."""


def prepare_decoding() -> None:
    """Start the process for the next video in advance: it takes a fifth of a second to start.

    It ends with this one. Where the system has no room for it, nothing happens: opening the video will tell.
    """
    if not _prepared:
        with suppress(OSError):
            _prepared.append(Child(_DECODER))


def _take_process() -> Child:
    """Return a process that waits for a video. Raises OSError if the system has no room for one."""
    with suppress(IndexError):
        child = _prepared.pop()
        if child.runs:
            return child
        child.close()
    return Child(_DECODER)


def _checked_info(info: dict[str, Any]) -> VideoInfo:
    return VideoInfo(info["width"], info["height"], info["frames"], info["fps"], info["duration_s"])
