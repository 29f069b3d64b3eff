"""Measure dlib alone, used the way face_recognition uses it.

This runs in any interpreter with dlib, numpy, pillow and face_recognition_models, so it imports nothing from
this project.
"""

from __future__ import annotations

import ctypes
import json
import os
from pathlib import Path
from typing import Any

import dlib
import face_recognition_models as models
import numpy as np
import stopwatch
from PIL import Image

PADDING = 0.25


def prepare(spec: dict[str, Any]) -> stopwatch.Prepared:
    """Return the task's call, with its networks loaded and its pictures in memory."""
    return TASKS[spec["kind"]](spec, Path(spec["folder"]))


def about(spec: dict[str, Any], folder: Path) -> stopwatch.Prepared:
    found = {
        "dlib": dlib.__version__,
        "blas": _blas() if dlib.DLIB_USE_BLAS else None,
        "avx": bool(dlib.USE_AVX_INSTRUCTIONS),
        "cuda": bool(dlib.DLIB_USE_CUDA),
    }
    return lambda: found, dict


def start(spec: dict[str, Any], folder: Path) -> stopwatch.Prepared:
    """Load everything that the original loads when it is imported."""
    large = dlib.shape_predictor(models.pose_predictor_model_location())
    kept = (_detector(), dlib.get_frontal_face_detector(), large, _predictor(), _encoder())
    return lambda: kept, len


def detect(spec: dict[str, Any], folder: Path) -> stopwatch.Prepared:
    detector, picture = _detector(), _load(folder / spec["picture"])
    return lambda: _locations(detector, picture, spec["upsample"]), list


def embed(spec: dict[str, Any], folder: Path) -> stopwatch.Prepared:
    encoder, chips = _encoder(), list(np.load(folder / "chips.npy")[: spec["batch"]])
    return lambda: np.array(encoder.compute_face_descriptor(chips)), np.ndarray.tolist


def jitters(spec: dict[str, Any], folder: Path) -> stopwatch.Prepared:
    encoder, chip = _encoder(), np.load(folder / "chips.npy")[0]
    return lambda: np.array([encoder.compute_face_descriptor(chip, spec["jitters"])]), np.ndarray.tolist


def face(spec: dict[str, Any], folder: Path) -> stopwatch.Prepared:
    """Do what face_encodings does for one face whose location is known."""
    encoder, predictor, picture = _encoder(), _predictor(), _load(folder / "face.png")
    location = json.loads((folder / "inputs.json").read_text())["face"]
    return lambda: np.array([_encode(encoder, predictor, picture, location)]), np.ndarray.tolist


def call(spec: dict[str, Any], folder: Path) -> stopwatch.Prepared:
    """Return the original's loop over a call: for each label, read the file, crop, detect, encode."""
    images = json.loads((folder / "inputs.json").read_text())["call"]
    detector, encoder, predictor = _detector(), _encoder(), _predictor()

    def answer() -> list[Any]:
        found = []
        for image in images:
            for label in image["labels"]:
                box = {edge: int(value) for edge, value in label["box"].items()}
                picture = _load(Path(image["image"]))
                part = np.ascontiguousarray(picture[box["ymin"] : box["ymax"], box["xmin"] : box["xmax"]])
                locations = _locations(detector, part, 1)
                for location in locations:
                    _encode(encoder, predictor, part, location)
                top, left = box["ymin"], box["xmin"]
                found += [[t + top, r + left, b + top, lf + left] for t, r, b, lf in locations]
        return found

    return answer, list


TASKS = {
    "about": about,
    "start": start,
    "detect": detect,
    "embed": embed,
    "jitters": jitters,
    "face": face,
    "call": call,
}


def _blas() -> str:
    """Name the BLAS that dlib is linked with, if it can be identified."""
    maps = Path("/proc/self/maps")
    loaded = [line.split()[-1] for line in maps.read_text("utf-8").splitlines()] if maps.exists() else []
    # numpy bundles its own BLAS.
    libraries = [path for path in loaded if "blas" in Path(path).name and "numpy" not in path]
    if not libraries:
        return "a BLAS"
    if "openblas" not in Path(libraries[0]).name:
        return Path(libraries[0]).name
    library = ctypes.CDLL(libraries[0])
    library.openblas_get_config.restype = library.openblas_get_corename.restype = ctypes.c_char_p
    version = library.openblas_get_config().decode().split()[1]
    return f"OpenBLAS {version} ({library.openblas_get_corename().decode()})"


def _detector() -> Any:
    return dlib.cnn_face_detection_model_v1(models.cnn_face_detector_model_location())


def _encoder() -> Any:
    return dlib.face_recognition_model_v1(models.face_recognition_model_location())


def _predictor() -> Any:
    return dlib.shape_predictor(models.pose_predictor_five_point_model_location())


def _load(path: Path) -> Any:
    with Image.open(os.fspath(path)) as picture:
        return np.array(picture.convert("RGB"))


def _locations(detector: Any, picture: Any, upsample: int) -> list[list[int]]:
    """Return [top, right, bottom, left] of each face, clipped to the picture."""
    height, width = picture.shape[:2]
    rects = [found.rect for found in detector(picture, upsample)]
    return [
        [max(r.top(), 0), min(r.right(), width), min(r.bottom(), height), max(r.left(), 0)] for r in rects
    ]


def _encode(encoder: Any, predictor: Any, picture: Any, location: list[int]) -> Any:
    top, right, bottom, left = location
    landmarks = predictor(picture, dlib.rectangle(left, top, right, bottom))
    return np.array(encoder.compute_face_descriptor(picture, landmarks, 1, PADDING))


if __name__ == "__main__":
    stopwatch.main(prepare)
