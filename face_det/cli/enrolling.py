"""Enrols photos for the commands that do: through the daemon, or in the files without one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any

from face_det.cli.changes import ChangePlace
from face_det.config import Config
from face_det.errors import UnknownPerson
from face_det.rpc import command_caller
from face_det.service import box_as_json, open_audit_log
from face_det.types import Box

if TYPE_CHECKING:
    from face_det.exchange import Picture

TIMEOUT_S = 600.0
"""Seconds for a daemon to learn a photo, which includes training on everybody."""

Answer = dict[str, Any]
_AddFaceCall = Callable[[str, bytes, Answer], Answer]
_PhotosCall = Callable[[str], list[Answer]]
AddFace = Callable[[str, bytes, "Box | None"], Answer]
"""Enrols the one face of a picture, or the one near a box in its pixels: (name, picture, near).

Returns the answer of the call add_face.
"""


@contextlib.contextmanager
def open_adder(place: ChangePlace) -> Iterator[AddFace]:
    """Yield the function that enrols one picture at `place`."""
    with _open_calls(place) as (add_face, _):
        yield lambda name, picture, near: add_face(name, picture, _options(near))


@contextlib.contextmanager
def open_enrolment(place: ChangePlace) -> Iterator[PlaceEnrolment]:
    """Yield what enrols photos at `place`, and knows which are enrolled."""
    with _open_calls(place) as calls:
        yield PlaceEnrolment(*calls)


@contextlib.contextmanager
def _open_calls(place: ChangePlace) -> Iterator[tuple[_AddFaceCall, _PhotosCall]]:
    """Yield the calls add_face and photos, of the daemon or of a service of our own."""
    if place.status is None:
        yield _serve_files(place.config)
        return
    with place.connect(TIMEOUT_S) as client:
        # The daemon may not be able to read the files, so it gets the bytes.
        yield client.add_face, client.photos


def _serve_files(config: Config) -> tuple[_AddFaceCall, _PhotosCall]:
    from face_det.service import build_service

    service = build_service(config)
    log = open_audit_log(config.audit_path, config.encodings_path)

    def add_face(name: str, data: bytes, options: Answer) -> Answer:
        with log.recorded(command_caller(), "enrol", name) as counts:
            answer = service.add_face(name, data, None, options)
            counts |= {"images": answer["images"]}
        return answer

    return add_face, service.photos.photos


def _options(near: Box | None) -> Answer:
    return {} if near is None else {"faceBox": box_as_json(near)}


class PlaceEnrolment:
    """Enrols photos one by one where a command makes its changes."""

    def __init__(self, add: _AddFaceCall, photos: _PhotosCall) -> None:
        """`add` and `photos` are the calls add_face and photos."""
        self._add, self._photos = add, photos
        self._enrolled: dict[str, set[str]] = {}

    def enrolled(self, name: str) -> Collection[str]:
        """Return the names of the files of a person's enrolled photos."""
        try:
            found = {photo["photo"] for photo in self._photos(name) if photo["state"] == "enrolled"}
        except UnknownPerson:
            found = set()
        self._enrolled[name] = found
        return found

    def add(self, name: str, picture: Picture, place: str) -> bool:
        """Enrol a photo; return False if it was there. Raises DataError if it cannot be enrolled."""
        answer = self._add(name, picture.data, _options(picture.box))
        theirs = self._enrolled.setdefault(name, set())
        there = answer["photo"] in theirs
        theirs.add(answer["photo"])
        return not there
