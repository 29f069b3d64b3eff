"""Reads annotations, whichever of the formats they are in."""

from __future__ import annotations

from pathlib import Path

from face_det.comparison.annotations.coco import read_coco
from face_det.comparison.annotations.faces import Annotations
from face_det.comparison.annotations.voc import read_voc
from face_det.comparison.annotations.wider import read_wider
from face_det.errors import DataError


def read_annotations(path: Path) -> Annotations:
    """Read a file of COCO's JSON, Pascal VOC's XML or WIDER FACE's text, or a folder of VOC's files.

    Which one it is, is told from the content. Raises DataError if the file cannot be read, holds something
    else, or names no picture.
    """
    try:
        if path.is_dir():
            files = sorted(path.rglob("*.xml"))
            if not files:
                raise DataError(f"{path}: a folder of annotations must hold Pascal VOC's .xml, got none")
            found = read_voc([(file, file.read_bytes()) for file in files])
        else:
            data = path.read_bytes()
            start = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
            if start in (b"{", b"["):
                found = read_coco(path, data)
            elif start == b"<":
                found = read_voc([(path, data)])
            else:
                found = read_wider(path, data)
    except OSError as error:
        raise DataError(f"{error.filename}: must be readable, got {error.strerror}") from error
    if not found.pictures:
        raise DataError(f"{path}: must name pictures, got none")
    return found
