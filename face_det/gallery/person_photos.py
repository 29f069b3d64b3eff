"""A person's photos: what each shows, and which of the enrolled encodings was made of it.

The encodings file does not say which photo a row was made of, so each photo is looked at once, with the
results in the cache, and each row belongs to the photo whose encoding is nearest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from face_det.engine import FaceEngine
from face_det.errors import DataError, UnknownPhoto
from face_det.gallery.dataset import is_utf8
from face_det.gallery.encoding_cache import EncodingCache, OmissionReason, read_photo
from face_det.gallery.gallery import Gallery
from face_det.gallery.one_face import choose_dataset_face, omission_reason
from face_det.gallery.photo_faces import PhotoFaces, get_faces
from face_det.gallery.portraits import UNCHANGED_PHOTO, find_faces, portrait_settings_key
from face_det.types import Face

SAME_PHOTO_DISTANCE = 0.1
"""Encodings of one photo are nearer than this, also if two machines or precisions made them. Those of two
photos of a person are some 0.3 apart, but may be nearer in a burst, so the nearest photo counts."""

_REASONS = {
    OmissionReason.NO_FACE: "It shows no face that the detector sees.",
    OmissionReason.SEVERAL_FACES: "It shows several faces, and which one is meant is not clear.",
    OmissionReason.BAD_IMAGE: "It cannot be read as a picture.",
    OmissionReason.TOO_SMALL: "Its face is smaller than minFace.",
    OmissionReason.NO_DECODER: "This installation cannot read its format.",
    OmissionReason.TOO_LARGE: "It has too many pixels.",
}
NOT_TRAINED = "It has not been trained on yet; train to learn it."


@dataclass(frozen=True, eq=False, slots=True)
class PersonPhoto:
    """A photo: its faces, the one to enrol (None if it is not clear which), and its row among the person's.

    `row` is None if none of the person's encodings was made of it; `copy_of` is another photo with the same
    bytes, whose row counts for both.
    """

    path: Path
    found: PhotoFaces
    face: Face | None = None
    row: int | None = None
    copy_of: Path | None = None

    @property
    def left_out(self) -> str | None:
        """Say in a sentence why it is not enrolled; None if it is."""
        if self.row is not None:
            return None
        if self.copy_of is not None:
            return f"It is a copy of {photo_name(self.copy_of)}, which is enrolled."
        if self.face is not None:
            return NOT_TRAINED
        return _REASONS[self.found.reason or omission_reason(self.found.faces)]


def photo_name(path: Path) -> str:
    r"""Return the name of a photo's file as text that can be sent: one that is not UTF-8 is escaped.

    >>> photo_name(Path("dataset/anna/1.jpg")), photo_name(Path("\udcff.jpg"))
    ('1.jpg', '\\udcff.jpg')
    """
    return path.name if is_utf8(path.name) else path.name.encode("ascii", "backslashreplace").decode()


def find_photo(photos: Sequence[Path], name: str, photo: str) -> Path:
    """Return the one of a person's photos that has this file name; raises UnknownPhoto.

    Nothing but a name that is listed is ever found, so a path leads nowhere.

    >>> find_photo([Path("dataset/anna/1.jpg")], "anna", "../anna/1.jpg")
    Traceback (most recent call last):
    face_det.errors.UnknownPhoto: photo: 'anna' has no photo '../anna/1.jpg'; photos(name) lists them
    """
    for path in photos:
        if photo_name(path) == photo:
            return path
    raise UnknownPhoto(f"photo: {name!r} has no photo {photo!r:.120}; photos(name) lists them")


def describe_photos(
    photos: Sequence[Path], name: str, gallery: Gallery, engine: FaceEngine, cache: EncodingCache
) -> list[PersonPhoto]:
    """Return what is known of a person's photos; those that are not in the cache are looked at once.

    `row` counts among the rows that `gallery` has of that name. Raises whatever the networks raise.
    """
    seen = find_faces(photos, engine, cache)
    found: Mapping[Path, PhotoFaces] = {path: seen[path, UNCHANGED_PHOTO] for path in photos}
    faces = {path: _enrolled_face(found[path]) for path in photos}
    rows = _rows_of(gallery, name, engine)
    encodings = [None if (face := faces[path]) is None else face.encoding for path in photos]
    assigned = assign_rows(encodings, rows)
    return [
        PersonPhoto(path, found[path], faces[path], row, _find_copy(path, row, photos, assigned))
        for path, row in zip(photos, assigned, strict=True)
    ]


def known_faces(
    sha256: str, engine: FaceEngine, cache: EncodingCache
) -> tuple[PhotoFaces, Face | None] | None:
    """Return what a photo shows and the face to enrol; None if it was not looked at. Runs no network."""
    found = get_faces(cache, sha256, portrait_settings_key(engine, UNCHANGED_PHOTO, "all_faces"))
    return None if found is None else (found, _enrolled_face(found))


def assign_rows(
    encodings: Sequence[npt.NDArray[np.float64] | None], rows: npt.NDArray[np.float64] | None
) -> list[int | None]:
    """Return for each photo's encoding the index of the row that was made of it; each row is given once.

    >>> assign_rows([np.zeros(2), np.ones(2), None], np.array([[1.0, 1.0]]))
    [None, 0, None]
    """
    assigned: list[int | None] = [None] * len(encodings)
    places = [place for place, encoding in enumerate(encodings) if encoding is not None]
    if rows is None or not len(rows) or not places:
        return assigned
    ours = np.array([encodings[place] for place in places])
    if ours.shape[1] != rows.shape[1]:
        return assigned
    distances = np.array([np.linalg.norm(rows - one, axis=1) for one in ours])
    taken: set[int] = set()
    for flat in np.argsort(distances, axis=None, kind="stable"):
        which, row = divmod(int(flat), len(rows))
        if distances[which, row] >= SAME_PHOTO_DISTANCE:
            break
        if assigned[places[which]] is None and row not in taken:
            assigned[places[which]] = row
            taken.add(row)
    return assigned


def _enrolled_face(found: PhotoFaces) -> Face | None:
    return None if found.reason else choose_dataset_face(found.faces, found.width, found.height)


def _rows_of(gallery: Gallery, name: str, engine: FaceEngine) -> npt.NDArray[np.float64] | None:
    embedder = engine.options.embedder
    if embedder not in gallery.embedders:
        return None
    indices = [index for index, owner in enumerate(gallery.names) if owner == name]
    return gallery.of(embedder)[indices]


def _find_copy(
    path: Path, row: int | None, photos: Sequence[Path], assigned: Sequence[int | None]
) -> Path | None:
    """Return an enrolled photo with the same bytes as one that is not."""
    if row is not None:
        return None
    try:
        size, digest = path.stat().st_size, ""
        for other, taken in zip(photos, assigned, strict=True):
            if taken is not None and other.stat().st_size == size:
                digest = digest or read_photo(path)[0]
                if read_photo(other)[0] == digest:
                    return other
    except (OSError, DataError):
        return None
    return None
