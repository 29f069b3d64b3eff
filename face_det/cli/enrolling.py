"""Enrols photos for a command: through the daemon, or in the files without one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator
from typing import Any

from face_det.cli.changes import ChangePlace
from face_det.config import Config
from face_det.errors import UnknownPerson
from face_det.exchange import Picture
from face_det.rpc import command_caller
from face_det.service import open_audit_log

TIMEOUT_S = 600.0
"""Seconds for a daemon to learn a photo, which includes training on everybody."""

Answer = dict[str, Any]


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
        box = picture.box
        edges = (
            None if box is None else {edge: getattr(box, edge) for edge in ("ymin", "xmin", "ymax", "xmax")}
        )
        answer = self._add(name, picture.data, {} if edges is None else {"faceBox": edges})
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
