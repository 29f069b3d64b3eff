"""Clips composed of people's photos, which move, grow, blur and cross each other over real frames.

Who is where in each frame is known, which it is not in a real film.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from face_det.media import load_image
from face_det.types import Box, Rgb

FACE_SHARE = 0.38
"""How wide the face is in a photo of LFW."""


@dataclass(frozen=True)
class Actor:
    """Somebody who walks through a clip: whose photos are shown one after the other, and how.

    `path` holds the middle of the face at the start and at the end, as shares of the frame, `width_px` how
    wide the face is then. `blur` is the largest sigma of a Gaussian, as a share of the face's width, `light`
    multiplies the values. Between `hidden`, shares of the clip's length, the actor is not to be seen.
    """

    name: str
    photos: tuple[Path, ...]
    path: tuple[tuple[float, float], tuple[float, float]]
    width_px: tuple[float, float]
    blur: float = 0.0
    light: float = 1.0
    hidden: tuple[float, float] | None = None

    def face(self, share: float, width: int, height: int) -> Box | None:
        """Return the box of the face at a share of the clip, in pixels of a frame; None if it is hidden."""
        if self.hidden is not None and self.hidden[0] <= share < self.hidden[1]:
            return None
        (x, y), (to_x, to_y) = self.path
        x, y = (x + (to_x - x) * share) * width, (y + (to_y - y) * share) * height
        y += 0.004 * height * np.sin(share * 40)
        side = self.width_px[0] + (self.width_px[1] - self.width_px[0]) * share
        return Box(x - side / 2, y - 0.6 * side, x + side / 2, y + 0.6 * side)


@dataclass(frozen=True)
class Clip:
    """Actors in front of frames, the last one nearest to the camera."""

    actors: tuple[Actor, ...]
    background: Sequence[Rgb]
    size: tuple[int, int]
    frames: int
    fps: float
    seed: int = 0

    def play(self) -> Iterator[tuple[float, Rgb, list[Box | None]]]:
        """Yield (seconds, frame, the actors' faces), frame by frame."""
        width, height = self.size
        rng = np.random.default_rng(self.seed)
        photos = [[load_image(path) for path in actor.photos] for actor in self.actors]
        for number in range(self.frames):
            share = number / self.frames
            frame = cv2.resize(self.background[number % len(self.background)], self.size)
            boxes = []
            for actor, pictures in zip(self.actors, photos, strict=True):
                box = actor.face(share, width, height)
                boxes.append(box)
                if box is not None:
                    picture = pictures[min(int(share * len(pictures)), len(pictures) - 1)]
                    paste(frame, picture, box, actor, rng)
            yield number / self.fps, frame, boxes


def paste(frame: Rgb, picture: Rgb, box: Box, actor: Actor, rng: np.random.Generator) -> None:
    """Draw a photo into a frame so that its face lies in the box, blurred and lit as the actor is."""
    side = round(box.width / FACE_SHARE)
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    sigma = actor.blur * box.width * rng.uniform(0.2, 1.0)
    if sigma > 0.3:
        small = cv2.GaussianBlur(small, (0, 0), sigma)
    lit = np.clip(small * actor.light + rng.normal(0, 2.0, small.shape), 0, 255)
    mask = np.zeros((side, side), np.float32)
    cv2.ellipse(mask, (side // 2, side // 2), (round(0.36 * side), round(0.48 * side)), 0, 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), max(0.02 * side, 0.5))[..., None]
    left, top = round((box.xmin + box.xmax - side) / 2), round((box.ymin + box.ymax - side) / 2)
    x, y, right, bottom = (
        max(left, 0),
        max(top, 0),
        min(left + side, frame.shape[1]),
        min(top + side, frame.shape[0]),
    )
    if x >= right or y >= bottom:
        return
    part = np.s_[y - top : bottom - top, x - left : right - left]
    there = frame[y:bottom, x:right]
    frame[y:bottom, x:right] = np.round(there + (lit[part] - there) * mask[part]).astype(np.uint8)


def read_frames(path: Path, start: int, count: int) -> list[Rgb]:
    """Read consecutive frames of a film, RGB."""
    capture = cv2.VideoCapture(str(path))
    capture.set(cv2.CAP_PROP_POS_FRAMES, start)
    frames = []
    while len(frames) < count:
        there, bgr = capture.read()
        if not there:
            break
        frames.append(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
    capture.release()
    return frames
