"""Writes a video that browsers play, in a process of its own: VP8 in WebM."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np

from face_det.errors import BadRequest, CannotWrite
from face_det.storage import report_write_errors
from face_det.types import Rgb
from face_det.video.child import Child, ChildEnded

TIMEOUT_S = 300.0
"""How long a frame may take to be written, on a machine that is busy."""
SLOTS = 2
SUFFIX = ".webm"
MAX_SIDE = 16_383
"""VP8's limit in pixels."""


class VideoWriter:
    """Writes frames at an even rate; a context manager that closes the file.

    The file appears when it is closed, whole. It is finished, too, and can be played as far as it goes, if
    the program is interrupted or killed, or if the disk is full: the last raises CannotWrite, which says so.
    """

    def __init__(self, path: Path, fps: float, size: tuple[int, int]) -> None:
        """Start a video of `size` pixels, (width, height), which are made even, at `fps` frames a second.

        Raises BadRequest for another suffix than .webm or an impossible size or rate, CannotWrite if the
        file cannot be written.
        """
        self.path = path
        if path.suffix.lower() != SUFFIX:
            raise BadRequest(f"{path}: a video is written as {SUFFIX}, got {path.suffix!r}")
        self.size = (size[0] // 2 * 2, size[1] // 2 * 2)
        if not all(2 <= side <= MAX_SIDE for side in self.size) or not 0 < fps <= 1000:
            raise BadRequest(f"{path}: cannot write {size[0]} x {size[1]} pixels at {fps:g} frames a second")
        # Hidden, and with the suffix by which FFmpeg chooses the container.
        temporary = path.absolute().with_name(f".{secrets.token_hex(8)}{SUFFIX}")
        with report_write_errors(path, "nothing was written"):
            if path.exists() and not path.is_file():
                raise CannotWrite(f"{path}: must be a file, got something else; nothing was written")
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            request = {
                "temporary": str(temporary),
                "target": str(path.absolute()),
                "fps": fps,
                "size": self.size,
            }
            self._child = Child("face_det.video.encoder", grace_s=TIMEOUT_S)
            self._child.send(request)
        self._frame_bytes = self.size[0] * self.size[1] * 3
        os.ftruncate(self._child.memory, SLOTS * self._frame_bytes)
        self._written = 0
        self._closed = False

    def __enter__(self) -> VideoWriter:
        """Return the writer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the file."""
        self.close()

    def write(self, rgb: Rgb) -> None:
        """Add a frame, uint8 of shape (H, W, 3); one of another size is fitted in, with black borders.

        Raises CannotWrite; what was written before is then in the file, if anything was.
        """
        if self._closed:
            raise ValueError("the video is closed")
        if self._written >= SLOTS:
            self._check(self._receive())
        offset = self._written % SLOTS * self._frame_bytes
        whole = self._child.view(SLOTS * self._frame_bytes)
        target: Any = np.frombuffer(whole, np.uint8, self._frame_bytes, offset)
        fitted = _fit(rgb, self.size)
        cv2.cvtColor(fitted, cv2.COLOR_RGB2BGR, dst=target.reshape(self.size[1], self.size[0], 3))
        self._child.send({"offset": offset})
        self._written += 1

    def close(self) -> None:
        """Finish the file, which takes its place now; none appears if no frame was written.

        Raises CannotWrite. Harmless if it is closed.
        """
        if self._closed:
            return
        self._closed = True
        try:
            for _ in range(min(SLOTS, self._written)):
                self._check(self._receive())
            self._child.send({"finish": True})
            self._check(self._receive())
        finally:
            self._child.close()

    def _receive(self) -> dict[str, Any]:
        try:
            return self._child.receive(TIMEOUT_S)
        except ChildEnded as error:
            self._closed = True
            self._child.close()
            raise CannotWrite(f"{self.path}: cannot be written: {error}; nothing was changed") from None

    def _check(self, answer: dict[str, Any]) -> None:
        if "error" not in answer:
            return
        self._closed = True
        self._child.close()
        left = answer["seconds"]
        outcome = f"it holds the first {left:.1f} s" if left else "nothing was written"
        with report_write_errors(self.path, outcome):
            raise OSError(answer["error"], os.strerror(answer["error"]))


def _fit(rgb: Rgb, size: tuple[int, int]) -> Rgb:
    """Return a frame at that size: cut by a pixel, or scaled with black borders."""
    height, width = rgb.shape[:2]
    if (width // 2 * 2, height // 2 * 2) == size:
        return rgb[: size[1], : size[0]]
    scale = min(size[0] / width, size[1] / height)
    wide, high = max(1, round(width * scale)), max(1, round(height * scale))
    fitted: Rgb = np.zeros((size[1], size[0], 3), np.uint8)
    left, top = (size[0] - wide) // 2, (size[1] - high) // 2
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    fitted[top : top + high, left : left + wide] = cv2.resize(rgb, (wide, high), interpolation=method)
    return fitted
