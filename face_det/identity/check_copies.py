"""Photos that say nothing new: the same file again, the same picture saved again, frames of one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from face_det.faces import Encodings
from face_det.identity.check_likeness import Floats, distances

SAME_SIGNS = 0.10
"""Pictures that differ in a smaller share of their signs are one: saved anew at quality 50, at half the
size or brighter, LFW's differ by .10 at most (95 in 100), any two of its photos by .15 and more."""
ONE_MOMENT = 0.5
"""Encodings nearer than this share of the usual distance of a person's photos are of one moment: on LFW
one pair of a person's photos in 400 is."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A photo, the one to keep instead, and how alike they are: 1.0 for the same file, the share of signs
    that agree, or by how much of the usual distance of a person's photos they are nearer."""

    index: int
    kept: int
    alike: float
    picture: bool


def copies(
    hashes: Sequence[str],
    signs: Sequence[str | None],
    encodings: Encodings,
    quality: Floats,
    *,
    usual: float,
) -> list[Copy]:
    """Of the photos of one person, those that another of higher quality stands for.

    hashes: of the files; signs: hex digits or None; encodings: shape (n, d), NaN for a photo without;
    quality: shape (n,); usual: the usual distance of two photos of a person. A photo is held against
    those that are kept, so that a clip of a walk across the room is not all one moment.
    """
    bits = [
        None if text is None else np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8))
        for text in signs
    ]
    away = distances(encodings, encodings)
    kept: list[int] = []
    found: list[Copy] = []
    for index in sorted(range(len(hashes)), key=lambda at: (-quality[at], at)):
        near = [
            copy for other in kept if (copy := _copy(index, other, hashes, bits, away, usual)) is not None
        ]
        if near:
            found.append(max(near, key=lambda copy: (copy.alike, copy.picture)))
        else:
            kept.append(index)
    return sorted(found, key=lambda copy: copy.index)


def _copy(
    index: int,
    other: int,
    hashes: Sequence[str],
    bits: Sequence[np.ndarray[tuple[int, ...], np.dtype[np.uint8]] | None],
    away: Floats,
    usual: float,
) -> Copy | None:
    if hashes[index] == hashes[other]:
        return Copy(index, other, 1.0, True)
    distance = away[index, other]
    one, two = bits[index], bits[other]
    # An empty wall has the signs of any other: what counts is a picture with the same face in it.
    if one is not None and two is not None and distance < usual:
        differing = float((one != two).mean())
        if differing <= SAME_SIGNS:
            return Copy(index, other, 1 - differing, True)
    if distance < ONE_MOMENT * usual:
        return Copy(index, other, float(1 - distance / usual), False)
    return None
