"""The pictures of a folder, by content: results are kept by what a picture shows, not by its name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from face_det.comparison.journal import Journal
from face_det.errors import DataError
from face_det.media import find_pictures, load_image


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that can be read: its path, the sha256 of its file, and its size in pixels, upright."""

    path: Path
    sha256: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class FolderPictures:
    """The pictures of a folder, and those that cannot be read, with the reason."""

    folder: Path
    pictures: tuple[Picture, ...]
    unreadable: tuple[tuple[Path, str], ...]

    def name(self, path: Path) -> str:
        """Return a path as it is below the folder."""
        return str(path.relative_to(self.folder))


def read_folder(folder: Path, journal: Journal, on_progress: Callable[[int, int], None]) -> FolderPictures:
    """Read every picture in a folder and the folders below it, once; `journal` keeps what was found.

    Raises DataError if no picture can be read.
    """
    content = find_pictures(folder)
    good: list[Picture] = []
    bad = list(content.unreadable)
    for done, path in enumerate(content.pictures):
        on_progress(done, len(content.pictures))
        try:
            known = _look(path, journal)
        except OSError as error:
            bad.append((path, error.strerror or str(error)))
            continue
        if "bad" in known:
            bad.append((path, str(known["bad"])))
        else:
            good.append(Picture(path, str(known["sha256"]), int(known["width"]), int(known["height"])))
    on_progress(len(content.pictures), len(content.pictures))
    if not good:
        reasons = f"; the first, {bad[0][0]}: {bad[0][1]}" if bad else ""
        raise DataError(f"{folder}: must hold pictures, got none that can be read{reasons}")
    return FolderPictures(folder, tuple(good), tuple(bad))


def _look(path: Path, journal: Journal) -> dict[str, Any]:
    data = path.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    known = journal.get(sha256)
    if known is None:
        try:
            height, width = load_image(data).shape[:2]
            known = {"sha256": sha256, "width": width, "height": height}
        except DataError as error:
            known = {"bad": str(error)}
        journal.add(sha256, known)
    return known
