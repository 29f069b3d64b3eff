"""From pixels to encodings: detect, gate (size, focus), align, embed in batches."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from face_det.detectors import DETECTORS
from face_det.embedders import create_embedder
from face_det.engine.budget import Budget
from face_det.media import crop_box, measure_focus, pixel_region
from face_det.nets import DEFAULT_COMPUTE, Compute, trim_heap
from face_det.registry import create_by_name
from face_det.types import Box, Chip, Detection, Detector, Embedder, Face, Reason, Rgb, join_runtimes

View = tuple[Rgb, "Box | None"]
"""What to look at: an image, or the part of it in a box."""

LARGE_VIEW_PIXELS = 300_000
"""Of a view: from here on, what the C library keeps of a call's memory is worth giving back."""

FACES_PER_BATCH = 64
"""Faces embedded at once. Chips wait for a full batch, so this also bounds the memory of a call."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What an engine is built from: plain values, so that worker processes can build their own."""

    detector: str = "cnn"
    embedder: str = "dlib_resnet"
    upsample: int = 1
    jitters: int = 1
    jitter: str = "dlib"
    min_face_px: float = 20.0
    focus_threshold: float = 200.0
    compute: Compute = DEFAULT_COMPUTE

    def can_share(self, other: EngineOptions) -> bool:
        """Whether the networks of `other` answer the same, and see all faces that are wanted."""
        same = replace(
            other,
            upsample=self.upsample,
            jitters=self.jitters,
            min_face_px=self.min_face_px,
            focus_threshold=self.focus_threshold,
            compute=replace(other.compute, threads=self.compute.threads),
        )
        return self == same and self.min_face_px >= other.min_face_px


@dataclass(slots=True)
class Timings:
    """Seconds spent by one call, filled in by Engine.faces."""

    detect_s: float = 0.0
    embed_s: float = 0.0


@dataclass(slots=True)
class _PendingFaces:
    """Faces that wait for their encoding: where each belongs, and its chip."""

    places: list[tuple[int, int]] = field(default_factory=list)
    chips: list[Chip] = field(default_factory=list)


def build_engine(options: EngineOptions) -> Engine:
    """Load the networks that the options name.

    WeightsError if one is missing or damaged; ConfigError for options that do not go together, or
    that this machine or its packages cannot do.
    """
    detector: Detector = create_by_name(
        DETECTORS, options.detector, compute=options.compute, min_face_px=options.min_face_px
    )
    return Engine(detector, create_embedder(options.embedder, options.compute, options.jitter), options)


