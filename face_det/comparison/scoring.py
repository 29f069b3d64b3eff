"""Counts what a detector found, missed, and took for a face."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from face_det.boxes import intersection_over_union
from face_det.comparison.annotations.faces import AnnotatedFace
from face_det.comparison.detecting import DetectorRun
from face_det.comparison.pictures import Picture
from face_det.comparison.truth import Truth
from face_det.evaluation import Proportion
from face_det.types import Box

SIZES_PX = (0, 32, 64, 128)
"""Where the bands of faces begin, by the shorter side in the picture."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A picture's boxes that are right, those that are false alarms, and the faces found and missed."""

    right: tuple[Box, ...]
    alarms: tuple[Box, ...]
    found: tuple[Box, ...]
    missed: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class DetectorScore:
    """How a detector did at a scale. `recall` and `alarms` are None if nobody knows where the faces are.

    `pictures` were counted, `boxes` found in them; `ms` is the mean time for a picture. `by_size` is the
    recall of faces between the SIZES_PX, and above the last.
    """

    run: DetectorRun
    pictures: int
    boxes: int
    recall: Proportion | None
    alarms: int | None
    ms: float | None
    by_size: tuple[Proportion, ...] = ()

    @property
    def alarms_per_picture(self) -> float | None:
        """The mean number of false alarms in a picture."""
        return None if self.alarms is None or not self.pictures else self.alarms / self.pictures


def match_boxes(
    faces: Sequence[AnnotatedFace], boxes: Sequence[Box], min_iou: float, min_face_px: float
) -> Outcome:
    """Match boxes with faces, the best overlap first, each with one.

    Faces that are ignored or smaller than `min_face_px` are neither found nor missed, and a box on one, or
    one as small on nothing, is no false alarm.

    >>> faces = [AnnotatedFace(Box(0, 0, 20, 20)), AnnotatedFace(Box(50, 50, 90, 90))]
    >>> outcome = match_boxes(faces, [Box(2, 0, 20, 20), Box(100, 0, 140, 40)], 0.4, 16)
    >>> len(outcome.right), len(outcome.alarms), len(outcome.missed)
    (1, 1, 1)
    """
    overlaps = sorted(
        (
            (-overlap, at, which)
            for at, face in enumerate(faces)
            for which, box in enumerate(boxes)
            if (overlap := intersection_over_union(face.box, box)) >= min_iou
        ),
    )
    taken: dict[int, int] = {}
    for _, at, which in overlaps:
        if at not in taken and which not in taken.values():
            taken[at] = which
    counted = [at for at, face in enumerate(faces) if _counts(face, min_face_px)]
    beside = {which for _, at, which in overlaps if at not in counted}
    beside |= {which for which, box in enumerate(boxes) if any(_covers(face, box) for face in faces)}
    alarms = (
        box
        for which, box in enumerate(boxes)
        if which not in taken.values() and which not in beside and box.shorter_side >= min_face_px
    )
    return Outcome(
        tuple(boxes[taken[at]] for at in counted if at in taken),
        tuple(alarms),
        tuple(faces[at].box for at in counted if at in taken),
        tuple(faces[at].box for at in counted if at not in taken),
    )


def _covers(face: AnnotatedFace, box: Box) -> bool:
    """Tell whether most of a box lies on what is ignored, such as one face of a crowd marked as a whole."""
    width = min(face.box.xmax, box.xmax) - max(face.box.xmin, box.xmin)
    height = min(face.box.ymax, box.ymax) - max(face.box.ymin, box.ymin)
    return face.ignored and 2 * max(width, 0.0) * max(height, 0.0) >= box.width * box.height


def _counts(face: AnnotatedFace, min_face_px: float) -> bool:
    return not face.ignored and face.box.shorter_side >= min_face_px


def score_run(
    run: DetectorRun, pictures: Sequence[Picture], truth: Truth | None, min_iou: float, min_face_px: float
) -> DetectorScore:
    """Count a run over the pictures whose faces are known. Where a detector failed, it found nothing."""
    times = [finding.ms for finding in run.found.values()]
    ms = fmean(times) if times else None
    boxes_of = {sha256: finding.boxes for sha256, finding in run.found.items()}
    if truth is None:
        boxes = sum(len(boxes_of.get(picture.sha256, ())) for picture in pictures)
        return DetectorScore(run, len(pictures), boxes, None, None, ms)
    counted = [picture for picture in pictures if picture.path in truth.faces]
    outcomes = [
        match_boxes(truth.faces[picture.path], boxes_of.get(picture.sha256, ()), min_iou, min_face_px)
        for picture in counted
    ]
    right = sum(len(outcome.right) for outcome in outcomes)
    missed = sum(len(outcome.missed) for outcome in outcomes)
    alarms = sum(len(outcome.alarms) for outcome in outcomes)
    boxes = sum(len(boxes_of.get(picture.sha256, ())) for picture in counted)
    by_size = tuple(_recall_between(outcomes, *band) for band in pairwise((*SIZES_PX, math.inf)))
    return DetectorScore(run, len(counted), boxes, Proportion(right, right + missed), alarms, ms, by_size)


def _recall_between(outcomes: Sequence[Outcome], least: float, below: float) -> Proportion:
    def count(faces: Iterable[Box]) -> int:
        return sum(least <= face.shorter_side < below for face in faces)

    found = sum(count(outcome.found) for outcome in outcomes)
    return Proportion(found, found + sum(count(outcome.missed) for outcome in outcomes))
