"""Turns pixels into encodings: detects faces, rejects small and blurry ones, encodes the rest in batches."""

from __future__ import annotations

import contextlib
import itertools
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from face_det.budget import Budget, Interrupted, interruptible
from face_det.detectors import DETECTORS
from face_det.embedders import create_embedder
from face_det.engine.attributes import Attributes
from face_det.engine.interface import EngineOptions, EngineResult, View
from face_det.engine.quality import estimate_quality
from face_det.media import crop_box, make_face_thumbnail, measure_focus, pixel_region
from face_det.nets import trim_heap
from face_det.types import (
    Box,
    Chip,
    CoarseDetector,
    Detection,
    Detector,
    Embedder,
    Face,
    NormedEmbedder,
    PersonDetector,
    Reason,
    Rgb,
    join_runtimes,
)

LARGE_VIEW_PIXELS = 300_000
"""After a call with a view this large, it is worth returning the memory that the C library keeps."""

FACES_PER_BATCH = 64
"""Faces encoded at once. Chips wait for a full batch, so this also bounds the memory of a call."""


@dataclass(slots=True)
class _PendingFaces:
    """Faces that wait for their encodings: for each, its view and its position there, and its chip."""

    places: list[tuple[int, int]] = field(default_factory=list)
    chips: list[Chip] = field(default_factory=list)


def build_engine(options: EngineOptions) -> Engine:
    """Load the networks that the options name.

    Raises WeightsError if one is missing or damaged, and ConfigError for options that contradict each
    other, or that this machine or its packages do not support.
    """
    detector: Detector = DETECTORS.create(
        options.detector, compute=options.compute, min_face_px=options.min_face_px
    )
    attributes = Attributes(options)
    embedder = create_embedder(options.embedder, options.compute, options.jitter)
    return Engine(detector, embedder, options, attributes)


