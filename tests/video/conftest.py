"""Clips made by cv2: each frame's grey tells its number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from rtsp_fixtures import certificates, pictures, rtsp

__all__ = ["certificates", "pictures", "rtsp"]

Make = Callable[..., Path]


@pytest.fixture(scope="session")
def make_clip(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Write a clip of evenly grey frames, each a little lighter than the one before."""

    def make(
        name: str, kind: str = "MJPG", frames: int = 20, size: tuple[int, int] = (160, 120), fps: float = 10
    ) -> Path:
        path = tmp_path_factory.mktemp("clips") / name
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*kind), fps, size)
        assert writer.isOpened()
        for index in range(frames):
            writer.write(np.full((size[1], size[0], 3), grey_of(index), np.uint8))
        writer.release()
        return path

    return make


def grey_of(index: int) -> int:
    return 20 + 8 * index


@pytest.fixture(scope="session")
def clip(make_clip: Make) -> Path:
    """2 s of video at 10 frames a second, 160 x 120."""
    return make_clip("clip.mov")
