"""The nouns of moving pictures: a video's measures, one of its frames, and what reads them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType

from face_det.types import Rgb


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a video says of itself: size in pixels, number of frames, frames a second and length in seconds.

    `width` and `height` are those of the first frame, upright; later frames may have other sizes. What a
    video does not tell, or tells absurdly, is None. `frames` may be an estimate.
    """

    width: int
    height: int
    frames: int | None
    fps: float | None
    duration_s: float | None


@dataclass(frozen=True, eq=False, slots=True)
class VideoFrame:
    """A frame: its number in the video, from 0, its time in seconds from the start, and its pixels.

    `rgb` is uint8 of shape (H, W, 3), upright, and stays what it is for as long as anybody holds it. Times
    never go back.
    """

    index: int
    time_s: float
    rgb: Rgb


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which frames are wanted: the first `dense`, then every `every`-th."""

    every: int = 1
    dense: int = 0

    def wants(self, index: int) -> bool:
        """Tell whether a frame is wanted, by its number from 0.

        >>> [index for index in range(8) if Sampling(every=3, dense=2).wants(index)]
        [0, 1, 3, 6]
        """
        return index < self.dense or index % self.every == 0


class VideoReader(ABC):
    """Reads frames one after the other: an iterator of VideoFrame, and a context manager that ends it.

    A video that breaks off, or is damaged in places, yields what can be read. `problem` then says so in a
    sentence, once the iteration has ended; it is None if all is well.
    """

    def __init__(self, info: VideoInfo) -> None:
        self.info = info
        self.problem: str | None = None
        self._ended = False

    def __enter__(self) -> VideoReader:
        """Return the reader."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def __iter__(self) -> Iterator[VideoFrame]:
        """Return the reader: frames can be read once."""
        return self

    def __next__(self) -> VideoFrame:
        """Return the next frame."""
        frame = None if self._ended else self._next_frame()
        if frame is None:
            self.close()
            raise StopIteration
        return frame

    def close(self) -> None:
        """Stop reading and free everything; harmless if it has ended."""
        self._ended = True

    @abstractmethod
    def _next_frame(self) -> VideoFrame | None:
        """Return the next frame, or None at the end, with `problem` set if there is one."""
