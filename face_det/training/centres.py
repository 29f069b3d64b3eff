"""The mean face: what all faces have in common, as the mean encoding of many people."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from face_det.training.background import load_mean_face

# Of dlib's encodings, as they are, of 1,000 people of one half of LFW, in thousandths; made by
# `benchmarks/clustering.py PHOTOS --embedder dlib_resnet --fit`. Templates do without it.
# fmt: off
_DLIB = (
    -95, 89, 55, -43, -97, -14, -9, -102, 143, -62, 195, -37, -245, -41, -27, 125, -150, -122, -119,
    -83, 19, 36, 25, 18, -137, -300, -69, -92, 53, -91, 15, 54, -180, -57, 27, 63, -53, -69, 202, 12,
    -168, 10, 52, 249, 196, 6, 22, -72, 115, -263, 48, 141, 111, 77, 83, -146, 23, 138, -186, 77, 71,
    -96, -39, -39, 165, 88, -93, -135, 167, -138, -45, 76, -92, -162, -263, 38, 381, 129, -175, 11, -77,
    -17, 40, 38, -76, -49, -94, 27, 194, -27, -23, 216, 13, -5, 36, 45, -113, -11, -110, -18, 50, -104,
    8, 90, -174, 163, -16, -24, -9, -22, -79, 3, 172, -250, 211, 177, 4, 130, 61, 58, -1, -9, -137,
    -103, 34, -26, 21, 37,
)

# fmt: on


@functools.cache
def load_centre(embedder: str) -> npt.NDArray[np.float64]:
    """Load the mean of many people's encodings, shape (dimensions,); zeros if it is not known.

    >>> load_centre("sface").shape
    (128,)
    """
    if embedder == "dlib_resnet":
        return np.array(_DLIB) / 1000
    mean_face = load_mean_face(embedder)
    return np.zeros(1) if mean_face is None else mean_face
