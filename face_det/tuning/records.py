"""Reads the alarm frames that smart-zoneminder's alarm uploader recorded in MongoDB.

A record is {image: path, labels: [{Name, Confidence, Box: {ymin, xmin, ymax, xmax}, Face}], status, objDet}.
Frames that the uploader skipped, or in which nothing was found, have no labels.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from bson.errors import BSONError
from pymongo import MongoClient
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    InvalidName,
    InvalidURI,
    OperationFailure,
    PyMongoError,
)

from face_det.errors import DatabaseFailed, DataError
from face_det.storage import is_finite_number
from face_det.tuning.frames import FrameFilter, MalformedRecord, RecordedFrame, StoredLabel, in_order
from face_det.types import Box

ANSWER_S = 10
"""Seconds for MongoDB to answer at first."""
BATCH = 20
"""Records fetched at once. MongoDB forgets a query that rests for ten minutes, and each frame takes seconds
with the slowest networks."""

_EDGES = ("ymin", "xmin", "ymax", "xmax")
_REFUSED = {13, 18}
"""MongoDB's codes Unauthorized and AuthenticationFailed."""
_URL_SHAPE = "must be mongodb://HOST:PORT or mongodb://USER:PASSWORD@HOST:PORT/?authSource=admin"


class AlarmRecords:
    """The frames in one collection. Nothing is connected before they are read, and nothing is written."""

    def __init__(self, url: str, database: str = "zm", collection: str = "alarms") -> None:
        """`url` may hold a user and a password, which no message repeats."""
        self._url = url
        self._database, self._collection = database, collection
        self.place = f"{_without_credentials(url)}, {database}.{collection}"

    def read(self, wanted: FrameFilter) -> Iterator[RecordedFrame | MalformedRecord]:
        """Yield the frames that are wanted, and every record on the way that is none.

        All records are read, because a malformed one can match no query. Raises DataError for an address or
        a name that cannot be one and for a collection without records, and DatabaseFailed when MongoDB does
        not answer, stops answering, or refuses.
        """
        if wanted.limit is None:
            yield from self._read(wanted, newest_first=wanted.newest_first)
            return
        malformed: list[MalformedRecord] = []
        yield from in_order(_frames(self._read(wanted, newest_first=True), malformed), wanted)
        yield from malformed

    def _read(self, wanted: FrameFilter, *, newest_first: bool) -> Iterator[RecordedFrame | MalformedRecord]:
        empty = True
        with self._explained(), self._connect() as client:
            cursor = client[self._database][self._collection].find(
                {}, {"image": True, "labels": True}, batch_size=BATCH
            )
            for document in cursor.sort("_id", -1 if newest_first else 1):
                empty = False
                found = parse_record(document)
                if isinstance(found, MalformedRecord) or wanted.accepts(found):
                    yield found
            if empty:
                there = ", ".join(sorted(client[self._database].list_collection_names())) or "none"
                raise DataError(
                    f"{self.place}: must hold the alarm uploader's records, got none; "
                    f"collections in {self._database}: {there}"
                )

    def _connect(self) -> MongoClient[dict[str, Any]]:
        with warnings.catch_warnings():
            # An option that does not exist is only warned of, and then ignored.
            warnings.simplefilter("error", UserWarning)
            return MongoClient(self._url, serverSelectionTimeoutMS=ANSWER_S * 1000, appname="face-det tune")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn pymongo's errors into ours, without what they repeat of the address."""
        try:
            yield
        except (InvalidURI, ConfigurationError, InvalidName, ValueError, UserWarning) as error:
            raise DataError(
                f"{self.place}: {_URL_SHAPE}, with signs such as : / @ % in the password written as %3A %2F "
                f"%40 %25, got another one ({type(error).__name__})"
            ) from None
        except ConnectionFailure as error:
            raise DatabaseFailed(
                f"{self.place}: MongoDB must answer, got: {self._cause(error)}; start it and try again, or "
                "give its address with --mongo-url"
            ) from None
        except (PyMongoError, BSONError) as error:
            refused = isinstance(error, OperationFailure) and error.code in _REFUSED
            advice = "check user, password and authSource in --mongo-url" if refused else "try again"
            raise DatabaseFailed(
                f"{self.place}: MongoDB must let us read the records, got: {self._cause(error)}; {advice}"
            ) from None

    def _cause(self, error: Exception) -> str:
        """Return the first part of what an error says, on one line and without user and password."""
        text = str(error).split(", full error:")[0].split(" (configured timeouts")[0].split(", Timeout:")[0]
        for secret in _credentials(self._url):
            text = text.replace(secret, "...")
        return " ".join(text.split())[:200]


