"""The annotated video: boxes, and the names of the tracks so far."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from face_det.media import annotate_faces, resize_image
from face_det.tracking import TrackedFace
from face_det.types import Outcome, Rgb
from face_det.video import VideoFrame, VideoInfo, VideoWriter

MAX_WIDTH, MAX_HEIGHT = 1280, 720
"""Larger frames are made smaller: encoding is what takes longest."""
DEFAULT_FPS = 25.0
MAX_FPS = 60.0
MAX_GAP_S = 10.0
"""A longer pause between two frames is shortened to this."""


class AnnotatedVideo:
    """Writes frames with what was seen in them, at the pace of the video, whatever that is."""

    def __init__(self, path: Path, info: VideoInfo, every: int) -> None:
        """`every` is how many frames of the video become one. Raises CannotWrite."""
        self.path = path
        scale = min(1.0, MAX_WIDTH / info.width, MAX_HEIGHT / info.height)
        self._size = (max(2, round(info.width * scale)), max(2, round(info.height * scale)))
        self._fps = min((info.fps or DEFAULT_FPS) / every, MAX_FPS)
        self._writer = VideoWriter(path, self._fps, self._size)
        self._written = 0
        self._start_s: float | None = None

    def add(self, frame: VideoFrame, faces: Sequence[TrackedFace]) -> None:
        """Draw the faces and write the frame, as often as its time requires. Raises CannotWrite."""
        if self._start_s is None:
            self._start_s = frame.time_s
        due = round((frame.time_s - self._start_s) * self._fps) + 1 - self._written
        if due <= 0:
            return
        most = max(1, round(MAX_GAP_S * self._fps))
        if due > most:
            self._start_s += (due - most) / self._fps
            due = most
        drawn = self._draw(frame.rgb, faces)
        for _ in range(due):
            self._writer.write(drawn)
            self._written += 1

    def close(self) -> None:
        """Finish the file. Raises CannotWrite."""
        self._writer.close()

    def _draw(self, rgb: Rgb, faces: Sequence[TrackedFace]) -> Rgb:
        labels = [(face.box, label_track(face), face.match.outcome is Outcome.KNOWN) for face in faces]
        # Drawn at full size first, so that boxes need no scaling.
        drawn = annotate_faces(rgb, labels) if labels else rgb
        height, width = rgb.shape[:2]
        scale = min(1.0, MAX_WIDTH / width, MAX_HEIGHT / height)
        if scale < 1:
            return resize_image(drawn, max(2, round(width * scale)), max(2, round(height * scale)))
        return drawn


def label_track(face: TrackedFace) -> str:
    """Return what the picture says of a face: its track, and its name so far.

    >>> from face_det.types import Box, Match, Reason
    >>> label_track(TrackedFace(3, Box(0, 0, 9, 9), None, Match("Anna", 0.98, None, Outcome.KNOWN), False, 5))
    'Anna 98% #3'
    >>> label_track(TrackedFace(4, Box(0, 0, 9, 9), None, Match(None, None, Reason.TOO_SMALL), False, 5))
    '#4'
    """
    match = face.match
    if match.outcome is not Outcome.KNOWN:
        return f"#{face.track}"
    sure = "" if match.probability is None else f" {match.probability:.0%}"
    return f"{match.name}{sure} #{face.track}"
