"""The files of benchmarks/ as modules, for tests of what they count, and photos as they need them."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np

from face_det.embedders import SFACE
from face_det.engine import EngineOptions, build_engine
from face_det.media import load_image

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def module(name: str) -> ModuleType:
    """Import a file of benchmarks/ or benchmarks/measure/, which are not packages: they hold scripts."""
    folders = [str(BENCHMARKS), str(BENCHMARKS / "measure")]
    sys.path[:0] = folders
    try:
        return importlib.import_module(name)
    finally:
        for folder in folders:
            sys.path.remove(folder)


def frame_as_lfw(photo: Path, target: Path) -> None:
    """Write a photo of one face as LFW has them: 250 x 250 pixels, the face in the middle and 95 wide."""
    rgb = load_image(photo)
    (faces,) = build_engine(EngineOptions(embedder=SFACE)).run([(rgb, None)]).faces
    box = max(faces, key=lambda face: face.box.width).box
    side = round(box.width / module("clips").FACE_SHARE)
    middle = ((box.xmin + box.xmax) / 2, (box.ymin + box.ymax) / 2)
    shifted = np.array([[1, 0, side / 2 - middle[0]], [0, 1, side / 2 - middle[1]]])
    square = cv2.warpAffine(rgb, shifted, (side, side), borderMode=cv2.BORDER_REPLICATE)
    cv2.imwrite(str(target), cv2.resize(square, (250, 250), interpolation=cv2.INTER_AREA)[..., ::-1])