def _frames(
    records: Iterator[RecordedFrame | MalformedRecord], malformed: list[MalformedRecord]
) -> Iterator[RecordedFrame]:
    for record in records:
        if isinstance(record, MalformedRecord):
            malformed.append(record)
        else:
            yield record


def parse_record(document: Mapping[str, Any]) -> RecordedFrame | MalformedRecord:
    """Return the frame in a record or, if it is none, the place of the first fault.

    >>> box = {"ymin": 1, "xmin": 2, "ymax": 30, "xmax": 40}
    >>> label = {"Name": "person", "Confidence": 97.5, "Box": box, "Face": "Ann"}
    >>> parse_record({"_id": 7, "image": "/a.jpg", "labels": [label]}).labels[0].face
    'Ann'
    >>> parse_record({"_id": 7, "image": "/a.jpg", "labels": [{**label, "Box": 3}]}).why
    'labels[0].Box: must be an object, got 3'
    """
    identifier = str(document.get("_id"))
    try:
        picture, labels = document.get("image"), document.get("labels")
        if not isinstance(picture, str) or not picture:
            raise DataError(f"image: must be a path, got {_short(picture)}")
        if not isinstance(labels, list):
            raise DataError(f"labels: must be a list, got {_short(labels)}")
        stored = tuple(_parse_label(label, f"labels[{index}]") for index, label in enumerate(labels))
        return RecordedFrame(identifier, picture, stored)
    except DataError as error:
        return MalformedRecord(identifier, str(error))


def _parse_label(label: object, place: str) -> StoredLabel:
    if not isinstance(label, Mapping):
        raise DataError(f"{place}: must be an object, got {_short(label)}")
    name, box, face = label.get("Name"), label.get("Box"), label.get("Face")
    if not isinstance(name, str):
        raise DataError(f"{place}.Name: must be text, got {_short(name)}")
    if not isinstance(box, Mapping):
        raise DataError(f"{place}.Box: must be an object, got {_short(box)}")
    edges = {edge: _finite(box.get(edge), f"{place}.Box.{edge}") for edge in _EDGES}
    if face is not None and not isinstance(face, str):
        raise DataError(f"{place}.Face: must be a name or null, got {_short(face)}")
    confidence = label.get("Confidence")
    if confidence is not None:
        confidence = _finite(confidence, f"{place}.Confidence")
    return StoredLabel(name, Box(**edges), face, "Face" in label, confidence)


def _finite(value: object, place: str) -> float:
    if not is_finite_number(value):
        raise DataError(f"{place}: must be a number, got {_short(value)}")
    return float(value)  # type: ignore[arg-type]


def _short(value: object) -> str:
    text = "nothing" if value is None else ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _without_credentials(url: str) -> str:
    """Return the scheme and the hosts of an address, whatever else it is.

    >>> _without_credentials("mongodb://zm:secret@nas:27017/?authSource=admin")
    'mongodb://nas:27017'
    """
    scheme, _, rest = url.rpartition("://")
    # The last @ ends the password, even one that holds signs which it must not.
    hosts = re.split(r"[/?#]", rest.rpartition("@")[2])[0]
    return ascii(f"{scheme or 'mongodb'}://{hosts}")[1:-1]


def _credentials(url: str) -> list[str]:
    """Return user and password of an address, as they are and as they are written, longest first."""
    given = url.partition("://")[2].rpartition("@")[0]
    user, _, password = given.partition(":")
    found = {given, user, password, unquote(user), unquote(password)}
    return sorted((one for one in found if one), key=len, reverse=True)
