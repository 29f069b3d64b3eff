"""Which enrolled photos are probably filed under the wrong name? By their encodings alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face_det.embedders import DLIB_AND_SFACE, DLIB_RESNET, expected_distances
from face_det.gallery.check.likelihood import pairwise_distances
from face_det.gallery.check.misplaced import PersonDistances, find_misplaced
from face_det.gallery.gallery import Gallery
from face_det.types import Encodings

COMPARED_ROWS = 300
"""About so many photos tell well enough how different people's photos are."""


@dataclass(frozen=True, slots=True)
class WrongPhoto:
    """A row of a gallery whose photo probably shows somebody else: how probable that is, and who that is, if
    somebody enrolled. `mixed` is True if one of the person's photos is wrong, but nobody can tell which."""

    row: int
    probability: float
    likely: str | None
    mixed: bool = False

    def explain(self, name: str) -> str:
        """Say in words why the photo is doubted; `name` is the one that it is filed under.

        >>> WrongPhoto(3, 0.97, "Bob").explain("Ann")
        "it does not resemble the other photos of Ann, but Bob's: 97% likely to be filed under the wrong name"
        """
        if self.mixed:
            return f"{name}'s photos do not resemble each other, so one of them shows somebody else"
        likely = f", but {self.likely}'s" if self.likely is not None else ""
        return (
            f"it does not resemble the other photos of {name}{likely}: "
            f"{self.probability:.0%} likely to be filed under the wrong name"
        )


def find_wrong_photos(gallery: Gallery, name: str | None = None) -> list[WrongPhoto]:
    """Find photos that do not resemble the others of their name, as `face-det gallery check` does.

    With `name`, only that person's, which is quick: in a large gallery they are compared with the people who
    look most like that person.

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
    if name is not None and len(rows) > COMPARED_ROWS:
        rows = _rows_near(gallery, encodings, rows, name)
    names = [gallery.names[row] for row in rows]
    distances = PersonDistances(encodings[rows], names, expected_distances(embedder))
    misplaced, mixed = find_misplaced(distances)
    found = [WrongPhoto(rows[one.index], one.probability, one.likely) for one in misplaced]
    for person in mixed:
        found += [WrongPhoto(rows[index], person.probability, None, mixed=True) for index in person.indices]
    return [one for one in found if name in (None, gallery.names[one.row])]


def _rows_near(gallery: Gallery, encodings: Encodings, rows: list[int], name: str) -> list[int]:
    """Return the rows of a person, and all rows of those others who have the most similar photos."""
    own = [row for row in rows if gallery.names[row] == name]
    if not own:
        return []
    nearness = pairwise_distances(encodings[rows], encodings[own]).min(axis=1)
    nearest: dict[str, float] = {}
    for row, distance in zip(rows, nearness, strict=True):
        other = gallery.names[row]
        nearest[other] = min(float(distance), nearest.get(other, np.inf))
    kept = list(own)
    for other in sorted(nearest.keys() - {name}, key=nearest.__getitem__):
        kept += [row for row in rows if gallery.names[row] == other]
        if len(kept) >= COMPARED_ROWS:
            break
    return sorted(kept)
