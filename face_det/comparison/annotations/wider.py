"""Reads annotations in the text of WIDER FACE: a path, a number of faces, and a line for each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from face_det.comparison.annotations.faces import AnnotatedFace, AnnotatedPicture, Annotations
from face_det.errors import DataError
from face_det.types import Box

INVALID_COLUMN = 7
"""After left, top, width, height, blur, expression and illumination: 1 for a face that does not count."""


def read_wider(path: Path, data: bytes) -> Annotations:
    """Read the lines; raises DataError, which names the line, for anything else than the format.

    >>> found = read_wider(Path("wider.txt"), b"1--Hall/1.jpg\\n1\\n10 20 30 40 0 0 0 0 0 0\\n")
    >>> found.pictures[0].faces[0].box
    Box(xmin=10.0, ymin=20.0, xmax=40.0, ymax=60.0)
    """
    try:
        lines = [line.strip() for line in data.decode("utf-8").splitlines()]
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: must be text in UTF-8, got {error.reason}") from error
    return Annotations("WIDER FACE", tuple(_pictures(path, lines)))


def _pictures(path: Path, lines: list[str]) -> Iterator[AnnotatedPicture]:
    at = 0
    while at < len(lines):
        name = lines[at]
        at += 1
        if not name:
            continue
        count = lines[at] if at < len(lines) else ""
        if not count.isdecimal():
            raise DataError(
                f"{path}: line {at + 1}: must be the number of faces in {name!r:.80}, got {count!r:.40}; "
                "annotations are read as COCO's JSON, Pascal VOC's XML or WIDER FACE's text"
            )
        # Where there is no face, a line of zeros follows all the same, though not in every copy.
        more = int(count) or int(at + 1 < len(lines) and _is_nothing(lines[at + 1]))
        rows = lines[at + 1 : at + 1 + more]
        if len(rows) < more:
            raise DataError(f"{path}: line {at + 1}: {count} faces must follow, got {len(rows)}")
        faces = [_face(path, at + 2 + row, text) for row, text in enumerate(rows)] if int(count) else []
        yield AnnotatedPicture(name, tuple(faces))
        at += 1 + more


def _is_nothing(line: str) -> bool:
    columns = line.split()
    return len(columns) >= 4 and set(columns) == {"0"}


def _face(path: Path, number: int, line: str) -> AnnotatedFace:
    try:
        values = [float(each) for each in line.split()]
    except ValueError:
        values = []
    if len(values) < 4 or not all(map(math.isfinite, values)):
        raise DataError(f"{path}: line {number}: must be left, top, width and height, got {line!r:.60}")
    left, top, width, height = values[:4]
    box = Box(left, top, left + max(width, 0.0), top + max(height, 0.0))
    return AnnotatedFace(box, len(values) > INVALID_COLUMN and values[INVALID_COLUMN] == 1)
