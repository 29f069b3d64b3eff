r"""The photos in a dump of CompreFace's database, as pg_dump writes it as plain text.

A dump holds tables one after the other, each as `COPY schema.table (columns) FROM stdin;`, a line for each
row with tabs between its columns, and `\.`. Photos are hexadecimal in the table `img`, `embedding` says which
subject an image shows, and `subject` what they are called. A first pass notes where the photos are; each is
read when it is needed, so memory does not grow with the size of photos.

https://www.postgresql.org/docs/current/sql-copy.html describes the text format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from face_det.errors import BadImage, DataError
from face_det.exchange.source import FoundPhotos, LeftOut, Picture, SourcePhoto

_COPY = re.compile(rb'COPY (?:"?\w+"?\.)?"?(\w+)"? \(([^)]*)\) FROM stdin;\s*')
_END = rb"\."
_NULL = rb"\N"
_CUSTOM = b"PGDMP"
_ESCAPED = re.compile(rb"\\([0-7]{1,3}|x[0-9A-Fa-f]{1,2}|.)", re.DOTALL)
_LETTERS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_TABLES = ("subject", "embedding", "img")


@dataclass(slots=True)
class _Tables:
    """What the first pass finds: names by subject, (subject, image) pairs, and where each image's row is."""

    subjects: dict[bytes, str] = field(default_factory=dict)
    shown: list[tuple[bytes, bytes]] = field(default_factory=list)
    images: dict[bytes, tuple[int, int, int]] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)


def find_in_dump(path: Path) -> FoundPhotos:
    """Find the photos in a dump. Raises DataError for any other file."""
    tables = _read(path)
    if missing := [table for table in _TABLES if table not in tables.seen]:
        raise DataError(
            f"{path}: must be a dump of CompreFace's database as plain text, got one without rows of "
            f"{', '.join(missing)}; make it with pg_dump, without --inserts"
        )
    photos: list[SourcePhoto] = []
    left_out: list[LeftOut] = []
    kept: dict[str, int] = {}
    for subject, image in tables.shown:
        name = tables.subjects.get(subject)
        if name is None:
            continue
        if image in tables.images:
            photos.append(_photo(path, name, image, tables.images[image]))
        else:
            kept[name] = kept.get(name, 0) + 1
    left_out = [
        LeftOut(f"{name}: {count} embeddings", "have no photo: CompreFace did not keep it", name)
        for name, count in sorted(kept.items())
    ]
    return FoundPhotos(tuple(sorted(photos, key=lambda photo: (photo.name, photo.place))), tuple(left_out))


def _read(path: Path) -> _Tables:
    tables = _Tables()
    try:
        with path.open("rb") as file:
            if file.read(len(_CUSTOM)) == _CUSTOM:
                raise DataError(
                    f"{path}: must be plain text, got pg_dump's custom format; convert it with "
                    f"pg_restore -f dump.sql {path.name}"
                )
            file.seek(0)
            while line := file.readline():
                found = _COPY.fullmatch(line)
                if found is None:
                    continue
                table = found[1].decode()
                columns = [column.strip().strip(b'"').decode() for column in found[2].split(b",")]
                rows = _rows(path, file)
                _take(path, tables, table, columns, rows)
    except OSError as error:
        raise DataError(f"{path}: must be a readable file, got {error.strerror}") from error
    return tables


def _rows(path: Path, file: object) -> Iterator[tuple[int, bytes]]:
    """Yield the rows of a table, each with its place in the file."""
    begun = file.tell()  # type: ignore[attr-defined]
    while line := file.readline():  # type: ignore[attr-defined]
        if line.rstrip(b"\r\n") == _END:
            return
        if not line.endswith(b"\n"):
            break
        yield begun, line.rstrip(b"\r\n")
        begun = file.tell()  # type: ignore[attr-defined]
    raise DataError(f"{path}: must be a whole dump, got one that ends in the middle of a table")


def _take(
    path: Path, tables: _Tables, table: str, columns: list[str], rows: Iterator[tuple[int, bytes]]
) -> None:
    """Note what is needed of a table's rows, and pass the other tables over."""
    if table not in _TABLES:
        for _ in rows:
            pass
        return
    tables.seen.add(table)
    wanted = {
        "subject": ("id", "subject_name"),
        "embedding": ("subject_id", "img_id"),
        "img": ("id", "content"),
    }
    try:
        first, second = (columns.index(column) for column in wanted[table])
    except ValueError as error:
        raise DataError(
            f"{path}: {table} must have the columns {', '.join(wanted[table])}, got {', '.join(columns)}"
        ) from error
    for begun, row in rows:
        cells = row.split(b"\t")
        if len(cells) != len(columns):
            raise DataError(f"{path}: a row of {table} must have {len(columns)} columns, got {len(cells)}")
        if table == "subject":
            tables.subjects[cells[first]] = _unescape(cells[second]).decode("utf-8", "replace")
        elif table == "embedding" and cells[second] != _NULL:
            tables.shown.append((cells[first], cells[second]))
        elif table == "embedding":
            tables.shown.append((cells[first], b""))
        else:
            tables.images[cells[first]] = (begun, len(row), second)


def _unescape(text: bytes) -> bytes:
    r"""Return a column's text without the escapes of COPY.

    >>> _unescape(rb"a\\b\tc")
    b'a\\b\tc'
    """

    def replaced(match: re.Match[bytes]) -> bytes:
        code = match[1]
        if code[:1].isdigit():
            return bytes([int(code, 8) & 255])
        if code[:1] == b"x" and len(code) > 1:
            return bytes([int(code[1:], 16)])
        return _LETTERS.get(code, code)

    return _ESCAPED.sub(replaced, text)


def _photo(path: Path, name: str, image: bytes, where: tuple[int, int, int]) -> SourcePhoto:
    place = f"{name}: image {image.decode('ascii', 'replace')}"

    def read() -> Picture:
        begun, length, column = where
        try:
            with path.open("rb") as file:
                file.seek(begun)
                content = file.read(length).split(b"\t")[column]
        except (OSError, IndexError) as error:
            raise BadImage(f"{place}: the dump changed while it was read") from error
        if not content.startswith(rb"\\x"):
            raise BadImage(rf"{place}: must be hexadecimal and begin with \\x, got {content[:8]!r}")
        try:
            return Picture(bytes.fromhex(content[3:].decode("ascii")))
        except ValueError as error:
            raise BadImage(f"{place}: must be hexadecimal: {error}") from error

    return SourcePhoto(name, place, read)
