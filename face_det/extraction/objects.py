"""Persons' boxes from an object detection server, which is another program and may be on another machine."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from face_det.errors import ConfigError, DataError, FaceDetError
from face_det.extraction.crops import Person
from face_det.extraction.pictures import Picture
from face_det.media import encode_jpeg
from face_det.rpc import ForeignClient
from face_det.storage import abbreviate_json, is_finite_number, parse_json, report_write_errors
from face_det.types import Box, Rgb

PERSON = "person"
BATCH = 4
"""How many pictures are asked about at once. Each is in memory meanwhile."""
TIMEOUT_S = 120.0

LoadedPicture = tuple[Picture, Rgb]


class PersonFinder(Protocol):
    """Finds persons in pictures, up to `batch` of them at once.

    `settings` says in a word or two what the answers depend on. What goes wrong with one picture is returned
    in its place; what concerns all is raised.
    """

    batch: int
    settings: str

    def find(self, pictures: Sequence[LoadedPicture]) -> list[list[Person] | FaceDetError]:
        """Return the persons of each picture, with boxes in its pixels."""
        ...


class ObjectDetectionServer:
    """A PersonFinder that asks the zerorpc server at `endpoint`: `detect_objects(paths)`.

    The server answers with a JSON string: [{"image": PATH, "labels": [{"name", "id", "score", "box": {"ymin",
    "xmin", "ymax", "xmax"}}]}]. Labels other than `person`, and those that score below `min_score`, are
    passed over. A picture without a file of its own, such as a frame of a video, is written to a temporary
    folder for the server, which only this user and root may read. Raises ConfigError if the endpoint is none.
    """

    batch = BATCH

    def __init__(
        self,
        endpoint: str,
        *,
        timeout_s: float = TIMEOUT_S,
        heartbeat_s: float = 60.0,
        min_score: float = 0.0,
    ) -> None:
        try:
            self._client = ForeignClient(
                endpoint, "an object detection server", timeout_s=timeout_s, heartbeat_s=heartbeat_s
            )
        except ConfigError as error:
            raise ConfigError([str(error).replace("zerorpcPipe:", "--detector-endpoint:")]) from None
        self._min_score = min_score
        self.settings = f"server {min_score:g}"

    def find(self, pictures: Sequence[LoadedPicture]) -> list[list[Person] | FaceDetError]:
        """Ask about these pictures; if that fails for some, ask about each alone to find out which.

        Raises Unreachable if the server does not answer.
        """
        with _as_files(pictures) as paths:
            try:
                return self._ask(paths)
            except DataError as error:
                if len(paths) == 1:
                    return [error]
            return [answer for path in paths for answer in self._ask_alone(path)]

    def close(self) -> None:
        """Disconnect."""
        self._client.close()

    def _ask_alone(self, path: str) -> list[list[Person] | FaceDetError]:
        try:
            return self._ask([path])
        except DataError as error:
            return [error]

    def _ask(self, paths: Sequence[str]) -> list[list[Person] | FaceDetError]:
        by_image = parse_detections(self._client.call("detect_objects", list(paths)), self._min_score)
        missing = "the object detection server did not answer about this picture"
        return [by_image.get(path, DataError(missing)) for path in paths]


def parse_detections(answer: object, min_score: float = 0.0) -> dict[str, list[Person] | FaceDetError]:
    """Return the persons of each picture from what `detect_objects` answers, by the picture's path.

    A label that cannot be used is an error in the place of its picture's persons. Raises DataError if the
    whole answer cannot be used.

    >>> box = '{"ymin": 1, "xmin": 2, "ymax": 3, "xmax": 4}'
    >>> labels = '[{"name": "person", "score": 0.9, "box": ' + box + '}, {"name": "dog"}]'
    >>> parse_detections('[{"image": "a.jpg", "labels": ' + labels + '}]')["a.jpg"][0].box
    Box(xmin=2.0, ymin=1.0, xmax=4.0, ymax=3.0)
    """
    if isinstance(answer, (str, bytes)):
        try:
            answer = parse_json(
                answer.encode("utf-8", "surrogatepass") if isinstance(answer, str) else answer
            )
        except ValueError as error:
            raise DataError(f"detect_objects: must answer with JSON, got something else: {error}") from error
    if not isinstance(answer, list):
        raise DataError(f"detect_objects: must answer with a list, got {abbreviate_json(answer)}")
    found: dict[str, list[Person] | FaceDetError] = {}
    for index, entry in enumerate(answer):
        place = f"detect_objects[{index}]"
        if not isinstance(entry, Mapping) or not isinstance(entry.get("image"), str):
            raise DataError(f"{place}.image: must be a path, got {abbreviate_json(entry)}")
        try:
            found[entry["image"]] = list(_persons(entry.get("labels"), f"{place}.labels", min_score))
        except DataError as error:
            found[entry["image"]] = error
    return found


def _persons(labels: object, place: str, min_score: float) -> Iterator[Person]:
    if not isinstance(labels, list):
        raise DataError(f"{place}: must be a list, got {abbreviate_json(labels)}")
    for number, label in enumerate(labels):
        where = f"{place}[{number}]"
        if not isinstance(label, Mapping):
            raise DataError(f"{where}: must be an object, got {abbreviate_json(label)}")
        if label.get("name") != PERSON:
            continue
        score = _number(label.get("score", 1.0), f"{where}.score")
        box = label.get("box")
        if not isinstance(box, Mapping):
            raise DataError(f"{where}.box: must be an object, got {abbreviate_json(box)}")
        sides = [_number(box.get(side), f"{where}.box.{side}") for side in ("xmin", "ymin", "xmax", "ymax")]
        if sides[0] > sides[2] or sides[1] > sides[3]:
            raise DataError(
                f"{where}.box: must have xmin <= xmax and ymin <= ymax, got {abbreviate_json(box)}"
            )
        if score >= min_score:
            yield Person(Box(*sides), score)


def _number(value: Any, place: str) -> float:
    if not is_finite_number(value):
        raise DataError(f"{place}: must be a number, got {abbreviate_json(value)}")
    return float(value)


@contextmanager
def _as_files(pictures: Sequence[LoadedPicture]) -> Iterator[list[str]]:
    """Yield a path for each picture; those that have no file get a temporary one."""
    with ExitStack() as stack:
        folder: Path | None = None
        paths = []
        for picture, rgb in pictures:
            path = picture.path
            if path is None or not _can_be_sent(path):
                with report_write_errors(Path(tempfile.gettempdir()), "the server was not asked"):
                    if folder is None:
                        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="face_det-")))
                    path = folder / f"{secrets.token_hex(8)}.jpg"
                    path.write_bytes(encode_jpeg(rgb))
            paths.append(str(path))
        yield paths


def _can_be_sent(path: Path) -> bool:
    """Tell whether a path is text: names of files need not be, but messages are."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        return False
    return True
