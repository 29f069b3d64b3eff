"""The functions of the face_recognition package, running on this project's networks.

A program written for that package changes one line:

    from face_det import face_recognition

Names, parameters, defaults, results and error types are those of face_recognition 1.3.0. A face is
(top, right, bottom, left) in whole pixels within the image; an image is uint8, RGB (H, W, 3) or grey
(H, W). Three things are better: images may be slices of others (`frame[:, :, ::-1]`), functions may be
called from several threads, and a network is loaded when it is first needed.
"""

from __future__ import annotations

import functools
import operator
import os
import threading
from collections.abc import Sequence
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from face_det.detectors import DETECTORS
from face_det.embedders import EMBEDDERS
from face_det.media import load_as_stored
from face_det.types import Detection, Rgb

__all__ = [
    "batch_face_locations",
    "compare_faces",
    "face_distance",
    "face_encodings",
    "face_landmarks",
    "face_locations",
    "load_image_file",
]

Location = tuple[int, int, int, int]
"""A face: top, right, bottom, left."""

_LARGE: dict[str, Sequence[int]] = {
    "chin": range(17),
    "left_eyebrow": range(17, 22),
    "right_eyebrow": range(22, 27),
    "nose_bridge": range(27, 31),
    "nose_tip": range(31, 36),
    "left_eye": range(36, 42),
    "right_eye": range(42, 48),
    # Each lip's outer edge, then back along its inner edge.
    "top_lip": (*range(48, 55), *range(64, 59, -1)),
    "bottom_lip": (*range(54, 60), 48, 60, *range(67, 63, -1)),
}
_SMALL: dict[str, Sequence[int]] = {"nose_tip": (4,), "left_eye": (2, 3), "right_eye": (0, 1)}
_FEATURES = {"large": _LARGE, "small": _SMALL}
"""Which landmarks belong to which feature, for each model."""

_loading = threading.Lock()


def load_image_file(file: str | os.PathLike[str] | IO[bytes], mode: str = "RGB") -> npt.NDArray[Any]:
    """Load the pixels of a picture from a path or an open file: (H, W, 3) for "RGB", (H, W) for "L".

    The picture is not turned upright, and the missing part of a truncated one is grey. Raises what
    Pillow raises: FileNotFoundError, UnidentifiedImageError, ValueError for an unknown mode.

    >>> import io
    >>> load_image_file(io.BytesIO(b"P6 1 1 255 " + bytes([255, 0, 0])), mode="L").tolist()
    [[76]]
    """
    return load_as_stored(file, mode)


def face_locations(img: Rgb, number_of_times_to_upsample: int = 1, model: str = "hog") -> list[Location]:
    """Find the faces of an image, best first. `model` "cnn" finds more of them; anything else is "hog".

    Each upsampling doubles the image in size and so finds faces half as large. Raises RuntimeError for an
    unsupported kind of image, and TypeError if `img` is not an array or the number is not 0, 1, 2, ...
    """
    if model == "cnn":
        return _cnn_locations(_coloured(img), number_of_times_to_upsample)
    return [_location(found) for found in _detector("hog").detect(img, number_of_times_to_upsample)]


def batch_face_locations(
    images: list[Rgb], number_of_times_to_upsample: int = 1, batch_size: int = 128
) -> list[list[Location]]:
    """Find the faces of each image in a list with the model "cnn".

    Raises RuntimeError if the images differ in size, and otherwise what `face_locations` raises.
    `batch_size` limits graphics memory in the original, and makes no difference here.
    """
    if not isinstance(images, list):
        raise TypeError(f"images must be a list, got {type(images).__name__}")
    operator.index(batch_size)
    coloured = [_coloured(image) for image in images]
    if len({image.shape for image in coloured}) > 1:
        raise RuntimeError("Images in list must all have the same dimensions.")
    return [_cnn_locations(image, number_of_times_to_upsample) for image in coloured]


def face_landmarks(
    face_image: Rgb, face_locations: Sequence[Sequence[int]] | None = None, model: str = "large"
) -> list[dict[str, list[tuple[int, int]]]]:
    """Find the points (x, y) of each face's features, for the given faces or for those that "hog" finds.

    `model` is "large" (68 points, nine features) or "small" (5 points: eyes and nose tip). Raises
    ValueError for any other. The large model was trained on photos for non-commercial use only.
    """
    if model not in _FEATURES:
        raise ValueError("Invalid landmarks model type. Supported models are ['small', 'large'].")
    described = []
    for found in _landmarks(face_image, face_locations, model):
        points = [(part.x, part.y) for part in found.parts()]
        described.append(
            {feature: [points[at] for at in places] for feature, places in _FEATURES[model].items()}
        )
    return described


