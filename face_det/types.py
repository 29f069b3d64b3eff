"""The nouns (Box, Detection, Face, Match), and what a detector, an embedder and a classifier must do.

An image is always RGB uint8 of shape (H, W, 3), upright. A box is always in float pixels of the full
image, as (xmin, ymin, xmax, ymax). Everything here is frozen: what was returned is never changed later.
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
"""Encodings: float64, shape (n, dimensions): 128 for one embedder, 256 for two together."""

Chip = Any
"""An aligned face, in whatever form its embedder reads."""

UNKNOWN = "Unknown"
"""The class of strangers, and the name of their dataset folder."""


class Reason(str, Enum):
    """Why a face has no name; the values are part of the RPC contract."""

    BAD_IMAGE = "bad_image"
    BAD_ROI = "bad_roi"
    NO_FACE = "no_face"
    TOO_SMALL = "too_small"
    TOO_BLURRY = "too_blurry"
    UNRECOGNISED = "unrecognised"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in float pixels of the full image: xmin <= xmax, ymin <= ymax.

    >>> Box(10, 20, 40, 60).width
    30
    >>> Box(10, 20, 40, 60).clipped(width=30, height=30)
    Box(xmin=10, ymin=20, xmax=30, ymax=30)
    """

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

    @property
    def shorter_side(self) -> float:
        """The smaller of width and height, in pixels: what minFace is compared with."""
        return min(self.width, self.height)

    def shifted(self, dx: float, dy: float) -> Box:
        """Return the box moved by (dx, dy) pixels."""
        return Box(self.xmin + dx, self.ymin + dy, self.xmax + dx, self.ymax + dy)

    def clipped(self, width: float, height: float) -> Box:
        """Return the part inside an image of that size in pixels; it may be empty."""
        return Box(
            min(max(self.xmin, 0.0), width),
            min(max(self.ymin, 0.0), height),
            min(max(self.xmax, 0.0), width),
            min(max(self.ymax, 0.0), height),
        )


@dataclass(frozen=True, eq=False, slots=True)
class Detection:
    """Where a detector sees a face.

    `box` is in pixels of the image that the detector was given; `score` is its confidence, the
    higher the surer. `landmarks` are the eyes, the nose tip and the mouth corners in pixels, shape
    (5, 2), or None if the detector gives none.
    """

    box: Box
    score: float
    landmarks: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class HeadPose:
    """Where a head is turned, in degrees as seen in the picture; all are 0 where it looks at the camera.

    `yaw` is positive where the face looks to the right edge of the picture, `pitch` where it looks up, and
    `roll` where the head is tilted clockwise. A mirrored picture has the opposite yaw and roll.
    """

    yaw: float
    pitch: float
    roll: float

    def rounded(self) -> HeadPose:
        """Return the pose in tenths of a degree.

        >>> HeadPose(12.34, -0.01, 179.96).rounded()
        HeadPose(yaw=12.3, pitch=0.0, roll=180.0)
        """
        return HeadPose(*(round(angle, 1) + 0.0 for angle in (self.yaw, self.pitch, self.roll)))


@dataclass(frozen=True, eq=False, slots=True)
class Face:
    """A face found in an image.

    `score` is the detector's confidence, `focus` the variance of the Laplacian within the box. Either
    `encoding` is set, shape (dimensions,), or `reason` says why the face was not encoded; both are None where
    faces are found first and encoded later. `norm` is the length of the encoding before it was scaled to 1,
    which grows with how clearly the network sees a face; None if the embedder does not tell. `quality` is
    the probability, 0..1, that a face seen like this is recognised, were it enrolled. `thumbnail` is the face
    with a margin, as a JPEG, if the engine was asked for it. `landmarks` are the detector's, in pixels of the
    image, shape (5, 2), if it gives any. `head_pose`, and `liveness`, 0..1, are for information, and only
    there if the engine was asked for them and the face was encoded.
    """

    box: Box
    score: float
    focus: float
    reason: Reason | None
    encoding: npt.NDArray[np.float64] | None
    norm: float | None = None
    quality: float | None = None
    thumbnail: bytes | None = None
    landmarks: npt.NDArray[np.float32] | None = None
    head_pose: HeadPose | None = None
    liveness: float | None = None


