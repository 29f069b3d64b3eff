"""An engine without networks, for isolated processes: an image's first pixel says what to do."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from face_det.embedders import joined_embedders
from face_det.engine.engine import Engine
from face_det.errors import WeightsError
from face_det.types import Box, Detection

FACE, CRASH, CRASH_ONCE, WAIT, GROW, RAISE = range(6)


def picture(folder, act, number=0, said=""):
    """Write a PNG that makes the engine act this way, and passes it a string, such as a file name."""
    text = np.frombuffer(said.encode().ljust(64 * 3, b"\0"), np.uint8).reshape(1, 64, 3)
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[0, 0] = (act, number % 256, number // 256)
    pixels[1] = text
    path = folder / f"{act}-{number}.png"
    Image.fromarray(pixels).save(path)
    return path


class Detector:
    runtime = "doomed"

    def __init__(self):
        self.kept = []

    def detect(self, rgb, upsample=0):
        act, number = int(rgb[0, 0, 0]), int(rgb[0, 0, 1]) + 256 * int(rgb[0, 0, 2])
        said = rgb[1].tobytes().rstrip(b"\0").decode()
        if act == CRASH:
            ctypes.string_at(0)
        if act == CRASH_ONCE and not Path(said).exists():
            Path(said).touch()
            ctypes.string_at(0)
        if act == WAIT:
            Path(said + f".{os.getpid()}").touch()
            while not Path(said).exists():
                time.sleep(0.01)
        if act == GROW:
            self.kept.append(np.ones(64 * 2**20, np.uint8))
        if act == RAISE:
            raise RuntimeError("no network likes this picture")
        return [Detection(Box(number % 10, 0, 40, 40), 1.0)]


class Embedder:
    runtime = "doomed"

    def __init__(self, name="dlib_resnet"):
        parts = joined_embedders().get(name, (name,))
        self.name = name
        self.dimensions = 128 * len(parts)
        each = "+".join(f"{part}:doomed" for part in parts)
        self.fingerprint = f"{name}:{each}" if name in joined_embedders() else each

    def align(self, rgb, detection):
        return rgb

    def embed(self, chips, jitters=1):
        return np.array([np.full(self.dimensions, chip[0, 0, 1] / 256) for chip in chips])


class Doomed(Engine):
    def with_embedder(self, name):
        return Doomed(self._detector, Embedder(name), replace(self.options, embedder=name))


def build(options):
    """Replaces face_det.engine.build_engine."""
    doom = os.environ.get("DOOMED")
    if doom == "crash":
        ctypes.string_at(0)
    if doom:
        raise WeightsError(doom)
    return Doomed(Detector(), Embedder(options.embedder), options)


def main():
    """Run the real daemon and service with this engine: `doomed_engine.py CONFIG`."""
    import functools

    from face_det.config import load
    from face_det.daemon import daemon
    from face_det.service import assembly

    assembly.build_isolated_engine = functools.partial(
        assembly.build_isolated_engine, made_by="doomed_engine:build"
    )
    path = Path(sys.argv[1])
    if not daemon.run_daemon(lambda: load.load_config(path, os.environ), assembly.build_service, os.environ):
        os._exit(0)


if __name__ == "__main__":
    main()
