"""The strips of tf-face-recognition: faces side by side in one picture, each as wide as it is high.

Its server saves them as train_NAME_SIZE_NUM.png, if it is told to. In a strip with another name, all faces
are as wide as the picture is high. The faces are cut out, and stretched to squares by its page.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from face_det.errors import DataError
from face_det.exchange.face_finder import FaceFinder, add_margin
from face_det.exchange.person_folders import printable, read_folder
from face_det.exchange.source import FoundPhotos, LeftOut, NewFile, Picture, Source, SourcePhoto
from face_det.media import encode_jpeg, is_picture_file, load_image, read_image_bytes, resize_image
from face_det.types import Rgb

SIDE_PX = 160
"""How wide a face is in the strips that its page makes."""
_NAMED = re.compile(r"train_(.+)_(\d{1,5})_(\d{1,5})")


class Sprites:
    """A strip, or a folder of strips."""

    def find(self, source: Source) -> FoundPhotos:
        """Find the strips, and count the faces in each."""
        path = source.require_path()
        strips = read_folder(path) if path.is_dir() else [path]
        photos: list[SourcePhoto] = []
        left_out: list[LeftOut] = []
        for strip in strips:
            if strip.name.startswith(".") or not is_picture_file(strip):
                continue
            try:
                photos += _photos(strip, source)
            except DataError as error:
                reason = str(error).removeprefix(f"{strip}: ")
                left_out.append(LeftOut(printable(str(strip)), reason))
        if not photos and not left_out:
            raise DataError(f"{path}: must be a strip of faces, or a folder of strips, got no picture")
        return FoundPhotos(tuple(sorted(photos, key=lambda photo: photo.name)), tuple(left_out))

    def plan(self, people: Mapping[str, Sequence[Path]], faces: FaceFinder) -> list[NewFile]:
        """Plan a strip for each person, with all of their faces."""
        return [
            NewFile(
                f"train_{person}_{SIDE_PX}_{len(photos)}.jpg", functools.partial(_make_strip, photos, faces)
            )
            for person, photos in people.items()
        ]


def _photos(strip: Path, source: Source) -> list[SourcePhoto]:
    rgb = load_image(strip, max_bytes=source.max_bytes)
    height, width = rgb.shape[:2]
    named = _NAMED.fullmatch(strip.stem)
    name, size, count = (
        (named[1], int(named[2]), int(named[3])) if named else (strip.stem, height, width // height)
    )
    if named is None and width % height:
        raise DataError(f"must be as wide as some squares of {height} pixels, got {width} pixels")
    if not (1 <= size <= height and 1 <= count * size <= width):
        raise DataError(f"must hold {count} faces of {size} pixels, got {width} x {height} pixels")
    return [
        SourcePhoto(
            printable(name), f"{printable(str(strip))}: face {place + 1}", _reader(strip, place, size, source)
        )
        for place in range(count)
    ]


def _reader(strip: Path, place: int, size: int, source: Source) -> Callable[[], Picture]:
    def read() -> Picture:
        rgb = load_image(read_image_bytes(strip, max_bytes=source.max_bytes), place=str(strip))
        face: Rgb = np.ascontiguousarray(rgb[:size, place * size : (place + 1) * size])
        return Picture(encode_jpeg(add_margin(face)))

    return read


def _make_strip(photos: Sequence[Path], faces: FaceFinder) -> bytes:
    squares = [resize_image(faces.cut_out(photo), SIDE_PX, SIDE_PX) for photo in photos]
    return encode_jpeg(np.ascontiguousarray(np.concatenate(squares, axis=1)).astype(np.uint8))
