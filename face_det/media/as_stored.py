"""Pictures as they are stored, for callers of the face_recognition package."""

from __future__ import annotations

import os
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile


def load(file: str | os.PathLike[str] | IO[bytes], mode: str | None = "RGB") -> npt.NDArray[Any]:
    """The pixels of a picture, neither turned by its EXIF nor refused for being cut short.

    `mode` is Pillow's, as in "RGB" or "L"; None keeps the picture's own. What cannot be opened
    raises what Pillow raises. Everything else in this project loads by image.load, which is strict.
    """
    # Process-wide, as face_recognition has it from its import on; image.load does not look at it.
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    with Image.open(file) as picture:
        return np.array(picture.convert(mode) if mode else picture)
