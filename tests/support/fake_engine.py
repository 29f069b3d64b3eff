"""An engine without networks, also for processes: an image's first pixel says what to find in it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from enum import IntEnum
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from PIL import Image

from face_det.engine.engine import Engine, EngineOptions
from face_det.gallery import encode_pool
from face_det.types import Box, Detection, Encodings, Rgb

SIZE = 64
MARKER = "FAKE_ENGINE_MARKER"


class Act(IntEnum):
    """What happens when an image is processed, besides finding faces."""

    NOTHING = 0
    CRASH = 1
    RAISE = 2
    CRASH_ONCE = 3
    HANG = 4


def picture(path: Path, faces: int = 1, size: int = 40, act: Act = Act.NOTHING, seed: int = 0) -> Path:
    """Write a PNG in which `faces` faces of `size` pixels will be found."""
    pixels = np.zeros((SIZE, SIZE, 3), dtype=np.uint8)
    pixels[0, 0] = (faces, size, act)
    pixels[1, 0] = (seed % 256, seed // 256, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, "PNG")
    return path


class FakeDetector:
    """Does what the image says."""

    runtime = "fake"

    def __init__(self) -> None:
        self.looked_at = 0

    def detect(self, rgb: Rgb, upsample: int = 0) -> list[Detection]:
        """As many faces as the first pixel says."""
        self.looked_at += 1
        faces, size, act = (int(value) for value in rgb[0, 0])
        if act == Act.CRASH:
            os.kill(os.getpid(), signal.SIGKILL)
        if act == Act.RAISE:
            raise RuntimeError("the network does not like this picture")
        if act == Act.CRASH_ONCE:
            marker = Path(os.environ[MARKER])
            if not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        if act == Act.HANG:
            threading.Event().wait()
        return [Detection(Box(0, 0, size, size), 1.0)] * faces


class FakeEmbedder:
    """The encoding is the first pixels."""

    name = "fake"
    runtime = "fake"
    dimensions = 128

    def __init__(self, fingerprint: str = "fake-1") -> None:
        self.fingerprint = fingerprint

    def align(self, rgb: Rgb, detection: Detection) -> Rgb:
        """Return the whole image."""
        return rgb

    def embed(self, chips: Sequence[Rgb], jitters: int = 1) -> Encodings:
        """A row for each chip."""
        return np.array([np.resize(chip[:2, 0].ravel() / 256, 128) + jitters for chip in chips])


def build(options: EngineOptions) -> Engine:
    """Replaces face_det.engine.build_engine."""
    return Engine(FakeDetector(), FakeEmbedder(), options)


def begin(options: EngineOptions, parent: Connection) -> None:
    """Replaces encode_pool._start_worker, in a process of the pool."""
    encode_pool.build_engine = build
    encode_pool._start_worker(options, parent)


def begin_and_die(options: EngineOptions, parent: Connection) -> None:
    """Acts as a process that lacks even the memory to start."""
    os.kill(os.getpid(), signal.SIGKILL)
