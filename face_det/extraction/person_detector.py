"""Finds persons without a server: by a model of the user's own, or by what OpenCV brings and their faces."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from face_det.boxes import BoxArray, box_area, non_maximum_suppression, pairwise_intersection
from face_det.engine import FaceEngine
from face_det.errors import FaceDetError
from face_det.extraction.crops import Person
from face_det.extraction.objects import LoadedPicture
from face_det.media import resize_image
from face_det.nets import DEFAULT_COMPUTE, Compute, PersonNetwork
from face_det.types import Box, Detection, Rgb

MODEL_MIN_SCORE = 0.4
HOG_MIN_SCORE = 1.0
"""Boxes that the cascade is less sure of show mostly parts of a person."""
HOG_MAX_SIDE_PX = 1280
"""Larger pictures are scaled down first: a person in them is still larger than the 128 pixels it needs."""
MAX_SHARED_PART = 0.5
"""Of two boxes that share more than this part of the smaller one, the less sure one goes."""
SIDEWAYS, UPWARDS, DOWNWARDS = 1.0, 0.6, 3.0
"""How far the head and shoulders reach beyond a face, in widths and heights of the face."""


class ModelPersonFinder:
    """A PersonFinder with an ONNX file of the user's own; see `nets.PersonNetwork` for what it must be."""

    batch = 1

    def __init__(
        self, path: Path, compute: Compute = DEFAULT_COMPUTE, min_score: float = MODEL_MIN_SCORE
    ) -> None:
        """Load the model; raises as PersonNetwork does."""
        self._network = PersonNetwork(path, compute)
        self._min_score = min_score
        with path.open("rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        self.settings = f"model {digest[:16]} {min_score:g}"

    def find(self, pictures: Sequence[LoadedPicture]) -> list[list[Person] | FaceDetError]:
        """Return the persons of each picture; raises ModelError if the model cannot be used."""
        return [
            [Person(one.box, one.score) for one in self._network.detect(rgb, self._min_score)]
            for _, rgb in pictures
        ]


class FacePersonFinder:
    """A PersonFinder for persons with a face: head and shoulders around each face.

    Where OpenCV's detector of whole persons, a HOG with a linear SVM (Dalal and Triggs, 2005), has found the
    one whose face it is, that larger box is taken. It also finds persons without a face, but few of them; its
    boxes that cut through somebody's face are dropped.
    """

    batch = 1

    def __init__(self, engine: FaceEngine) -> None:
        self._engine = engine
        self._hog = HogDetector()
        self.settings = "faces and hog"

    def find(self, pictures: Sequence[LoadedPicture]) -> list[list[Person] | FaceDetError]:
        """Return the persons of each picture."""
        return [self._find(rgb) for _, rgb in pictures]

    def _find(self, rgb: Rgb) -> list[Person]:
        height, width = rgb.shape[:2]
        whole = self._hog.detect(rgb)
        faces = self._engine.find(rgb)
        persons = []
        for face in faces:
            at = next((index for index, one in enumerate(whole) if _is_head_of(face.box, one.box)), None)
            around = head_and_shoulders(face.box).clipped(width, height)
            persons.append(Person(whole.pop(at).box if at is not None else around, face.score, face))
        for one in whole:
            if not any(_touch(one.box, face.box) for face in faces):
                persons.append(Person(one.box, one.score))
        return persons


class HogDetector:
    """OpenCV's detector of upright, whole persons. `detect` may be called from several threads."""

    def __init__(self) -> None:
        self._hog = cv2.HOGDescriptor()
        self._hog.setSVMDetector(cv2.HOGDescriptor_getDefaultPeopleDetector())  # type: ignore[attr-defined]
        self._lock = threading.Lock()

    def detect(self, rgb: Rgb) -> list[Detection]:
        """Find persons, best first, with boxes in pixels of the picture, clipped to it."""
        height, width = rgb.shape[:2]
        scale = min(1.0, HOG_MAX_SIDE_PX / max(height, width))
        small = resize_image(rgb, round(width * scale), round(height * scale)) if scale < 1 else rgb
        if small.shape[0] < 128 or small.shape[1] < 64:
            return []  # smaller than the window that it looks through
        with self._lock:
            found, weights = self._hog.detectMultiScale(
                cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), winStride=(8, 8), padding=(8, 8), scale=1.05
            )
        scores = np.ravel(weights).astype(np.float32)
        if not len(scores):
            return []
        corners = np.asarray(found, np.float32)
        corners = np.hstack([corners[:, :2], corners[:, :2] + corners[:, 2:]])
        sure = np.flatnonzero(scores >= HOG_MIN_SCORE)
        order = sure[np.argsort(-scores[sure], kind="stable")]
        kept = order[non_maximum_suppression(corners[order], _shared_part, MAX_SHARED_PART)]
        boxes = [Box(*(corners[at] / scale).tolist()).clipped(width, height) for at in kept]
        return [Detection(box, float(scores[at])) for box, at in zip(boxes, kept, strict=True)]


def head_and_shoulders(face: Box) -> Box:
    """Return the box of a person's head and shoulders; it may stick out of the picture.

    >>> head_and_shoulders(Box(100, 100, 150, 160))
    Box(xmin=50.0, ymin=64.0, xmax=200.0, ymax=340.0)
    """
    return Box(
        face.xmin - SIDEWAYS * face.width,
        face.ymin - UPWARDS * face.height,
        face.xmax + SIDEWAYS * face.width,
        face.ymax + DOWNWARDS * face.height,
    )


def _is_head_of(face: Box, person: Box) -> bool:
    """Tell whether a face is where the head of a whole, upright person is."""
    across = ((face.xmin + face.xmax) / 2 - person.xmin) / max(person.width, 1.0)
    down = ((face.ymin + face.ymax) / 2 - person.ymin) / max(person.height, 1.0)
    return (
        0.25 <= across <= 0.75 and 0.0 <= down <= 0.35 and 0.1 <= face.width / max(person.width, 1.0) <= 0.6
    )


def _shared_part(one: BoxArray, others: BoxArray) -> npt.NDArray[np.float32]:
    """Return the area that a box shares with each of others, as a part of the smaller of the two."""
    smaller: npt.NDArray[np.float32] = np.minimum(box_area(one), box_area(others))
    return np.asarray(pairwise_intersection(one, others) / np.maximum(smaller, np.float32(1)), np.float32)


def _touch(one: Box, other: Box) -> bool:
    across = min(one.xmax, other.xmax) - max(one.xmin, other.xmin)
    return across > 0 and min(one.ymax, other.ymax) - max(one.ymin, other.ymin) > 0
