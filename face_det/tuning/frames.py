"""The frames to step through: a picture, what was recorded about it, and where the two come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from face_det.errors import BadImage, DataError
from face_det.media import (
    LoadedImage,
    find_pictures,
    load_perhaps_partial,
    read_image_bytes,
    resolve_image_path,
)
from face_det.types import Box

PERSON = "person"
"""The name of the objects whose boxes are searched for faces."""


@dataclass(frozen=True, slots=True)
class StoredLabel:
    """An object that was found in a frame, and whose face it was said to be.

    `face` is the stored name; it means something only if the label was `judged`, because an object that
    nobody searched for faces has no answer, not even null. `confidence` is the detector's, 0..100, or None.
    With `is_face`, the box is a face's, not a person's.
    """

    name: str
    box: Box
    face: str | None = None
    judged: bool = False
    confidence: float | None = None
    is_face: bool = False


@dataclass(frozen=True, slots=True)
class RecordedFrame:
    """A picture that was recorded, by the path that it was recorded under, and what was found in it.

    Without `labels`, the whole picture is searched for faces, and there is no answer to compare with.
    """

    id: str
    picture: str
    labels: tuple[StoredLabel, ...] = ()


@dataclass(frozen=True, slots=True)
class MalformedRecord:
    """A record that cannot be a frame, and why."""

    id: str
    why: str


Records = Callable[[], Iterator["RecordedFrame | MalformedRecord"]]
"""Reads everything anew, in the order in which it is shown."""


@dataclass(frozen=True, slots=True)
class FrameFilter:
    """Which frames to look at: those with an object called `name` and, if given, with the stored `face`.

    At most `limit` frames, the newest ones (None: all), and the oldest of those first unless `newest_first`.
    """

    name: str = PERSON
    face: str | None = None
    newest_first: bool = False
    limit: int | None = None

    def accepts(self, frame: RecordedFrame) -> bool:
        """Return whether the frame has such an object.

        >>> box = Box(0, 0, 10, 20)
        >>> frame = RecordedFrame("1", "/a.jpg", (StoredLabel("person", box, "Ann", judged=True),))
        >>> FrameFilter(face="Ann").accepts(frame), FrameFilter(name="car").accepts(frame)
        (True, False)
        """
        return any(
            label.name == self.name and (self.face is None or label.face == self.face)
            for label in frame.labels
        )


@dataclass(frozen=True, slots=True)
class PictureFiles:
    """Reads the frames' pictures, within the limits of the configuration."""

    mount_point: str = ""
    roots: Sequence[Path] = ()
    max_pixels: int = 100_000_000
    max_bytes: int = 100_000_000

    def locate(self, frame: RecordedFrame) -> Path:
        """Return where the picture is on this machine; raise BadImage if it may not be read there."""
        return resolve_image_path(frame.picture, mount_point=self.mount_point, roots=self.roots)

    def is_gone(self, frame: RecordedFrame) -> bool:
        """Return whether the picture's file does not exist any more.

        >>> PictureFiles().is_gone(RecordedFrame("1", "/no/such/file.jpg"))
        True
        """
        try:
            return not self.locate(frame).exists()
        except (BadImage, OSError):
            return False  # reading it says what is wrong

    def load(self, frame: RecordedFrame) -> LoadedImage:
        """Load the picture, even one that is cut off; raise BadImage."""
        return load_perhaps_partial(
            self.locate(frame), max_pixels=self.max_pixels, max_bytes=self.max_bytes, roots=self.roots
        )

    def read(self, frame: RecordedFrame) -> bytes:
        """Read the bytes of the picture's file; raise BadImage."""
        return read_image_bytes(self.locate(frame), max_bytes=self.max_bytes, roots=self.roots)


def folder_frames(folder: Path, wanted: FrameFilter) -> Iterator[RecordedFrame]:
    """Yield the pictures in a folder and below it, sorted; raise DataError if there are none."""
    found = find_pictures(folder)
    if not found.pictures:
        why = f": {found.unreadable[0][1]}" if found.unreadable else ""
        raise DataError(f"{folder}: must be a folder with pictures, got none{why}")
    frames = [RecordedFrame(str(path.relative_to(folder)), str(path.absolute())) for path in found.pictures]
    yield from in_order(reversed(frames), wanted)


def in_order(newest_first: Iterable[RecordedFrame], wanted: FrameFilter) -> Iterator[RecordedFrame]:
    """Yield the newest frames, as many as are wanted, in the order that is wanted.

    >>> frames = [RecordedFrame(number, "") for number in "321"]
    >>> [frame.id for frame in in_order(frames, FrameFilter(limit=2))]
    ['2', '3']
    """
    chosen: list[RecordedFrame] = []
    for frame in newest_first:
        if wanted.limit is not None and len(chosen) >= wanted.limit:
            break
        chosen.append(frame)
    yield from chosen if wanted.newest_first else reversed(chosen)
