"""Adds to faces what is said of them for information: head pose, and a network's opinion of liveness."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from face_det.engine.interface import EngineOptions
from face_det.types import Face, Rgb

if TYPE_CHECKING:
    from face_det.attributes import HeadPoseEstimator, LivenessNetwork


class Attributes:
    """The networks for attributes; may be called from several threads.

    The user's network is loaded at once, so that its faults are reported at the start; YuNet when a head pose
    is first asked for.
    """

    def __init__(self, options: EngineOptions) -> None:
        """Raises ModelMissing or ModelError, which name the user's file."""
        self._compute = options.compute
        self._liveness: LivenessNetwork | None = None
        if options.liveness is not None:
            from face_det.attributes import LivenessNetwork  # most have none: it costs them no import

            self._liveness = LivenessNetwork(options.liveness, options.compute)
        self._poses: HeadPoseEstimator | None = None
        self._loading = threading.Lock()

    def add_to(self, face: Face, rgb: Rgb, *, head_pose: bool) -> Face:
        """Return a face of an image with its attributes; the same one if none are asked for."""
        if head_pose:
            face = replace(face, head_pose=self._estimator().estimate(rgb, face.box))
        if self._liveness is not None:
            face = replace(face, liveness=self._liveness.probability(rgb, face.box))
        return face

    def _estimator(self) -> HeadPoseEstimator:
        with self._loading:
            if self._poses is None:
                from face_det.attributes import HeadPoseEstimator

                self._poses = HeadPoseEstimator(self._compute)
            return self._poses
