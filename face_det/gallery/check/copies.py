"""Photos that say nothing new: the same file again, the same picture saved again, frames of one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from face_det.gallery.check.likeness import Floats, pairwise_distances
from face_det.types import Encodings

_Bits = npt.NDArray[np.uint8]

SAME_PICTURE = 0.10
"""Pictures that differ in a smaller share of their signs are one: saved anew at quality 50, at half the
size or brighter, LFW's differ by .10 at most (95 in 100), any two of its photos by .15 and more."""
SAME_MOMENT = 0.5
"""Encodings nearer than this share of the usual distance of a person's photos are of one moment: on LFW
one pair of a person's photos in 400 is."""


@dataclass(frozen=True, slots=True)
class PhotoCopy:
    """A photo, the one to keep instead, and how alike they are: 1.0 for the same file, the share of signs
    that agree, or by how much of the usual distance of a person's photos they are nearer."""

    index: int
    kept: int
    alike: float
    picture: bool


def find_copies(
    hashes: Sequence[str],
    signs: Sequence[str | None],
    encodings: Encodings,
    quality: Floats,
    links: Sequence[bool] | None = None,
    *,
    usual: float,
) -> list[PhotoCopy]:
    """Of the photos of one person, those that another of higher quality stands for.

    hashes: of the files; signs: hex digits or None; encodings: shape (n, d), NaN for a photo without;
    quality: shape (n,); links: which of the files are links (none, if not given); usual: the usual distance
    of two photos of a person. A photo is held against those that are kept, so that a clip of a walk across
    the room is not all one moment.
    """
    links = links or [False] * len(hashes)
    bits = [None if text is None else _hash_bits(text) for text in signs]
    kept: list[int] = []
    first: dict[str, int] = {}
    found: list[PhotoCopy] = []
    # Of two equal files the link goes, which else would lead nowhere.
    for index in sorted(range(len(hashes)), key=lambda at: (-quality[at], links[at], at)):
        same = first.get(hashes[index])
        copies = [] if same is None else [PhotoCopy(index, same, 1.0, True)]
        away = pairwise_distances(encodings[[index]], encodings[kept])[0]
        # An empty wall has the signs of any other: what counts is a picture with the same face in it.
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
