"""Saves frames for training. What is there is never overwritten: a name that is taken gets a number."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree import ElementTree

from face_det.errors import DataError
from face_det.extraction import readable_name
from face_det.media import annotate_faces, crop_box, encode_jpeg, label_answer, names_somebody, resize_image
from face_det.service import box_as_json
from face_det.storage import make_folder, report_write_errors, sync_folder, write_new_file
from face_det.tuning.answers import FrameAnswer, LabelAnswer
from face_det.tuning.frames import PERSON, StoredLabel
from face_det.types import Box, Rgb

SIDE_PX = 300
"""The width and height of what a network is trained on, as in the original."""


class _NameTaken(Exception):
    """There is a file of that name already."""


class FrameFolder:
    """The folder that frames are saved in: pictures with JSON, objects/ and, for Pascal VOC, voc/."""

    def __init__(self, folder: Path, voc_start: int = 1) -> None:
        """`voc_start` is the number of the first picture with annotations, unless it is taken."""
        self.folder, self._voc_start = folder, voc_start

    def save_picture(self, answered: FrameAnswer, rgb: Rgb, parameters: Mapping[str, str]) -> list[Path]:
        """Save the picture with boxes and names, and beside it what was stored and what is answered now."""
        labels = [
            (box, _caption(label), names_somebody(label.answer))
            for label in answered.labels
            if (box := _shown_box(label)) is not None
        ]
        text = json.dumps(_frame_as_json(answered, parameters), indent=2, ensure_ascii=False)
        contents = {
            "{}.jpg": encode_jpeg(annotate_faces(rgb, labels)),
            "{}.json": f"{text}\n".encode("utf-8", "backslashreplace"),
        }
        return _write_new(self.folder, _numbered(_stem(answered.frame.id)), contents)

    def save_objects(self, answered: FrameAnswer, rgb: Rgb) -> list[Path]:
        """Save each object as a picture of 300 x 300 pixels; raise DataError if there is none."""
        boxes = [label.box for label in answered.labels if label.box is not None]
        boxes += [other.box for other in answered.others]
        parts = [part for box in boxes if (part := crop_box(rgb, box)) is not None]
        if not parts:
            raise DataError(f"{answered.frame.id}: must show an object to save it, got none")
        stem, saved = _stem(answered.frame.id), []
        for number, part in enumerate(parts, 1):
            content = encode_jpeg(resize_image(part, SIDE_PX, SIDE_PX))
            saved += _write_new(self.folder / "objects", _numbered(f"{stem}-{number}"), {"{}.jpg": content})
        return saved

    def save_voc(self, answered: FrameAnswer, rgb: Rgb) -> list[Path]:
        """Save the picture at 300 x 300 pixels, with the people who are named now as Pascal VOC's XML.

        As in the original, the boxes are the people's, not their faces'. Raises DataError if nobody is named.
        """
        named = [
            (label.face, label.box.clipped(rgb.shape[1], rgb.shape[0]))
            for label in answered.labels
            if label.face is not None and label.box is not None
        ]
        if not named:
            raise DataError(f"{answered.frame.id}: must show somebody with a name to annotate it, got nobody")
        picture = encode_jpeg(resize_image(rgb, SIDE_PX, SIDE_PX))
        for number in itertools.count(self._voc_start):
            target = self.folder / "voc" / "images" / f"{number}.jpg"
            xml = voc_annotation(target, (rgb.shape[1], rgb.shape[0]), named)
            contents = {"images/{}.jpg": picture, "annotations/xmls/{}.xml": xml}
            with contextlib.suppress(_NameTaken):
                return _write_all(self.folder / "voc", str(number), contents)
        raise AssertionError("counting never ends")


def voc_annotation(picture: Path, size: tuple[int, int], named: Iterable[tuple[str, Box]]) -> bytes:
    """Return Pascal VOC's XML for a picture that was resized to 300 x 300 pixels.

    `size` is the width and height that it had before, in which the boxes are given, in pixels.

    >>> xml = voc_annotation(Path("voc/images/1.jpg"), (600, 300), [("Ann", Box(60, 30, 300, 300))])
    >>> b"<xmin>30</xmin>" in xml, b"<ymin>30</ymin>" in xml
    (True, True)
    """
    root = ElementTree.Element("annotation")
    _add(root, {"folder": picture.parent.name, "filename": picture.name, "path": str(picture)})
    _add(ElementTree.SubElement(root, "source"), {"database": "Unknown"})
    _add(ElementTree.SubElement(root, "size"), {"width": SIDE_PX, "height": SIDE_PX, "depth": 3})
    _add(root, {"segmented": 0})
    wide, high = SIDE_PX / size[0], SIDE_PX / size[1]
    for name, box in named:
        item = ElementTree.SubElement(root, "object")
        # XML cannot hold control characters, not even escaped.
        printable = "".join(sign if sign.isprintable() else "?" for sign in name)
        _add(item, {"name": printable, "pose": "Unspecified", "truncated": 1, "difficult": 0})
        edges = {
            "xmin": box.xmin * wide,
            "xmax": box.xmax * wide,
            "ymin": box.ymin * high,
            "ymax": box.ymax * high,
        }
        _add(ElementTree.SubElement(item, "bndbox"), {edge: int(value) for edge, value in edges.items()})
    ElementTree.indent(root, "\t")
    return ElementTree.tostring(root, "unicode").encode() + b"\n"


def _add(parent: ElementTree.Element, texts: Mapping[str, object]) -> None:
    for tag, text in texts.items():
        ElementTree.SubElement(parent, tag).text = str(text)


def _shown_box(label: LabelAnswer) -> Box | None:
    return Box(**label.answer["faceBox"]) if "faceBox" in label.answer else label.box


def _caption(label: LabelAnswer) -> str:
    told = label_answer(label.answer)
    if not label.differs or label.stored is None:
        return told
    return f"{told} (stored: {label.stored.face or 'nobody'})"


def _frame_as_json(answered: FrameAnswer, parameters: Mapping[str, str]) -> dict[str, Any]:
    labels = [
        {**({} if label.stored is None else _label_as_json(label.stored)), "now": label.answer}
        for label in answered.labels
    ]
    labels += [_label_as_json(other) for other in answered.others]
    frame = answered.frame
    return {"_id": frame.id, "image": frame.picture, "labels": labels, "parameters": dict(parameters)}


def _label_as_json(label: StoredLabel) -> dict[str, Any]:
    """Return a label as the uploader records it."""
    name = "face" if label.is_face else label.name
    face = {"Face": label.face} if label.judged or name == PERSON else {}
    return {"Name": name, "Confidence": label.confidence, "Box": box_as_json(label.box), **face}


def _stem(identifier: str) -> str:
    """Return a file name without its ending, which leads nowhere else.

    >>> _stem("../day 1/00012-capture.jpg")
    'day_1_00012-capture'
    """
    path = PurePosixPath(identifier)
    name = identifier.removesuffix(path.suffix) if path.suffix else identifier
    return readable_name(name, end=True) or "frame"


def _numbered(stem: str) -> Iterator[str]:
    yield stem
    yield from (f"{stem}-{number}" for number in itertools.count(2))


def _write_new(folder: Path, stems: Iterator[str], contents: Mapping[str, bytes]) -> list[Path]:
    """Write files that belong together under the first name that is free for all of them."""
    for stem in stems:
        with contextlib.suppress(_NameTaken):
            return _write_all(folder, stem, contents)
    raise AssertionError("counting never ends")


def _write_all(folder: Path, stem: str, contents: Mapping[str, bytes]) -> list[Path]:
    """Write files of one name, all or none; raise _NameTaken if one exists, and CannotWrite."""
    written: list[Path] = []
    try:
        for pattern, content in contents.items():
            target = folder / pattern.format(stem)
            _write_one(target, content)
            written.append(target)
    except BaseException:
        for path in written:
            path.unlink()
        raise
    return written


def _write_one(target: Path, content: bytes) -> None:
    """Write a file, whole or not at all; raise _NameTaken rather than replace one."""
    with report_write_errors(target, "nothing was saved"):
        make_folder(target.parent)
    try:
        write_new_file(target, content)
    except FileExistsError:
        raise _NameTaken from None
    with report_write_errors(target, "it may not outlast a power cut"):
        sync_folder(target.parent)