def face_encodings(
    face_image: Rgb,
    known_face_locations: Sequence[Sequence[int]] | None = None,
    num_jitters: int = 1,
    model: str = "small",
) -> list[npt.NDArray[np.float64]]:
    """Encode faces, shape (128,) each: the given faces, or those that "hog" finds.

    With `num_jitters` above 1, each encoding is the mean over that many random variations of the face,
    and takes that many times longer. `model` says which landmarks turn the face upright: "small", or
    else the large ones. Raises TypeError for a face in a grey image, or if `num_jitters` is not an
    integer.
    """
    from face_det.embedders import cut_chip

    found = _landmarks(face_image, known_face_locations, model)
    if not found:
        return []
    if face_image.ndim != 3:
        raise TypeError(f"face_image must be RGB, shape (H, W, 3), got shape {face_image.shape}")
    # Cutting out a chip needs contiguous rows of pixels.
    rgb = np.ascontiguousarray(face_image)
    chips = [cut_chip(rgb, face) for face in found]
    return [encoding.copy() for encoding in _embedder().embed(chips, max(operator.index(num_jitters), 1))]


def face_distance(
    face_encodings: Sequence[npt.NDArray[np.float64]], face_to_compare: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the Euclidean distances of encodings (128,) from another one, shape (n,); empty for none.

    >>> face_distance([np.zeros(128), np.full(128, 0.1)], np.zeros(128)).round(3).tolist()
    [0.0, 1.131]
    """
    if len(face_encodings) == 0:
        return np.empty(0)
    distances: npt.NDArray[np.float64] = np.linalg.norm(face_encodings - face_to_compare, axis=1)
    return distances


def compare_faces(
    known_face_encodings: Sequence[npt.NDArray[np.float64]],
    face_encoding_to_check: npt.NDArray[np.float64],
    tolerance: float = 0.6,
) -> list[np.bool_]:
    """Compare each known encoding with another one: True, the same person, if within `tolerance`.

    >>> [bool(same) for same in compare_faces([np.zeros(128), np.full(128, 0.1)], np.zeros(128))]
    [True, False]
    """
    return list(face_distance(known_face_encodings, face_encoding_to_check) <= tolerance)


def _landmarks(image: Rgb, locations: Sequence[Sequence[int]] | None, model: str) -> list[Any]:
    """Find dlib's landmarks for each face; a face may extend beyond the image."""
    from face_det.embedders import detect_landmarks5, detect_landmarks68

    if locations is None:
        faces = _detector("hog").detect_untrimmed(image, 1)
    else:
        faces = [(face[3], face[0], face[1], face[2]) for face in locations]
    find = detect_landmarks5 if model == "small" else detect_landmarks68
    return [find(image, face) for face in faces]


def _cnn_locations(rgb: Rgb, doublings: int) -> list[Location]:
    if operator.index(doublings) < 0:
        raise TypeError(f"number_of_times_to_upsample must be 0 or more, got {doublings}")
    return [_location(found) for found in _detector("cnn").detect(rgb, operator.index(doublings))]


def _location(found: Detection) -> Location:
    box = found.box
    return int(box.ymin), int(box.xmax), int(box.ymax), int(box.xmin)


def _coloured(image: Any) -> Rgb:
    """Return the image with three channels, converting grey."""
    if not isinstance(image, np.ndarray):
        raise TypeError(f"an image must be a numpy array, got {type(image).__name__}")
    grey, rgb = image.ndim == 2, image.ndim == 3 and image.shape[2] == 3
    if image.dtype != np.uint8 or not (grey or rgb) or image.size == 0:
        raise RuntimeError(
            f"Unsupported image type, must be 8bit gray or RGB image. Got {image.dtype} {image.shape}."
        )
    return np.repeat(image[:, :, np.newaxis], 3, axis=2) if grey else image


def _detector(name: str) -> Any:
    # The cache alone would let two threads load the same network.
    with _loading:
        return _load_detector(name)


def _embedder() -> Any:
    with _loading:
        return _load_embedder()


@functools.cache
def _load_detector(name: str) -> Any:
    return DETECTORS.create(name)


@functools.cache
def _load_embedder() -> Any:
    return EMBEDDERS.create("dlib_resnet")
