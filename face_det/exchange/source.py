"""What the photos of all programs have in common: whose they are, where they lie, and how they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from face_det.errors import DataError
from face_det.exchange.face_finder import FaceFinder
from face_det.types import Box


@dataclass(frozen=True, slots=True)
class Source:
    """Where another program's photos are: a path, or an address and the key to its API.

    `max_bytes` is the size of the largest picture that is read.
    """

    where: str
    api_key: str | None = None
    max_bytes: int = 100_000_000

    @property
    def is_address(self) -> bool:
        """True for an address, false for a path.

        >>> Source("http://127.0.0.1:2283").is_address, Source("train").is_address
        (True, False)
        """
        return self.where.startswith(("http://", "https://"))

    def require_path(self) -> Path:
        """Return the path; raise DataError for an address, or for a path where nothing is."""
        if self.is_address:
            raise DataError(f"{self.where}: must be a path; this format has no API that could be asked")
        path = Path(self.where)
        if not path.exists():
            raise DataError(f"{path}: not found")
        return path


@dataclass(frozen=True, slots=True)
class Picture:
    """The bytes of a picture, and the box of the face that is meant, in its pixels, if that is known."""

    data: bytes
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class SourcePhoto:
    """A photo that another program has of a person, whose `name` is spelt as it spells it.

    `place` says in messages where the photo is. `read` returns it, and raises DataError if it cannot be read,
    or PortalFailed if the program does not answer. A photo that is `cut_out` ends where the face does.
    """

    name: str
    place: str
    read: Callable[[], Picture]
    cut_out: bool = False


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that holds no photo of a person, or none that can be used, and why."""

    place: str
    reason: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class FoundPhotos:
    """The photos that another program has, by people and places, and what is left out from the start."""

    photos: tuple[SourcePhoto, ...]
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to export: its path in the folder that is exported to, and a function that makes its bytes.

    `make` raises DataError if it cannot.
    """

    path: str
    make: Callable[[], bytes]


class Format(Protocol):
    """A program's way of keeping photos of people."""

    def find(self, source: Source) -> FoundPhotos:
        """Find all photos. Raises DataError for anything else, and PortalFailed without an answer."""

    def plan(self, people: Mapping[str, Sequence[Path]], faces: FaceFinder) -> list[NewFile]:
        """Plan the files that hold these people's photos. Raises DataError if it cannot hold them."""
