"""Builds ONNX models from published weights and caches them in the user's cache folder.

A file is named after the weights' sha256 and the builder's version, and starts with the sha256 of the
model it holds, so a truncated or changed file is noticed and built again. The cache only saves time: if
the folder cannot be read or written, the model is built in memory. Other things that take long to build
can be kept there as well, with load_cached.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

import platformdirs

from face_det.nets import catalogue

BUILDER_VERSION = 5
"""Raise this with every change to what onnx_export, opencv_zoo or campplus builds."""

STEM, HEAD = "stem", "head"
"""The parts before and after the part of one of dlib's networks that native_session computes."""

MAGIC = b"face_det model 1\n"

_log = logging.getLogger(__name__)


def load_onnx_model(name: str, folder: Path | None = None, part: str = "") -> bytes:
    """Return the ONNX model of catalogue entry `name`, cached or newly built.

    `part` is "" for the whole network, STEM or HEAD. `folder` is the cache folder, by default the user's.
    Raises WeightsError if the weights are missing, damaged or another network's.
    """
    return _load_or_build(name, catalogue.verify_weights(name), folder, part)


def load_stem_and_head(name: str) -> tuple[Path, bytes, bytes]:
    """Return the path of the weights file, verified once, and the models of STEM and HEAD.

    Raises WeightsError as `load_onnx_model` does.
    """
    weights = catalogue.verify_weights(name)
    stem, head = (_load_or_build(name, weights, None, part) for part in (STEM, HEAD))
    return weights, stem, head


def _load_or_build(name: str, weights: Path, folder: Path | None, part: str) -> bytes:
    piece = f"{name}-{part}" if part else name
    kept_as = f"{piece}-{catalogue.WEIGHTS_CATALOGUE[name].sha256[:16]}-{BUILDER_VERSION}"
    return load_cached(kept_as, lambda: build_onnx_model(name, weights, part), folder)


def load_cached(name: str, build: Callable[[], bytes], folder: Path | None = None) -> bytes:
    """Return what `build` makes, from the cache if it was built before.

    `name` becomes the file's name, so it must change with whatever the bytes depend on. `folder` is the cache
    folder, by default the user's.
    """
    path = (folder if folder is not None else platformdirs.user_cache_path("face_det")) / f"{name}.model"
    model = _read_cached(path)
    if model is None:
        model = build()
        _write_cached(path, model)
    return model


def build_onnx_model(name: str, weights: Path, part: str = "") -> bytes:
    """Build the ONNX model from a weights file, without the cache. Raises WeightsError."""
    # Importing onnx takes a third of a second, which a start with a warm cache can save.
    from face_det.nets import campplus, open_size, opencv_zoo
    from face_det.nets.dlib import onnx_export
    from face_det.nets.dlib import weights as dlib_weights

    match part or name:
        case "stem":
            return onnx_export.export_stem(dlib_weights.read_network(weights))
        case "head":
            return onnx_export.export_head(dlib_weights.read_network(weights))
        case "mmod":
            return onnx_export.export_detector(dlib_weights.read_network(weights))
        case "resnet":
            return onnx_export.export_embedder(dlib_weights.read_network(weights))
        case "sface":
            return opencv_zoo.build_sface(weights)
        case "yunet":
            return opencv_zoo.build_yunet(weights)
        case "centerface":
            return open_size.build_open_size(weights)
        case "campplus":
            return campplus.build_campplus(weights)
    raise ValueError(f"name must be mmod, resnet, sface, yunet, centerface or campplus, got {name!r}")


def _read_cached(path: Path) -> bytes | None:
    """Read the model from a cache file; None if there is none or it is damaged."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, model = data[len(MAGIC) : len(MAGIC) + 32], data[len(MAGIC) + 32 :]
    if data.startswith(MAGIC) and hashlib.sha256(model).digest() == digest:
        return model
    _log.warning("%s is damaged and will be built again", path)
    return None


def _write_cached(path: Path, model: bytes) -> None:
    """Write a model into the cache atomically. If that fails, the next start builds it again."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Each process writes its own file: two that start at once write the same bytes, and the last
        # one to finish wins.
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            file.write(MAGIC + hashlib.sha256(model).digest())
            file.write(model)
        temporary.replace(path)
    except OSError as error:
        _log.info("%s cannot be kept (%s); the next start will build it again", path, error.strerror)
        if temporary is not None:
            temporary.unlink(missing_ok=True)
