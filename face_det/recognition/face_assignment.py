"""Decides which face in a person's box is that person's; the box may show others as well."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from face_det.boxes import intersection_over_union
from face_det.recognition.decision import SAME_FACE_IOU
from face_det.types import Box

SAME_PERSON_IOU = 0.6
"""Boxes of people in one frame that overlap more than this are one person, detected twice."""

SIDEWAYS_SHARE = 0.25
"""How far a face usually is from the middle of its person's box, as a share of the box's width."""

HEAD_SHARE, DOWNWARDS_SHARE = 0.35, 0.2
"""Faces usually lie in this upper share of their person's box; how far below it they may be."""

SIZE_WEIGHT = 1.5
"""How much the width of a face counts. With half the width of another, as somebody in the background has,
a face is about as likely to be the person's as one at the edge of the box."""


def head_fit(face: Box, person: Box) -> float:
    """Say how well a face fits as the head of the person in a box: a log likelihood, higher is better.

    Both boxes are in pixels of one frame. Large faces fit better than small ones, those in the middle of the
    box better than those at its sides, and those in its upper part better than those below.

    >>> person = Box(0, 0, 100, 300)
    >>> front, behind = Box(30, 20, 70, 70), Box(80, 10, 100, 35)
    >>> head_fit(front, person) > head_fit(behind, person)
    True
    """
    width, height = max(person.width, 1.0), max(person.height, 1.0)
    across = ((face.xmin + face.xmax) / 2 - (person.xmin + person.xmax) / 2) / width
    down = ((face.ymin + face.ymax) / 2 - person.ymin) / height
    below = max(0.0, down - HEAD_SHARE)
    size = math.log(max(face.width, 1.0) / width)
    return SIZE_WEIGHT * size - ((across / SIDEWAYS_SHARE) ** 2 + (below / DOWNWARDS_SHARE) ** 2) / 2


def assign_faces(
    persons: Sequence[Box], faces: Sequence[Sequence[Box]], frames: Sequence[Hashable]
) -> list[int | None]:
    """Choose the face of each person: its index among that person's faces, or None if none is left.

    `faces` holds the boxes of the faces seen within each person's box, and `frames` says which frame a
    person was seen in. Where boxes of people overlap, a face may be seen in several. It is given to one
    person only, so that the fit (`head_fit`) of all is best; people who are one person, detected twice,
    share it.

    >>> front, behind = Box(30, 20, 70, 70), Box(105, 25, 125, 50)
    >>> assign_faces([Box(0, 0, 130, 300), Box(80, 0, 150, 200)], [[front, behind], [behind]], [0, 0])
    [0, 0]
    >>> assign_faces([Box(0, 0, 130, 300), Box(80, 0, 150, 200)], [[behind], [behind]], [0, 0])
    [None, 0]
    """
    chosen: list[int | None] = [None] * len(persons)
    for frame in dict.fromkeys(frames):
        members = [index for index, one in enumerate(frames) if one == frame and faces[index]]
        if len(members) == 1:
            (index,) = members
            fits = [head_fit(face, persons[index]) for face in faces[index]]
            chosen[index] = fits.index(max(fits))
        elif members:
            _assign_in_frame(members, persons, faces, chosen)
    return chosen


def _assign_in_frame(
    members: Sequence[int],
    persons: Sequence[Box],
    faces: Sequence[Sequence[Box]],
    chosen: list[int | None],
) -> None:
    """Fill in the choices of the people `members`, who were seen in one frame."""
    # Only here: it takes a fifth of a second to import, and most frames show one person.
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]

    person_of = _group([persons[index] for index in members], SAME_PERSON_IOU)
    seen = [(row, nth) for row, index in enumerate(members) for nth in range(len(faces[index]))]
    face_of = _group([faces[members[row]][nth] for row, nth in seen], SAME_FACE_IOU)
    impossible = -1e6
    fits = np.full((max(person_of) + 1, max(face_of) + 1), impossible)
    for (row, nth), face in zip(seen, face_of, strict=True):
        fit = head_fit(faces[members[row]][nth], persons[members[row]])
        fits[person_of[row], face] = max(fits[person_of[row], face], fit)
    owner = {
        int(face): int(person)
        for person, face in zip(*linear_sum_assignment(fits, maximize=True), strict=True)
        if fits[person, face] > impossible
    }
    for (row, nth), face in zip(seen, face_of, strict=True):
        if owner.get(face) == person_of[row] and chosen[members[row]] is None:
            chosen[members[row]] = nth


def _group(boxes: Iterable[Box], iou: float) -> list[int]:
    """Number the boxes, giving those that overlap an earlier one by more than `iou` its number."""
    firsts: list[Box] = []
    numbers = []
    for box in boxes:
        overlaps = [intersection_over_union(box, first) for first in firsts]
        if overlaps and max(overlaps) > iou:
            numbers.append(overlaps.index(max(overlaps)))
        else:
            numbers.append(len(firsts))
            firsts.append(box)
    return numbers
