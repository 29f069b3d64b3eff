"""Which enrolled photos are probably filed under the wrong name? By their encodings alone."""

from __future__ import annotations

from dataclasses import dataclass

from face_det.embedders import DLIB_AND_SFACE, DLIB_RESNET, expected_distances
from face_det.gallery.check.misplaced import PersonDistances, find_misplaced
from face_det.gallery.gallery import Gallery


@dataclass(frozen=True, slots=True)
class WrongPhoto:
    """A row of a gallery whose photo probably shows somebody else: how probable that is, and who that is, if
    somebody enrolled. `mixed` is True if one of the person's photos is wrong, but nobody can tell which."""

    row: int
    probability: float
    likely: str | None
    mixed: bool = False


def find_wrong_photos(gallery: Gallery) -> list[WrongPhoto]:
    """Find photos that do not resemble the others of their name, as `face-det gallery check` does.

    >>> import numpy as np
    >>> find_wrong_photos(Gallery(np.eye(2, 128), ["Ann", "Bob"]))
    []
    """
    if not gallery.names:
        return []
    # Two networks together know more than one.
    embedder = DLIB_AND_SFACE if DLIB_AND_SFACE in gallery.embedders else DLIB_RESNET
    encodings = gallery.of(embedder)
    # A second copy of a photo must not vouch for the first.
    first = {
        (name, row.tobytes()): at
        for at, (name, row) in reversed([*enumerate(zip(gallery.names, encodings, strict=True))])
    }
    rows = sorted(first.values())
    names = [gallery.names[row] for row in rows]
    distances = PersonDistances(encodings[rows], names, expected_distances(embedder))
    misplaced, mixed = find_misplaced(distances)
    found = [WrongPhoto(rows[one.index], one.probability, one.likely) for one in misplaced]
    for person in mixed:
        found += [WrongPhoto(rows[index], person.probability, None, mixed=True) for index in person.indices]
    return found