class Outcome(str, Enum):
    """The result of a decision."""

    KNOWN = "known"
    """Somebody enrolled."""
    UNCERTAIN = "uncertain"
    """Possibly somebody enrolled; `candidates` says who."""
    UNKNOWN = "unknown"
    """Nobody enrolled."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person to whom a face may belong, with a probability in 0..1."""

    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class Veto:
    """A person who was ruled out: the face is more like one that was marked as not theirs or, if `ignored`,
    like somebody who is ignored."""

    name: str
    ignored: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """The decision about one face: a name, or None and the reason; probability in 0..1.

    `outcome` is None if no decision was made about the face; `candidates` come likeliest first.
    `explanation` says in a sentence why there is no name. `veto` says whom the face resembles most, if that
    person was ruled out.
    """

    name: str | None
    probability: float | None
    reason: Reason | None
    outcome: Outcome | None = None
    candidates: tuple[Candidate, ...] = ()
    explanation: str | None = None
    veto: Veto | None = None


def join_runtimes(*names: str) -> str:
    """Name the runtimes of several networks together, each once.

    >>> join_runtimes("onnxruntime", "native", "onnxruntime")
    'onnxruntime+native'
    """
    return "+".join(dict.fromkeys("+".join(names).split("+")))


class Detector(Protocol):
    """Finds faces. `runtime` names what runs it: dlib, onnxruntime, openvino bf16, ...

    A detector is built from `compute` and `min_face_px`, and may skip faces narrower or shorter than that.
    """

    runtime: str

    def detect(self, rgb: Rgb, upsample: int = 0) -> list[Detection]:
        """Find the faces of one image, doubled in size `upsample` times first; best first, boxes clipped
        to the image."""
        ...


@runtime_checkable
class PersonDetector(Detector, Protocol):
    """A detector that saves work where the image is one person's box."""

    def detect_in_person(self, rgb: Rgb, upsample: int = 0) -> list[Detection]:
        """Find the faces in a person's box; small ones may be left out if there is a large one."""
        ...


@runtime_checkable
class CoarseDetector(Detector, Protocol):
    """A detector that saves work where only larger faces are searched for."""

    def detect_from(self, rgb: Rgb, min_face_px: float, upsample: int = 0) -> list[Detection]:
        """Find the faces that are at least `min_face_px` wide and high; smaller ones may be left out."""
        ...


class Embedder(Protocol):
    """Turns a face into an encoding, in two steps, so that all faces of a call share one batch."""

    name: str
    runtime: str
    dimensions: int
    fingerprint: str

    def align(self, rgb: Rgb, detection: Detection) -> Chip:
        """Cut out a face and turn it upright, as `embed` expects it; never fails, whatever the box."""
        ...

    def embed(self, chips: Sequence[Chip], jitters: int = 1) -> Encodings:
        """Encode aligned faces, shape (len(chips), dimensions); each is the mean over `jitters` samples."""
        ...


@runtime_checkable
class NormedEmbedder(Embedder, Protocol):
    """An embedder that tells how long each encoding was before it was scaled to length 1."""

    def embed_with_norms(
        self, chips: Sequence[Chip], jitters: int = 1
    ) -> tuple[Encodings, npt.NDArray[np.float64]]:
        """Encode as `embed` does; also return the norms, shape (len(chips),), of the chips themselves."""
        ...


@runtime_checkable
class CompositeEmbedder(Protocol):
    """An embedder that joins the encodings of others, `parts`."""

    parts: Sequence[Embedder]


class Classifier(Protocol):
    """A classifier as scikit-learn defines it, so that the original's pickles work unchanged."""

    classes_: npt.NDArray[Any]

    def predict_proba(self, X: Encodings) -> npt.NDArray[np.float64]:
        """Return probabilities, shape (n, len(classes_)), for encodings (n, dimensions); rows sum to 1."""
        ...
