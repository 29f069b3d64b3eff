"""Every face that was found in a photo, whoever is meant, and the form in which the cache keeps them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from face_det.embedders import encoding_lengths
from face_det.gallery.encoding_cache import EncodingCache, OmissionReason
from face_det.types import Box, Face, Reason

_SIZE_NUMBERS = 3
"""A row begins with the width and the height of the photo, and the number of its faces."""
_FACE_NUMBERS = 9
"""Then come for each face its box (4), score, sharpness, norm and quality, the last two -1 if not known; then
1 if an encoding follows, or 0."""


@dataclass(frozen=True, eq=False, slots=True)
class PhotoFaces:
    """The faces of a photo of `width` x `height` pixels, best first.

    Faces below minFace have no encoding; blurry ones do. `reason` says why none of the faces can be meant, or
    why the photo cannot be read, which then has neither size nor faces.
    """

    width: int
    height: int
    faces: tuple[Face, ...]
    reason: OmissionReason | None = None


def put_faces(cache: EncodingCache, sha256: str, settings: str, found: PhotoFaces) -> None:
    """Store the faces of a photo."""
    dimensions = max((len(face.encoding) for face in found.faces if face.encoding is not None), default=0)
    rows = np.zeros((len(found.faces), _FACE_NUMBERS + dimensions))
    for row, face in zip(rows, found.faces, strict=True):
        box = face.box
        norm, quality = (-1.0 if number is None else number for number in (face.norm, face.quality))
        row[:4] = box.xmin, box.ymin, box.xmax, box.ymax
        row[4:_FACE_NUMBERS] = face.score, face.focus, norm, quality, face.encoding is not None
        if face.encoding is not None:
            row[_FACE_NUMBERS:] = face.encoding
    numbers = np.concatenate([[found.width, found.height, len(found.faces)], rows.ravel()])
    reason = None if found.reason is None else found.reason.value
    cache.put_row(sha256, settings, reason, numbers.astype("<f8").tobytes())


def get_faces(cache: EncodingCache, sha256: str, settings: str) -> PhotoFaces | None:
    """Return the faces of a photo; None if they are not in the cache, or what is there is not ours."""
    reason, content = cache.get_row(sha256, settings) or (None, None)
    if not isinstance(content, bytes) or len(content) % 8:
        return None
    numbers = np.frombuffer(content, "<f8").astype(np.float64)
    if len(numbers) < _SIZE_NUMBERS or not np.isfinite(numbers).all():
        return None
    width, height, count = (int(number) for number in numbers[:_SIZE_NUMBERS])
    rest = numbers[_SIZE_NUMBERS:]
    lengths = {_FACE_NUMBERS, *(_FACE_NUMBERS + length for length in encoding_lengths())}
    if len(rest) not in {count * length for length in lengths}:
        return None
    if reason is not None and reason not in {omission.value for omission in OmissionReason}:
        return None
    rows = rest.reshape(count, -1) if count else ()
    omission = None if reason is None else OmissionReason(reason)
    return PhotoFaces(width, height, tuple(_face_of_row(row) for row in rows), omission)


def _face_of_row(row: npt.NDArray[np.float64]) -> Face:
    *edges, score, focus, norm, quality, encoded = row[:_FACE_NUMBERS].tolist()
    return Face(
        Box(*edges),
        score,
        focus,
        None if encoded else Reason.TOO_SMALL,
        row[_FACE_NUMBERS:] if encoded else None,
        None if norm < 0 else norm,
        None if quality < 0 else quality,
    )
