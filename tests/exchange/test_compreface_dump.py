"""CompreFace's database as PostgreSQL 15's pg_dump wrote it, with the tables of its changelogs 0.1.7."""

from __future__ import annotations

from pathlib import Path

import pytest

from face_det.errors import BadImage, DataError
from face_det.exchange import FORMATS, FoundPhotos, Source

DUMP = Path(__file__).parents[1] / "support/data/compreface.sql"


def find(path: Path) -> FoundPhotos:
    return FORMATS.create("compreface").find(Source(str(path)))


def test_photos_from_a_dump() -> None:
    """Names are unescaped, photos are those of the table img; a subject without photos is named."""
    found = find(DUMP)
    assert [photo.name for photo in found.photos] == ["Alice", "Alice", "Zoë/O'Hara", "back\\slash\ttab"]
    pictures = [photo.read().data for photo in found.photos]
    assert {picture[:8] for picture in pictures} == {b"\x89PNG\r\n\x1a\n"}
    assert len({*pictures}) == 4
    (left_out,) = found.left_out
    assert (left_out.name, left_out.place) == ("Bob", "Bob: 1 embeddings")
    assert left_out.reason == "have no photo: CompreFace did not keep it"


def test_not_such_a_dump(tmp_path: Path) -> None:
    """Another database, another format, and a dump that is cut off say what must be there instead."""
    text = DUMP.read_bytes()
    other = tmp_path / "other.sql"
    for data, said in (
        (b"PGDMP\x01\x0e", r"custom format; convert it with pg_restore -f dump\.sql other\.sql"),
        (b"SELECT 1;\n", "got one without rows of subject, embedding, img"),
        (text.replace(b"COPY public.img (", b"COPY public.pictures ("), "without rows of img; make it with"),
        (
            text.replace(b"(id, content)", b"(id, bytes)"),
            "img must have the columns id, content, got id, bytes",
        ),
        (text[: text.index(b"COPY public.subject")], "without rows of subject"),
        (text[: text.index(b"\tAlice")], "got one that ends in the middle of a table"),
        (text.replace(b"\tBob", b""), "a row of subject must have 3 columns, got 2"),
    ):
        other.write_bytes(data)
        with pytest.raises(DataError, match=said):
            find(other)


def test_one_damaged_photo(tmp_path: Path) -> None:
    """A photo that is not hexadecimal, and a dump that has changed, spoil that photo only."""
    other = tmp_path / "other.sql"
    other.write_bytes(DUMP.read_bytes().replace(rb"\\x89504e47", rb"\\xzz504e47", 1))
    first, second, *_ = find(other).photos
    with pytest.raises(BadImage, match="must be hexadecimal"):
        first.read()
    assert second.read().data[:4] == b"\x89PNG"
    other.write_bytes(b"")
    with pytest.raises(BadImage, match="the dump changed while it was read"):
        second.read()
