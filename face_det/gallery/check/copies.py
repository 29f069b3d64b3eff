"""Finds photos that add nothing: the same file again, the same picture resaved, frames of one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from face_det.gallery.check.likelihood import Floats, pairwise_distances
from face_det.types import Encodings

_Bits = npt.NDArray[np.uint8]

SAME_PICTURE = 0.10
"""Two photos show the same picture if at most this share of their hash bits differ. Photos of Labeled
Faces in the Wild differ by at most 0.10 (95 in 100) when saved at quality 50, halved in size or
brightened; any two different ones differ by 0.15 or more."""
SAME_MOMENT = 0.5
"""Two photos show the same moment if their encodings are nearer than this share of the usual distance
between a person's photos. That is true of one pair in 400 on Labeled Faces in the Wild."""


@dataclass(frozen=True, slots=True)
class PhotoCopy:
    """A photo that another one makes superfluous.

    `index` is the photo, `kept` the one to keep. `alike` is 1.0 for the same file, the share of equal hash
    bits for the same picture, and otherwise 1 minus the distance of the encodings as a share of the usual
    one. `picture` is true for the same file or picture, false for the same moment.
    """

    index: int
    kept: int
    alike: float
    picture: bool


def find_copies(
    hashes: Sequence[str],
    picture_hashes: Sequence[str | None],
    encodings: Encodings,
    quality: Floats,
    links: Sequence[bool] | None = None,
    *,
    usual: float,
) -> list[PhotoCopy]:
    """Find the photos of one person that a photo of higher quality makes superfluous.

    - `hashes`: a hash of each file
    - `picture_hashes`: the difference hash of each picture in hex, or None
    - `encodings`: shape (n, d), NaN for a photo without a face
    - `quality`: shape (n,), from `rate_quality`
    - `links`: true for each file that is a link; by default none is
    - `usual`: the usual distance between two photos of a person

    Photos are compared only with those that are kept, so that a clip of somebody crossing the room does
    not count as one moment.

    >>> find_copies(["a", "a"], [None, None], np.zeros((2, 128)), np.array([1.0, 2.0]), usual=0.4)
    [PhotoCopy(index=0, kept=1, alike=1.0, picture=True)]
    """
    links = links or [False] * len(hashes)
    bits = [None if text is None else _hash_bits(text) for text in picture_hashes]
    kept: list[int] = []
    first: dict[str, int] = {}
    found: list[PhotoCopy] = []
    # Of two equal files, the link is the one to go: without its target it would be broken.
    for index in sorted(range(len(hashes)), key=lambda at: (-quality[at], links[at], at)):
        same = first.get(hashes[index])
        copies = [] if same is None else [PhotoCopy(index, same, 1.0, True)]
        away = pairwise_distances(encodings[[index]], encodings[kept])[0]
        # Pictures of two empty walls have equal hashes, so only pictures of the same face are compared.
        for at in np.flatnonzero(away < usual):
            copies += _compare_pair(index, kept[at], bits, float(away[at] / usual))
        if copies:
            found.append(max(copies, key=lambda copy: (copy.alike, copy.picture)))
        else:
            kept.append(index)
            first[hashes[index]] = index
    return sorted(found, key=lambda copy: copy.index)


def _compare_pair(index: int, other: int, bits: Sequence[_Bits | None], nearness: float) -> list[PhotoCopy]:
    one, two = bits[index], bits[other]
    differing = 1.0 if one is None or two is None else float((one != two).mean())
    if differing <= SAME_PICTURE:
        return [PhotoCopy(index, other, 1 - differing, True)]
    if nearness < SAME_MOMENT:
        return [PhotoCopy(index, other, 1 - nearness, False)]
    return []


def _hash_bits(text: str) -> _Bits:
    return np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8))
