"""Which photo in the dataset does a row of the encodings come from? The file of encodings does not say."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from face_det.errors import DataError
from face_det.gallery.dataset import list_photos
from face_det.gallery.encoding_cache import EncodingCache, read_photo
from face_det.gallery.gallery import Gallery
from face_det.types import Encodings

Encode = Callable[[str, bytes], Encodings | None]
"""Takes the sha256 and the bytes of a photo, and returns its face's encoding, shape (d,); None to give up."""

SAME_PHOTO_COSINE = 0.999
"""Encodings of one photo are as similar as this, whichever thread or batch made them."""


def locate_rows(
    dataset: Path, gallery: Gallery, rows: Collection[int], embedder: str, cache: Path, encode: Encode
) -> dict[int, Path]:
    """Return the photos of these rows of a gallery; a row whose photo is not found is left out.

    The cache knows most photos; those that it does not know are encoded by `encode`, an engine of `embedder`.
    Raises DataError for a dataset that cannot be read.
    """
    found: dict[int, Path] = {}
    listed = list_photos(dataset)
    for name in sorted({gallery.names[row] for row in rows}):
        wanted = {row for row in rows if gallery.names[row] == name}
        known, unknown = _match_by_cache(gallery, name, listed.get(name, []), cache)
        left = [row for row, owner in enumerate(gallery.names) if owner == name and row not in known]
        if wanted - known.keys():
            known |= _match_by_encoding(gallery.of(embedder), left, unknown, encode)
        found |= {row: known[row] for row in wanted if row in known}
    return found


def _match_by_cache(
    gallery: Gallery, name: str, photos: Collection[Path], cache_path: Path
) -> tuple[dict[int, Path], dict[Path, tuple[str, bytes]]]:
    """Return the photos of rows, and the sha256 and bytes of photos that no row is known for."""
    known: dict[int, Path] = {}
    unknown: dict[Path, tuple[str, bytes]] = {}
    # Opening it would make the file.
    cache = EncodingCache(cache_path) if cache_path.exists() else None
    try:
        for photo in photos:
            with suppress(DataError):
                sha256, data = read_photo(photo)
                encodings = [] if cache is None else cache.encodings_of(sha256)
                rows = {row for one in encodings for row in gallery.rows_of_photo(name, one)}
                known |= {row: photo for row in rows if row not in known}
                if not rows:
                    unknown[photo] = (sha256, data)
    finally:
        if cache is not None:
            cache.close()
    return known, unknown


def _match_by_encoding(
    encodings: Encodings, left: list[int], photos: Mapping[Path, tuple[str, bytes]], encode: Encode
) -> dict[int, Path]:
    """Return the photos of the rows that are left, by encoding them.

    One row and one photo that are left need not belong together: somebody may have exchanged the file.
    """
    known: dict[int, Path] = {}
    for photo, (sha256, data) in photos.items():
        encoding = encode(sha256, data)
        if encoding is None or not left:
            continue
        rows = encodings[left]
        similar = rows @ encoding / (np.linalg.norm(rows, axis=1) * np.linalg.norm(encoding) + 1e-12)
        if similar.max() >= SAME_PHOTO_COSINE:
            known[left.pop(int(similar.argmax()))] = photo
    return known
