"""Enrols photos for the commands that do: through the daemon, or in the files without one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any

from face_det.cli.changes import ChangePlace
from face_det.config import Config
from face_det.errors import UnknownPerson
from face_det.media import load_image
from face_det.rpc import command_caller
from face_det.service import box_as_json, open_audit_log
from face_det.types import Box

if TYPE_CHECKING:
    from face_det.exchange import Picture

TIMEOUT_S = 600.0
"""Seconds for a daemon to learn a photo, which includes training on everybody."""

Answer = dict[str, Any]
AddFace = Callable[[str, bytes, "Box | None", str], Answer]
"""Enrols the one face of a picture, or the one near a box in its pixels: (name, picture, near, place).

`place` is what errors call the picture. Returns the answer of the call add_face, or what commands show of it.
"""


@contextlib.contextmanager
def open_adder(place: ChangePlace) -> Iterator[AddFace]:
    """Yield the function that enrols one picture at `place`."""
    if place.status is None:
        yield _add_in_files(place.config)
        return
    with place.connect(TIMEOUT_S) as client:
        # The daemon may not be able to read the file, so it gets the bytes.
        yield lambda name, picture, near, _place: client.add_face(name, picture, _options(near))


def _options(near: Box | None) -> Answer:
    return {} if near is None else {"faceBox": box_as_json(near)}


def _add_in_files(config: Config) -> AddFace:
    from face_det.enrolment import recipe_as_json
    from face_det.service import build_enroller

    enroller = build_enroller(config)
    log = open_audit_log(config.audit_path, config.encodings_path)
    max_pixels, max_bytes = config.max_pixels, config.max_file_bytes

    def add(name: str, picture: bytes, near: Box | None, place: str) -> Answer:
        rgb = load_image(picture, max_pixels=max_pixels, max_bytes=max_bytes, place=place)
        with log.recorded(command_caller(), "enrol", name) as counts:
            enrolled = enroller.enrol(name, picture, rgb, near)
            counts |= {"images": enrolled.images}
        model = enrolled.recognizer.model
        assert model is not None
        return {
            "name": enrolled.name,
            "images": enrolled.images,
            "model": {"classifier": model.card.kind, **recipe_as_json(model.card)},
        }

    return add


class PlaceEnrolment:
    """Enrols photos one by one where a command makes its changes."""

    def __init__(
        self, add: Callable[[str, bytes, Answer], Answer], photos: Callable[[str], list[Answer]]
    ) -> None:
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


@contextlib.contextmanager
def open_enrolment(place: ChangePlace) -> Iterator[PlaceEnrolment]:
    """Yield what enrols photos at `place`."""
    if place.status is None:
        yield _in_files(place.config)
        return
    with place.connect(TIMEOUT_S) as client:
        # The daemon may not be able to read the files, so it gets the bytes.
        yield PlaceEnrolment(client.add_face, client.photos)


def _in_files(config: Config) -> PlaceEnrolment:
    from face_det.service import build_service

    service = build_service(config)
    log = open_audit_log(config.audit_path, config.encodings_path)

    def add(name: str, data: bytes, options: Answer) -> Answer:
        with log.recorded(command_caller(), "enrol", name) as counts:
            answer = service.add_face(name, data, None, options)
            counts |= {"images": answer["images"]}
        return answer

    return PlaceEnrolment(add, service.photos.photos)