class Engine:
    """A FaceEngine with its networks in this process: one detector and one embedder."""

    def __init__(
        self,
        detector: Detector,
        embedder: Embedder,
        options: EngineOptions,
        attributes: Attributes | None = None,
    ) -> None:
        self._detector = detector
        self._embedder = embedder
        self._attributes = attributes or Attributes(options)
        self.options = options

    def with_options(self, options: EngineOptions) -> Engine:
        """Return an engine with other limits on the same networks; see FaceEngine."""
        require_shared_networks(options, self.options)
        return Engine(self._detector, self._embedder, options, self._attributes)

    def with_embedder(self, name: str) -> Engine:
        """Return an engine with another embedder and the same detector; see FaceEngine."""
        options = replace(self.options, embedder=name)
        if options == self.options:
            return self
        embedder = create_embedder(name, options.compute, options.jitter, self._embedder)
        return Engine(self._detector, embedder, options, self._attributes)

    def isolation(self) -> dict[str, Any] | None:
        """Return None: the networks run in this process."""
        return None

    @property
    def fingerprint(self) -> str:
        """The embedder, its weights and its alignment. Never mix encodings with different fingerprints."""
        return self._embedder.fingerprint

    @property
    def runtime(self) -> str:
        """The runtimes of the detector and the embedder, such as `onnxruntime+native` or `dlib`."""
        return join_runtimes(self._detector.runtime, self._embedder.runtime)

    def faces(self, views: Iterable[View], *, budget: Budget | None = None) -> list[tuple[Face, ...]]:
        """Return only the faces that `run` finds."""
        return self.run(views, budget).faces

    def run(self, views: Iterable[View], budget: Budget | None = None) -> EngineResult:
        """Find and encode the faces of each view; see FaceEngine."""
        budget = budget if budget is not None else Budget()
        batch = max(1, FACES_PER_BATCH // self.options.jitters)
        found: list[list[Face]] = []
        late: set[int] = set()
        pending = _PendingFaces()
        detect_s = embed_s = 0.0
        large = False
        for rgb, box in views:
            index = len(found)
            start = time.perf_counter()
            part, (dx, dy) = crop_view(rgb, box)
            large = large or (part is not None and part.shape[0] * part.shape[1] >= LARGE_VIEW_PIXELS)
            detections = self._detect(part, budget, in_person=box is not None)
            detect_s += time.perf_counter() - start
            found.append([])
            if detections is None:
                late.add(index)
            for detection in detections or ():
                assert part is not None
                face = self._assess(part, detection)
                if face.reason is None:
                    pending.places.append((index, len(found[index])))
                    pending.chips.append(self._embedder.align(part, detection))
                    face = self._attributes.add_to(face, part, head_pose=self.options.head_pose)
                face = move_face(face, dx, dy)
                if self.options.thumbnail_px:
                    face = replace(face, thumbnail=self._make_thumbnail(rgb, face))
                found[index].append(face)
            # The iterator may wait for its turn before it yields the next view: keep no image meanwhile.
            del rgb, part
            if len(pending.chips) >= batch:
                embed_s += self._embed(pending, found, budget, batch)
        embed_s += self._embed(pending, found, budget, batch)
        if large:
            trim_heap()
        return EngineResult([tuple(faces) for faces in found], detect_s, embed_s, late=frozenset(late))

    def find(self, rgb: Rgb, regions: Sequence[Box] | None = None, from_px: float = 0.0) -> tuple[Face, ...]:
        """Find faces without encoding them; see FaceEngine."""
        found = []
        for region in [None] if regions is None else regions:
            part, (dx, dy) = crop_view(rgb, region)
            if part is not None:
                found += [
                    move_face(self._assess(part, detection), dx, dy)
                    for detection in self._search(part, from_px)
                ]
        return tuple(sorted(found, key=lambda face: -face.score))

    def encode(self, rgb: Rgb, faces: Sequence[Face]) -> list[Face]:
        """Encode chosen faces; see FaceEngine."""
        encoded = list(faces)
        pending = _PendingFaces()
        for position, face in enumerate(faces):
            if face.reason is None:
                pending.places.append((0, position))
                detection = Detection(face.box, face.score, face.landmarks)
                pending.chips.append(self._embedder.align(rgb, detection))
                encoded[position] = self._attributes.add_to(face, rgb, head_pose=self.options.head_pose)
        self._embed(pending, [encoded], Budget(), max(1, FACES_PER_BATCH // self.options.jitters))
        return encoded

    def _search(self, part: Rgb, from_px: float) -> list[Detection]:
        """Detect faces from so many pixels on, if that saves time."""
        if from_px > self.options.min_face_px and isinstance(self._detector, CoarseDetector):
            return self._detector.detect_from(part, from_px, self.options.upsample)
        return self._detector.detect(part, self.options.upsample)

    def _detect(self, part: Rgb | None, budget: Budget, *, in_person: bool) -> list[Detection] | None:
        """Detect the faces of a view, of which `part` holds the pixels; None if time runs out meanwhile."""
        if part is None:
            return []
        with contextlib.suppress(Interrupted), interruptible(budget):
            if in_person and isinstance(self._detector, PersonDetector):
                return self._detector.detect_in_person(part, self.options.upsample)
            return self._search(part, 0.0 if in_person else self.options.search_from_px)
        return None

    def _assess(self, part: Rgb, detection: Detection) -> Face:
        """Measure a detection's size and sharpness; a face that fails has a reason."""
        sharpness = measure_focus(part, detection.box)
        measured = Face(detection.box, detection.score, sharpness, None, None, landmarks=detection.landmarks)
        face = reject_unfit(measured, self.options)
        return replace(face, quality=estimate_quality(face, self.options.detector))

    def _make_thumbnail(self, rgb: Rgb, face: Face) -> bytes:
        return make_face_thumbnail(rgb, face.box, self.options.thumbnail_px)

    def _embed(self, pending: _PendingFaces, found: list[list[Face]], budget: Budget, size: int) -> float:
        """Encode the pending faces, `size` at once, and return the seconds it took.

        Faces that were found in time always get one such batch; after it, the others may time out. With
        jitters, which can take many times as long, even that batch may.
        """
        start = time.perf_counter()
        chips = iter(pending.chips)
        done = 0
        while batch := list(itertools.islice(chips, size)):
            encoded = self._encode(batch, budget)
            for (view, position), (encoding, norm) in zip(pending.places[done:], encoded, strict=False):
                face = replace(found[view][position], encoding=encoding, norm=norm)
                found[view][position] = replace(face, quality=estimate_quality(face, self.options.detector))
            done += len(encoded)
            if budget.over:
                break
        for view, position in pending.places[done:]:
            found[view][position] = replace(found[view][position], reason=Reason.TIMEOUT)
        pending.places.clear()
        pending.chips.clear()
        return time.perf_counter() - start

    def _encode(
        self, batch: list[Chip], budget: Budget
    ) -> list[tuple[npt.NDArray[np.float64], float | None]]:
        """Encode some faces, with their norms; nothing if time runs out between two batches of jitters."""
        jitters, embedder = self.options.jitters, self._embedder
        limit = interruptible(budget) if jitters > 1 else contextlib.nullcontext()
        with contextlib.suppress(Interrupted), limit:
            if not isinstance(embedder, NormedEmbedder):
                return [(encoding, None) for encoding in embedder.embed(batch, jitters)]
            encodings, norms = embedder.embed_with_norms(batch, jitters)
            told = [None if math.isnan(norm) else float(norm) for norm in norms]
            return [*zip(encodings, told, strict=True)]
        return []


def reject_unfit(face: Face, options: EngineOptions) -> Face:
    """Return the face, without its encoding and with the reason if it is too small or too blurry.

    >>> blurred = Face(Box(0, 0, 60, 60), 1.0, 80.0, None, None)
    >>> reject_unfit(blurred, EngineOptions(focus_threshold=200)).reason.value
    'too_blurry'
    >>> reject_unfit(blurred, EngineOptions(focus_threshold=50)) is blurred
    True
    """
    if face.box.shorter_side < options.min_face_px:
        return replace(face, reason=Reason.TOO_SMALL, encoding=None)
    if face.focus < options.focus_threshold:
        return replace(face, reason=Reason.TOO_BLURRY, encoding=None)
    return face


def move_face(face: Face, dx: float, dy: float) -> Face:
    """Return the face moved by (dx, dy) pixels, box and landmarks.

    >>> move_face(Face(Box(0, 0, 60, 60), 1.0, 80.0, None, None), 10, 20).box
    Box(xmin=10, ymin=20, xmax=70, ymax=80)
    """
    points = face.landmarks
    if points is not None:
        points = points + np.array([dx, dy], points.dtype)
    return replace(face, box=face.box.shifted(dx, dy), landmarks=points)


def require_shared_networks(options: EngineOptions, loaded: EngineOptions) -> None:
    """Raise ValueError unless an engine with `options` can use the networks loaded for `loaded`."""
    if not options.can_share(loaded):
        raise ValueError(f"options must share the networks of {loaded}, got {options}")


def crop_view(rgb: Rgb, box: Box | None) -> tuple[Rgb | None, tuple[int, int]]:
    """Cut out the pixels of a view, contiguous, and return them with the image coordinates of their corner.

    The pixels are None if the box has none inside the image.

    >>> part, corner = crop_view(np.zeros((480, 640, 3), np.uint8), Box(600, 20, 700, 70))
    >>> part.shape, corner
    ((50, 40, 3), (600, 20))
    """
    if box is None:
        return rgb, (0, 0)
    height, width = rgb.shape[:2]
    edges = pixel_region(box, width, height)
    part = crop_box(rgb, box)
    if edges is None or part is None:
        return None, (0, 0)
    return np.ascontiguousarray(part), (edges[0], edges[1])
