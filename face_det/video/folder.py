"""A folder of pictures, read as a video."""

from __future__ import annotations

import re
from pathlib import Path

from face_det.errors import BadImage, VideoError
from face_det.media import find_pictures, load_image
from face_det.types import Rgb
from face_det.video.frames import Sampling, VideoFrame, VideoInfo, VideoReader

FPS = 25.0
"""How many pictures of a folder count as a second."""


class PictureFolder(VideoReader):
    """Reads the pictures of a folder in the order of their names, numbers in them by value."""

    def __init__(self, folder: Path, place: str, sampling: Sampling, max_pixels: int) -> None:
        """Find the pictures. Raises VideoError if none can be read."""
        self._max_pixels = max_pixels
        pictures = sorted(find_pictures(folder).pictures, key=_by_numbers)
        if not pictures:
            raise VideoError(f"{place}: a folder must hold pictures, got none")
        self._waiting = [(index, path) for index, path in enumerate(pictures) if sampling.wants(index)]
        self._waiting.reverse()
        self._unreadable: list[str] = []
        self._first = self._load()
        if self._first is None:
            raise VideoError(f"{place}: no picture of the folder can be read; {self._unreadable[0]}")
        height, width = self._first[1].shape[:2]
        super().__init__(VideoInfo(width, height, len(pictures), FPS, len(pictures) / FPS))

    def _next_frame(self) -> VideoFrame | None:
        loaded, self._first = self._first or self._load(), None
        if loaded is None:
            if self._unreadable:
                count = len(self._unreadable)
                what = "one picture" if count == 1 else f"{count} pictures"
                self.problem = f"{what} could not be read: {self._unreadable[0]}"
            return None
        return VideoFrame(loaded[0], loaded[0] / FPS, loaded[1])

    def _load(self) -> tuple[int, Rgb] | None:
        """Return the next picture that can be read, with its number."""
        while self._waiting:
            index, path = self._waiting.pop()
            try:
                return index, load_image(path, max_pixels=self._max_pixels)
            except BadImage as error:
                self._unreadable.append(str(error))
        return None


def _by_numbers(path: Path) -> list[tuple[int, str]]:
    """Return a key that puts frame 10 behind frame 2.

    >>> sorted(map(Path, ["f10.png", "f2.png"]), key=_by_numbers)
    [PosixPath('f2.png'), PosixPath('f10.png')]
    """
    parts = re.split(r"(\d+)", str(path))
    return [(int(part) if part.isdecimal() else -1, part) for part in parts]
