"""The process that encodes: `main` writes the frames that it is sent, and finishes the file in any case.

cv2 does not tell when a disk is full. So room is reserved ahead of what is written, by fallocate, which does
tell; what is not used is given back. The reserve is enough for finishing the file.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from face_det.video.child_main import Caller

RESERVE_BYTES = 4_000_000
"""More than FFmpeg writes of one frame and of the index, in one go."""
_KEEP_SIZE = 1
_UNSUPPORTED = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENODEV}


def main() -> None:
    """Run the process."""
    os.environ["OPENCV_LOG_LEVEL"] = "SILENT"
    os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "16"
    caller = Caller()
    _Encoder(caller, caller.receive()).run()


class _Encoder:
    """Encodes one video."""

    def __init__(self, caller: Caller, request: dict[str, Any]) -> None:
        self._caller = caller
        self._temporary = Path(request["temporary"])
        self._target = Path(request["target"])
        self._fps = float(request["fps"])
        self._size = (int(request["size"][0]), int(request["size"][1]))
        self._reserve = _Reserve(self._temporary, RESERVE_BYTES + self._size[0] * self._size[1] // 2)
        self._writer: cv2.VideoWriter | None = None
        self._frames = 0

    def run(self) -> None:
        """Write frames until the caller says that it was the last, or goes."""
        failed: OSError | None = None
        try:
            self._write_all()
        except OSError as error:
            failed = error
        try:
            self._finish()
        except OSError as error:
            self._frames = 0
            failed = failed or error
            self._temporary.unlink(missing_ok=True)
        if failed is None:
            self._caller.send(done=self._frames)
        else:
            self._caller.send(error=failed.errno or errno.EIO, seconds=self._frames / self._fps)

    def _write_all(self) -> None:
        length = self._size[0] * self._size[1] * 3
        shared: mmap.mmap | None = None
        while True:
            try:
                message = self._caller.receive()
            except EOFError:
                return
            if "finish" in message:
                return
            shared = shared or mmap.mmap(self._caller.memory, os.fstat(self._caller.memory).st_size)
            pixels: Any = np.frombuffer(shared, np.uint8, length, message["offset"])
            self._reserve.renew()
            self._open().write(pixels.reshape(self._size[1], self._size[0], 3))
            self._frames += 1
            # A caller that has gone may have sent more before.
            with suppress(ConnectionError):
                self._caller.send(written=self._frames)

    def _open(self) -> cv2.VideoWriter:
        if self._writer is None:
            kind = cv2.VideoWriter.fourcc(*"VP80")
            self._writer = cv2.VideoWriter(str(self._temporary), cv2.CAP_FFMPEG, kind, self._fps, self._size)
            if not self._writer.isOpened():
                raise OSError(errno.EIO, "cannot be opened")
        return self._writer

    def _finish(self) -> None:
        """Put the file in its place, if it holds anything."""
        if self._writer is None:
            self._temporary.unlink(missing_ok=True)
            return
        self._writer.release()
        self._reserve.give_back()
        self._temporary.replace(self._target)


class _Reserve:
    """Room on the disk behind the end of a file that grows."""

    def __init__(self, path: Path, length: int) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._length = length
        self._until = 0
        self._libc = ctypes.CDLL(None, use_errno=True)

    def renew(self) -> None:
        """See to it that there is room for `length` bytes more. Raises OSError if there is none."""
        size = os.fstat(self._descriptor).st_size
        if size + self._length <= self._until:
            return
        if not self._allocate(size, 2 * self._length):
            self._allocate(size, self._length, must=True)

    def _allocate(self, start: int, length: int, *, must: bool = False) -> bool:
        arguments = (ctypes.c_int64(start), ctypes.c_int64(length))
        if self._libc.fallocate(self._descriptor, _KEEP_SIZE, *arguments) == 0:
            self._until = start + length
            return True
        number = ctypes.get_errno()
        if number in _UNSUPPORTED:
            # The file system cannot reserve: the room that is free now must do.
            found = os.fstatvfs(self._descriptor)
            if found.f_bavail * found.f_frsize >= length:
                return True
            number = errno.ENOSPC
        if must:
            raise OSError(number, os.strerror(number))
        return False

    def give_back(self) -> None:
        """Free what was reserved and not used, and flush the file to disk."""
        os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size)
        os.fsync(self._descriptor)
        os.close(self._descriptor)
