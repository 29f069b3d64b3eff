"""What an engine is, wherever its networks run: its options, what it can do and what it answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from face_det.budget import Budget
from face_det.errors import BadImage
from face_det.nets import DEFAULT_COMPUTE, Compute
from face_det.types import Box, Face, Rgb

View = tuple[Rgb, "Box | None"]
"""An image, and the box to search for faces, in its pixels; None is the whole image."""


CRASHED = "image: crashed the process that looked at it, twice"
"""Why an image is bad that crashed one process after another."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What an engine is built from: plain values, so that worker processes can build their own.

    `upsample` is the number of doublings before detection. A face is rejected if a side of its box is
    shorter than `min_face_px` pixels, or if its sharpness, the variance of the Laplacian, is below
    `focus_threshold`. With a `thumbnail_px` other than 0, each face has a thumbnail of at most that size.
    Whole images are searched for faces from `search_from_px` pixels on, if that is more than `min_face_px`;
    smaller ones that are found nevertheless are treated like any other. With `head_pose`, faces that are
    encoded have one, and with `liveness`, the path of a user's network, its opinion.
    """

    detector: str = "auto"
    embedder: str = "dlib_resnet"
    upsample: int = 1
    jitters: int = 1
    jitter: str = "dlib"
    min_face_px: float = 16.0
    focus_threshold: float = 0.0
    compute: Compute = DEFAULT_COMPUTE
    thumbnail_px: int = 0
    search_from_px: float = 0.0
    head_pose: bool = False
    liveness: Path | None = None

    def can_share(self, other: EngineOptions) -> bool:
        """Tell whether an engine with these options can use the networks loaded for `other`.

        They must compute the same encodings, and must not skip faces that are wanted here.

        >>> EngineOptions(upsample=2).can_share(EngineOptions(upsample=0))
        True
        >>> EngineOptions(min_face_px=10).can_share(EngineOptions(min_face_px=40))
        False
        """
        same = replace(
            other,
            upsample=self.upsample,
            jitters=self.jitters,
            min_face_px=self.min_face_px,
            focus_threshold=self.focus_threshold,
            compute=replace(other.compute, threads=self.compute.threads),
            thumbnail_px=self.thumbnail_px,
            search_from_px=self.search_from_px,
            head_pose=self.head_pose,
        )
        return self == same and self.min_face_px >= other.min_face_px


@dataclass(frozen=True, slots=True)
class EngineResult:
    """The faces of each view, best first, and the seconds spent on detecting and encoding them.

    `crashed` holds the indices of views given up because they crashed one process after another. It is
    empty where the networks run in this process. `late` holds those whose faces were still being detected
    when time ran out.
    """

    faces: list[tuple[Face, ...]]
    detect_s: float
    embed_s: float
    crashed: frozenset[int] = frozenset()
    late: frozenset[int] = frozenset()

    def raise_if_crashed(self) -> None:
        """Raise BadImage if a view was given up."""
        if self.crashed:
            raise BadImage(CRASHED)


class FaceEngine(Protocol):
    """What an engine can do, wherever its networks run. Several threads may call it at once."""

    options: EngineOptions

    @property
    def fingerprint(self) -> str:
        """The embedder, its weights and its alignment. Never mix encodings with different fingerprints."""
        ...

    @property
    def runtime(self) -> str:
        """The runtimes of the detector and the embedder, such as `onnxruntime+native` or `dlib`."""
        ...

    def run(self, views: Iterable[View], budget: Budget | None = None) -> EngineResult:
        """Find and encode the faces of each view.

        The views are taken one by one and released, so a long call holds one image at a time. A view whose
        box covers no pixel of the image has no faces. Boxes of faces are in pixels of the full image. Faces
        that are rejected have a reason and no encoding.

        Once `budget` is over, no more faces are encoded; their reason is TIMEOUT. Detecting, and encoding
        many jitters, then end between two runs of a network. The caller's iterator must then stop yielding
        views.
        """
        ...

    def faces(self, views: Iterable[View], *, budget: Budget | None = None) -> list[tuple[Face, ...]]:
        """Return only the faces that `run` finds; BadImage if a view was given up."""
        ...

    def find(self, rgb: Rgb, regions: Sequence[Box] | None = None, from_px: float = 0.0) -> tuple[Face, ...]:
        """Find the faces of an image without encoding them, best first; `encode` does that for chosen ones.

        Only faces within `regions` are found, where some are given, in pixels of the image: 2 to 5 ms for
        each that is three times as large as its face. Faces smaller than `from_px` pixels may be left out,
        which saves much time. Boxes and landmarks are in pixels of the image. A face that is good enough to
        be encoded has neither an encoding nor a reason. Raises BadImage if the image crashed one process
        after another.
        """
        ...

    def encode(self, rgb: Rgb, faces: Sequence[Face]) -> list[Face]:
        """Encode faces of an image that `find` found, as `run` would have; those with a reason stay as they
        are. Raises as `find` does."""
        ...

    def with_options(self, options: EngineOptions) -> FaceEngine:
        """Return an engine with other limits on the same networks, which are not loaded again.

        Raises ValueError if these options need other networks, or ones that do not skip as many faces.
        """
        ...

    def with_embedder(self, name: str) -> FaceEngine:
        """Return an engine with another embedder and the same detector.

        Networks that both embedders need are shared, others are loaded. Raises as `build_engine` does.
        """
        ...

    def isolation(self) -> dict[str, Any] | None:
        """Report the processes that the engine runs in, for a status; None if it runs in this one."""
        ...
