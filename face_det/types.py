"""The nouns: Box, Detection, Face, Match; and what a detector, embedder and classifier must do.

One spelling of an image: RGB uint8, shape (H, W, 3), upright. One of a box: float pixels of the
full image, xyxy. Everything here is frozen; nothing returned is changed later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Rgb = npt.NDArray[np.uint8]
"""An image: RGB uint8, shape (H, W, 3)."""

Encodings = npt.NDArray[np.float64]
"""Encodings: float64, shape (n, 128), or (n, 256) of both embedders together."""

Chip = Any
"""An aligned face: whatever the embedder that made it reads."""

UNKNOWN = "Unknown"
"""The class, and the dataset folder, of strangers."""


class Reason(str, Enum):
    """Why a face is not named; the values are part of the RPC contract."""

    BAD_IMAGE = "bad_image"
    BAD_ROI = "bad_roi"
    NO_FACE = "no_face"
    TOO_SMALL = "too_small"
    TOO_BLURRY = "too_blurry"
    UNRECOGNISED = "unrecognised"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in float pixels of the full image: xmin <= xmax, ymin <= ymax."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.xmax - self.xmin

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.ymax - self.ymin

    def shifted(self, dx: float, dy: float) -> Box:
        """The same box, moved by (dx, dy) pixels."""
        return Box(self.xmin + dx, self.ymin + dy, self.xmax + dx, self.ymax + dy)

    def clipped(self, width: float, height: float) -> Box:
        """The part inside an image of that size; may be empty."""
        return Box(
            min(max(self.xmin, 0.0), width),
            min(max(self.ymin, 0.0), height),
            min(max(self.xmax, 0.0), width),
            min(max(self.ymax, 0.0), height),
        )


@dataclass(frozen=True, eq=False, slots=True)
class Detection:
    """Where a detector sees a face: box in pixels of the image it was given, its confidence,
    and, from detectors that have them, five landmarks (eyes, nose, mouth corners; shape (5, 2))."""

    box: Box
    score: float
    landmarks: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Face:
    """A face found in an image. `reason` says why it was not encoded; else `encoding` is set."""

    box: Box
    score: float
    focus: float
    reason: Reason | None
    encoding: npt.NDArray[np.float64] | None


class Outcome(str, Enum):
    """What a decision comes to."""

    KNOWN = "known"
    """Somebody enrolled."""
    UNCERTAIN = "uncertain"
    """Perhaps somebody enrolled: `candidates` says who."""
    UNKNOWN = "unknown"
    """Nobody enrolled."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody whom a face may belong to."""

    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class Match:
    """The decision about one face: a name, or None and the reason; probability in 0..1.

    `outcome` is None for a face that nobody decided about; `candidates` come likeliest first.
    """

    name: str | None
    probability: float | None
    reason: Reason | None
    outcome: Outcome | None = None
    candidates: tuple[Candidate, ...] = ()


def join_runtimes(*names: str) -> str:
    """What runs several networks, each once, of what runs each: onnxruntime+native."""
    return "+".join(dict.fromkeys("+".join(names).split("+")))


class Detector(Protocol):
    """Finds faces. `runtime` names what runs it: dlib, onnxruntime, openvino bf16, ...

    Built from `compute` and `min_face_px`: it may leave out faces narrower or lower than that.
    """

    runtime: str

    def detect(self, rgb: Rgb, upsample: int = 0) -> list[Detection]:
        """Faces of one image, best first; boxes lie within the image. `upsample` doublings first."""
        ...


class Embedder(Protocol):
    """Turns a face into an encoding, in two steps so that all faces of a call share one batch."""

    name: str
    runtime: str
    dimensions: int
    fingerprint: str

    def align(self, rgb: Rgb, detection: Detection) -> Chip:
        """The face cut out and turned upright, as `embed` wants it; whatever its box, never an error."""
        ...

    def embed(self, chips: Sequence[Chip], jitters: int = 1) -> Encodings:
        """Encodings of aligned faces, shape (len(chips), dimensions); `jitters` re-samples each."""
        ...


@runtime_checkable
class CompositeEmbedder(Protocol):
    """An embedder that is made of others, `parts`."""

    parts: Sequence[Embedder]


class Classifier(Protocol):
    """scikit-learn's contract, so that the original's pickles fit it as they are."""

    classes_: npt.NDArray[Any]

    def predict_proba(self, X: Encodings) -> npt.NDArray[np.float64]:
        """Probabilities, shape (n, len(classes_)); each row sums to 1."""
        ...
