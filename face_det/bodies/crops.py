"""The pictures of persons to learn from, and which visit each is from.

A visit is the unit in which bodies are learnt and judged: its frames show the same clothes, so that one of
them says nothing about whether somebody is known on another day. NAME/VISIT/FILE says it by a folder. For
NAME/FILE, the day in the file's name is the visit; people seldom change during a day.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from face_det.errors import BadName, DataError
from face_det.gallery import check_person_name
from face_det.media import find_pictures

_DATE = re.compile(
    r"(?<![0-9A-Za-z])(20\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?=\d{6}(?!\d)|T|[^0-9A-Za-z]|$)"
)
_SINCE_1970 = re.compile(r"(?<![0-9A-Za-z])(1[4-9]\d{8})(?:\d{3})?(?![0-9A-Za-z])")
"""Seconds or milliseconds, from 2014 on."""


@dataclass(frozen=True, slots=True)
class BodyCrop:
    """A picture of a person: whose it is, and from which of their visits."""

    path: Path
    name: str
    visit: str


@dataclass(frozen=True, slots=True)
class CropFolder:
    """The pictures in a folder of persons, and the folders that were passed over, with the reason."""

    crops: tuple[BodyCrop, ...]
    left_out: tuple[tuple[str, str], ...]


def list_crops(folder: Path) -> CropFolder:
    """List the pictures in NAME/VISIT/FILE and NAME/FILE; `Unknown` holds strangers.

    Folders that cannot be a person's, such as extraction's @single and unknown-1, are passed over. Raises
    DataError if there are no pictures, or if nothing says from which visit one is.
    """
    crops: list[BodyCrop] = []
    left_out: list[tuple[str, str]] = []
    for place in sorted(entry for entry in _entries(folder) if not entry.name.startswith(".")):
        if not place.is_dir() or place.is_symlink():
            continue
        try:
            name = check_person_name(place.name)
        except BadName as error:
            left_out.append((place.name, str(error)))
            continue
        crops += [
            BodyCrop(path, name, _visit_of(path.relative_to(place), path))
            for path in find_pictures(place).pictures
        ]
    if not crops:
        raise DataError(f"{folder}: must hold pictures of persons as NAME/VISIT/FILE, got none")
    return CropFolder(tuple(crops), tuple(left_out))


def day_of(file_name: str) -> date | None:
    """Return the day in the name of a file, as a date or as seconds or milliseconds since 1970; None without.

    >>> day_of("2026-07-04_08.15.00.jpg"), day_of("IMG_20260704_081500.jpg"), day_of("frame-12.jpg")
    (datetime.date(2026, 7, 4), datetime.date(2026, 7, 4), None)
    """
    stem = Path(file_name).stem
    if (found := _DATE.search(stem)) is not None:
        try:
            return date(int(found[1]), int(found[3]), int(found[4]))
        except ValueError:
            return None
    if (seconds := _SINCE_1970.search(stem)) is not None:
        return datetime.fromtimestamp(int(seconds[1])).date()
    return None


def _visit_of(below: Path, path: Path) -> str:
    if len(below.parts) > 1:
        return "/".join(below.parts[:-1])
    day = day_of(path.name)
    if day is None:
        raise DataError(
            f"{path}: must say from which visit it is: move it to NAME/VISIT/FILE, or name it with the day, "
            "such as 2026-07-04_08.15.jpg"
        )
    return day.isoformat()


def _entries(folder: Path) -> Iterator[Path]:
    try:
        yield from folder.iterdir()
    except OSError as error:
        raise DataError(f"{folder}: must be a readable folder, got: {error.strerror}") from error