class Engine:
    """One detector and one embedder; `faces` may be called from several threads."""

    def __init__(self, detector: Detector, embedder: Embedder, options: EngineOptions) -> None:
        self._detector = detector
        self._embedder = embedder
        self.options = options

    @staticmethod
    def sharing(other: Engine, options: EngineOptions) -> Engine:
        """An engine with other gates on the same networks, which are loaded once.

        ValueError if these networks are others, or may not have seen faces that are to be found.
        """
        if not options.can_share(other.options):
            raise ValueError(f"options must share the networks of {other.options}, got {options}")
        return other._gated(options)

    def with_embedder(self, name: str) -> Engine:
        """The engine with another embedder on the same detector; networks that both embedders have are
        shared, others loaded. Raises as `build` does."""
        options = replace(self.options, embedder=name)
        if options == self.options:
            return self
        made = create_embedder(name, options.compute, options.jitter, self._embedder)
        return Engine(self._detector, made, options)

    def _gated(self, options: EngineOptions) -> Engine:
        return Engine(self._detector, self._embedder, options)

    def isolation(self) -> dict[str, Any] | None:
        """The processes that it runs in, for status(); None: it runs in this one."""
        return None

    @property
    def fingerprint(self) -> str:
        """What encodings depend on (embedder, weights, alignment): never mix two of them."""
        return self._embedder.fingerprint

    @property
    def runtime(self) -> str:
        """What runs the detector and the embedder, as in `onnxruntime+native` or `dlib`."""
        return join_runtimes(self._detector.runtime, self._embedder.runtime)

    def faces(
        self,
        views: Iterable[View],
        timings: Timings | None = None,
        *,
        budget: Budget | None = None,
        broken: set[int] | None = None,
    ) -> list[tuple[Face, ...]]:
        """Faces of each view (an image, or the part of it in a box), best first, encoded.

        The views are taken one by one and let go, so a long call holds one image at a time. A
        view whose box has no pixel inside the image yields no face. Boxes of faces are in pixels
        of the full image. Faces that a gate turns away keep their reason and have no encoding.

        Once `budget` is over, faces are not encoded any more and have TIMEOUT for a reason; to end the
        views then is for who makes them. Where an engine runs in a process of its own, `broken` gains
        the index of each view that ended the process twice, and without `broken` that is BadImage.
        """
        timings = timings if timings is not None else Timings()
        budget = budget if budget is not None else Budget()
        batch = max(1, FACES_PER_BATCH // self.options.jitters)
        found: list[list[Face]] = []
        pending = _PendingFaces()
        large = False
        for rgb, box in views:
            index = len(found)
            start = time.perf_counter()
            part, (dx, dy) = crop_view(rgb, box)
            large = large or (part is not None and part.shape[0] * part.shape[1] >= LARGE_VIEW_PIXELS)
            detections = [] if part is None else self._detector.detect(part, self.options.upsample)
            timings.detect_s += time.perf_counter() - start
            found.append([])
            for detection in detections:
                assert part is not None
                face = self._gate(part, detection)
                if face.reason is None:
                    pending.places.append((index, len(found[index])))
                    pending.chips.append(self._embedder.align(part, detection))
                found[index].append(replace(face, box=face.box.shifted(dx, dy)))
            # Whoever makes the views may wait for its turn before the next one: keep no picture.
            del rgb, part
            if len(pending.chips) >= batch:
                self._embed(pending, found, timings, budget, batch)
        self._embed(pending, found, timings, budget, batch)
        if large:
            trim_heap()
        return [tuple(faces) for faces in found]

    def _gate(self, part: Rgb, detection: Detection) -> Face:
        box = detection.box
        sharpness = measure_focus(part, box)
        reason = None
        if min(box.width, box.height) < self.options.min_face_px:
            reason = Reason.TOO_SMALL
        elif sharpness < self.options.focus_threshold:
            reason = Reason.TOO_BLURRY
        return Face(box, detection.score, sharpness, reason, None)

    def _embed(
        self, pending: _PendingFaces, found: list[list[Face]], timings: Timings, budget: Budget, size: int
    ) -> None:
        """Encode what is pending, `size` faces at once. Those that were found in time always get one such
        batch; after it, time may be up for the rest."""
        start = time.perf_counter()
        places, chips = iter(pending.places), iter(pending.chips)
        while batch := list(itertools.islice(chips, size)):
            for encoding in self._embedder.embed(batch, self.options.jitters):
                view, position = next(places)
                found[view][position] = replace(found[view][position], encoding=encoding)
            if budget.over:
                break
        for view, position in places:
            found[view][position] = replace(found[view][position], reason=Reason.TIMEOUT)
        pending.places.clear()
        pending.chips.clear()
        timings.embed_s += time.perf_counter() - start


def crop_view(rgb: Rgb, box: Box | None) -> tuple[Rgb | None, tuple[int, int]]:
    """The pixels a view looks at, contiguous, and where their top left lies in the image."""
    if box is None:
        return rgb, (0, 0)
    height, width = rgb.shape[:2]
    edges = pixel_region(box, width, height)
    part = crop_box(rgb, box)
    if edges is None or part is None:
        return None, (0, 0)
    return np.ascontiguousarray(part), (edges[0], edges[1])
