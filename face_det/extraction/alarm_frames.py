"""What smart-zoneminder's uploader says of an alarm frame, and cutting the named people out of it.

The uploader stores `labels` as metadata of the picture: a JSON list with an object for each thing it saw,
{"Name": "person", "Confidence": 97, "Box": {"ymin": 1, "xmin": 2, "ymax": 9, "xmax": 8}, "Face": "Anna"}.
Boxes are in pixels of the whole picture. Only people have a `Face`; it is null where nobody was recognised.
"""

from __future__ import annotations

import email.errors
import email.header
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from face_det.errors import BadName, DataError
from face_det.gallery import check_person_name
from face_det.media import cut_out_jpegs
from face_det.storage import abbreviate_json, is_finite_number, parse_json
from face_det.types import Box

PERSON = "person"
CROP_QUALITY = 95
"""The JPEG quality of what is cut out: it was compressed before, and is to be trained on."""
_EDGES = ("xmin", "ymin", "xmax", "ymax")


class BadLabels(DataError):
    """The labels of a frame are not a list of objects in JSON; the message is one line."""


@dataclass(frozen=True, slots=True)
class LabelledPerson:
    """A person in a frame.

    `number` counts the people of the frame from 1. `name` is who it is, or None if nobody knows; `box` is in
    pixels of the whole picture. `fault` says what is wrong with the label, if it cannot be used; `bad_name`
    whether that is the name.
    """

    number: int
    name: str | None
    box: Box | None
    fault: str | None = None
    bad_name: bool = False


def parse_labels(text: str) -> tuple[LabelledPerson, ...]:
    """Read the people out of `labels`, as the server returned it.

    Raises BadLabels if it is not a list of objects in JSON. A fault in one person's label is that person's.

    >>> parse_labels('[{"Name": "car"}, {"Name": "person", "Face": null}]')
    (LabelledPerson(number=1, name=None, box=None, fault=None, bad_name=False),)
    >>> parse_labels('[{"Name": "person", "Face": "../x"}]')[0].fault
    "labels[0].Face: name: must be letters, digits, spaces and _ - ' . , & + ( ) only, got '/'"
    """
    try:
        labels = parse_json(decode_header(text).encode("utf-8", "surrogatepass"))
    except ValueError as error:
        raise BadLabels(f"labels: {error}") from error
    if not isinstance(labels, list):
        raise BadLabels(f"labels: must be a list, got {abbreviate_json(labels)}")
    found: list[LabelledPerson] = []
    for index, label in enumerate(labels):
        if not isinstance(label, dict):
            raise BadLabels(f"labels[{index}]: must be an object, got {abbreviate_json(label)}")
        if str(label.get("Name")).casefold() == PERSON:
            found.append(_parse_person(label, f"labels[{index}]", len(found) + 1))
    return tuple(found)


def decode_header(text: str) -> str:
    """Return the text of a header that was not ASCII when it was sent.

    Amazon's S3 encodes such a header by RFC 2047. Other servers send it as it is, in UTF-8, which Python's
    HTTP client reads as Latin-1.

    >>> decode_header("=?UTF-8?B?0JDQvdC90LA=?="), decode_header("JosÃ©"), decode_header("José")
    ('Анна', 'José', 'José')
    """
    if "=?" in text:
        try:
            return str(email.header.make_header(email.header.decode_header(text)))
        except (ValueError, LookupError, email.errors.HeaderParseError):
            return text
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _parse_person(label: dict[str, Any], place: str, number: int) -> LabelledPerson:
    face = label.get("Face")
    if face is None:
        return LabelledPerson(number, None, None)
    try:
        if not isinstance(face, str):
            raise BadName(f"must be a name, got {abbreviate_json(face)}")
        name = check_person_name(face)
    except BadName as error:
        return LabelledPerson(number, None, None, f"{place}.Face: {error}", bad_name=True)
    box = label.get("Box")
    edges = [box[edge] for edge in _EDGES if is_finite_number(box.get(edge))] if isinstance(box, dict) else []
    if len(edges) < len(_EDGES):
        fault = f"{place}.Box: must have the numbers xmin, ymin, xmax and ymax, got {abbreviate_json(box)}"
        return LabelledPerson(number, name, None, fault)
    return LabelledPerson(number, name, Box(*map(float, edges)))


def cut_out_people(
    picture: bytes, people: tuple[LabelledPerson, ...], place: str
) -> Iterator[tuple[LabelledPerson, bytes | None]]:
    """Yield each named person with the part of the picture inside the person's box, as a JPEG.

    Each is cut from the whole picture; what of a box lies outside is left out, and a box that lies outside
    altogether yields None. Raises BadImage, which names `place`, if the picture cannot be read.
    """
    boxed = [(person, person.box) for person in people if person.box is not None]
    parts = cut_out_jpegs(picture, [box for _, box in boxed], quality=CROP_QUALITY, place=place)
    yield from zip((person for person, _ in boxed), parts, strict=True)
