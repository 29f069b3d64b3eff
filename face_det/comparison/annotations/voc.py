"""Reads annotations in Pascal VOC's XML, a file for each picture."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

from face_det.comparison.annotations.faces import AnnotatedFace, AnnotatedPicture, Annotations
from face_det.errors import DataError
from face_det.types import Box

NOT_FACES = ("person", "body")
"""Objects that people mark beside faces; all others, whatever they are called, count as faces."""


def read_voc(files: Iterable[tuple[Path, bytes]]) -> Annotations:
    """Read the files, each with a `filename` and objects with `bndbox`; raises DataError for others.

    VOC counts pixels from 1, and the right and bottom edges belong to the box.
    """
    return Annotations("Pascal VOC", tuple(_read_picture(path, data) for path, data in files))


class _WithoutDoctype(ElementTree.TreeBuilder):
    """Refuses document types, whose entities could blow a small file up to gigabytes."""

    def doctype(self, name: str, pubid: str, system: str) -> None:
        raise ElementTree.ParseError("a document type, which annotations do not need")


def _read_picture(path: Path, data: bytes) -> AnnotatedPicture:
    parser = ElementTree.XMLParser(target=_WithoutDoctype())
    try:
        parser.feed(data)
        root = parser.close()
    except (ElementTree.ParseError, ValueError) as error:
        raise DataError(f"{path}: must be Pascal VOC's XML, got {error}") from error
    name = root.findtext("filename", "").strip()
    if root.tag != "annotation" or not name:
        raise DataError(f"{path}: must hold an annotation with a filename, got <{root.tag}>")
    faces = []
    for number, item in enumerate(root.iter("object")):
        if item.findtext("name", "").strip().lower() in NOT_FACES:
            continue
        left, top, right, bottom = (
            _number(path, f"object[{number}].bndbox.{edge}", item.findtext(f"bndbox/{edge}"))
            for edge in ("xmin", "ymin", "xmax", "ymax")
        )
        box = Box(left - 1, top - 1, max(right, left - 1), max(bottom, top - 1))
        faces.append(AnnotatedFace(box, item.findtext("difficult", "0").strip() == "1"))
    return AnnotatedPicture(name, tuple(faces), _size(root))


def _number(path: Path, place: str, text: str | None) -> float:
    try:
        number = float(text or "")
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"{path}: {place}: must be a number, got {text!r}")
    return number


def _size(root: ElementTree.Element) -> tuple[int, int] | None:
    try:
        width, height = int(root.findtext("size/width", "")), int(root.findtext("size/height", ""))
    except ValueError:
        return None
    return (width, height) if width > 0 and height > 0 else None
