"""Where the faces really are: by annotations, or where there are none, by what the detectors agree on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from face_det.boxes import non_maximum_suppression, pairwise_iou
from face_det.comparison.annotations.faces import AnnotatedFace, AnnotatedPicture, Annotations
from face_det.comparison.detecting import DetectorRun
from face_det.comparison.pictures import FolderPictures, Picture
from face_det.errors import DataError
from face_det.types import Box

KIND_OF = {"auto": "yunet", "cnn_dlib": "cnn", "haar_profile": "haar"}
"""Detectors that are another one in a new guise; together they have one vote."""


@dataclass(frozen=True, slots=True)
class Truth:
    """The faces by picture; pictures without an entry are not counted.

    `source` says in a sentence where they come from, `at_least` how many of the `of` kinds of detectors had
    to agree (0 with annotations), and `problems` what was wrong with the annotations.
    """

    source: str
    faces: Mapping[Path, tuple[AnnotatedFace, ...]]
    problems: tuple[str, ...] = ()
    at_least: int = 0
    of: int = 0

    @property
    def annotated(self) -> bool:
        """True if somebody marked the faces."""
        return not self.at_least


def truth_from_annotations(annotations: Annotations, where: Path, pictures: FolderPictures) -> Truth:
    """Match the annotated pictures with those in the folder, by path or else by file name.

    What does not fit is left out and told in `problems`. Raises DataError if nothing fits.
    """
    problems: list[str] = []
    by_name: dict[str, list[Picture]] = {}
    for each in pictures.pictures:
        by_name.setdefault(each.path.name, []).append(each)
    by_path = {pictures.name(each.path): each for each in pictures.pictures}
    faces: dict[Path, tuple[AnnotatedFace, ...]] = {}
    for one in annotations.pictures:
        near = by_name.get(PurePosixPath(one.name.replace("\\", "/")).name, [])
        picture = by_path.get(one.name) or (near[0] if len(near) == 1 else None)
        if picture is None:
            problems.append(
                f"{one.name}: {'there are several of that name' if near else 'not in the folder'}"
            )
        elif picture.path in faces:
            problems.append(f"{one.name}: annotated twice; the first counts")
        elif one.size is not None and one.size != (picture.width, picture.height):
            problems.append(
                f"{one.name}: annotated at {one.size[0]} x {one.size[1]} pixels, but it is "
                f"{picture.width} x {picture.height}; not counted"
            )
        else:
            faces[picture.path] = tuple(_inside(one, picture, problems))
    if not faces:
        first = f"; the first: {problems[0]}" if problems else ""
        raise DataError(f"{where}: must name pictures in {pictures.folder}, got none{first}")
    without = len(pictures.pictures) - len(faces)
    if without:
        problems.append(f"{without} of {len(pictures.pictures)} pictures are not annotated; not counted")
    return Truth(f"annotations in {annotations.format}: {where.name}", faces, tuple(problems))


def _inside(one: AnnotatedPicture, picture: Picture, problems: list[str]) -> Iterator[AnnotatedFace]:
    for face in one.faces:
        clipped = face.box.clipped(picture.width, picture.height)
        if clipped.shorter_side <= 0:
            problems.append(f"{one.name}: a box lies outside the picture, or is empty: {_told(face.box)}")
        else:
            yield AnnotatedFace(clipped, face.ignored)


def _told(box: Box) -> str:
    return ", ".join(f"{edge:g}" for edge in (box.xmin, box.ymin, box.xmax, box.ymax))


def truth_from_agreement(
    runs: Sequence[DetectorRun], pictures: Sequence[Picture], min_iou: float
) -> Truth | None:
    """Take for a face where at least half of the kinds of detectors see one, at any scale.

    None with less than two kinds: one alone agrees with nobody.
    """
    kinds = sorted({KIND_OF.get(run.detector, run.detector) for run in runs if run.missing is None})
    if len(kinds) < 2:
        return None
    at_least = max(2, -(-len(kinds) // 2))
    faces: dict[Path, tuple[AnnotatedFace, ...]] = {}
    for picture in pictures:
        votes = [
            (number, box)
            for number, kind in enumerate(kinds)
            for box in _boxes_of_kind(kind, runs, picture, min_iou)
        ]
        agreed = agree([kind for kind, _ in votes], [box for _, box in votes], at_least, min_iou)
        faces[picture.path] = tuple(AnnotatedFace(box) for box in agreed)
    source = f"no annotations: a face is where at least {at_least} of {len(kinds)} kinds of detectors see one"
    return Truth(source, faces, (), at_least, len(kinds))


def agree(kinds: Sequence[int], boxes: Sequence[Box], at_least: int, min_iou: float) -> Iterator[Box]:
    """Yield the median box of each place where at least so many kinds of detectors have a box.

    Boxes are of one place if the one on which most agree overlaps them with an IoU of at least `min_iou`.

    >>> [*agree([0, 1, 1, 2], [Box(0, 0, 8, 8), Box(0, 0, 8, 8), Box(9, 9, 12, 12), Box(0, 0, 8, 9)], 2, 0.5)]
    [Box(xmin=0.0, ymin=0.0, xmax=8.0, ymax=8.0)]
    """
    if not boxes:
        return
    rows = np.array([(one.xmin, one.ymin, one.xmax, one.ymax) for one in boxes], np.float32)
    voters = np.array(kinds)
    near = np.array([pairwise_iou(row, rows) for row in rows])
    together = near >= min_iou
    votes = np.array([len({*voters[mine]}) for mine in together])
    while votes.max() >= at_least:
        candidates = np.flatnonzero(votes == votes.max())
        best = max(candidates, key=lambda row: float(near[row][together[row]].mean()))
        members = np.flatnonzero(together[best])
        yield Box(*(float(edge) for edge in np.median(rows[members], axis=0)))
        beside = np.flatnonzero(together[:, members].any(axis=1))
        together[:, members] = together[members] = False
        votes[beside] = [len({*voters[together[row]]}) for row in beside]


def _boxes_of_kind(kind: str, runs: Sequence[DetectorRun], picture: Picture, min_iou: float) -> Iterator[Box]:
    """Yield what the detectors of a kind find at any scale, each place once; scale 1 comes first."""
    mine = [run for run in runs if KIND_OF.get(run.detector, run.detector) == kind]
    mine.sort(key=lambda run: run.scale != 1)
    boxes = [box for run in mine if picture.sha256 in run.found for box in run.found[picture.sha256].boxes]
    rows = np.array([(one.xmin, one.ymin, one.xmax, one.ymax) for one in boxes], np.float32)
    yield from (boxes[row] for row in non_maximum_suppression(rows.reshape(-1, 4), pairwise_iou, min_iou))
