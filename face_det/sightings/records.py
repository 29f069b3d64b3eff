"""The records that the service hands over for each picture, and the options of the memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgpack  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt

from face_det.errors import DataError
from face_det.types import Box, Outcome

MAX_TEXT = 1024
"""The longest camera, caller or frame that is kept; longer ones are cut."""


@dataclass(frozen=True, eq=False, slots=True)
class SeenFace:
    """A face as it was answered.

    `box` is in pixels of the full image. `name`, `probability` (0..1), `reason` and `outcome` are those of
    the answer. `encoding` has shape (dimensions,) and is None if the face was not encoded; `norm` is its
    length before it was scaled. `thumbnail` is a JPEG.

    `track` is what the caller calls the track of a face that it follows: faces of one visit that have it in
    common are one person's. `track_frames` says in how many pictures that track was seen so far, and
    `agreeing` in how many clear ones the face alone had this answer.
    """

    box: Box
    score: float
    outcome: Outcome | None
    name: str | None
    probability: float | None
    reason: str | None
    quality: float | None
    norm: float | None
    encoding: npt.NDArray[np.float32] | None
    thumbnail: bytes | None
    track: str | None = None
    track_frames: int = 1
    agreeing: int = 1


@dataclass(frozen=True, eq=False, slots=True)
class SeenPicture:
    """The faces of one picture. `time` is in seconds since 1970.

    `recorded` is when it was handed over, from which on its age counts; its own time if that is None.

    `camera` and `frame` are what the caller named them; `caller` says who called. `fingerprint` is the
    embedder's. `picture` is the whole picture as a JPEG, if such are kept; it may be smaller than the image
    that boxes are measured in, whose width and height in pixels are `image_size`. `beside` holds the tracks
    of other faces in the picture that are not to be remembered this time; they are other people's.
    Without `faces`, the picture only says that they are still to be seen.
    """

    time: float
    camera: str | None
    caller: str
    frame: str | None
    fingerprint: str
    faces: tuple[SeenFace, ...]
    picture: bytes | None = None
    recorded: float | None = None
    image_size: tuple[int, int] | None = None
    beside: tuple[str, ...] = ()

    @property
    def kept_from(self) -> float:
        """The time from which its age counts."""
        return self.time if self.recorded is None else self.recorded


def pack_picture(seen: SeenPicture) -> bytes:
    """Pack a picture's faces for the spool; `unpack_picture` reverses it.

    >>> seen = SeenPicture(1.5, "door", "uid 1000", None, "sface:1", ())
    >>> unpack_picture(pack_picture(seen)) == unpack_picture(pack_picture(seen))
    False
    >>> unpack_picture(pack_picture(seen)).camera
    'door'
    """
    fields: dict[str, Any] = {
        "time": seen.time,
        "camera": _cut(seen.camera),
        "caller": _cut(seen.caller),
        "frame": _cut(seen.frame),
        "fingerprint": seen.fingerprint,
        "picture": seen.picture,
        "recorded": seen.recorded,
        "image_size": seen.image_size,
        "faces": [_face_fields(face) for face in seen.faces],
    }
    if seen.beside:
        fields["beside"] = seen.beside
    packed: bytes = msgpack.packb(fields, unicode_errors="surrogatepass")
    return packed


def unpack_picture(data: bytes) -> SeenPicture:
    """Unpack what `pack_picture` packed; raise DataError for anything else."""
    try:
        fields = msgpack.unpackb(data, unicode_errors="surrogatepass")
        faces = tuple(_face_of(face) for face in fields.pop("faces"))
        # An older version packed none.
        size = fields.pop("image_size", None)
        beside = tuple(fields.pop("beside", ()))
        return SeenPicture(
            **fields, faces=faces, image_size=None if size is None else tuple(size), beside=beside
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"spool: must hold packed sightings, got {len(data)} other bytes") from error


def _face_fields(face: SeenFace) -> dict[str, Any]:
    encoding = None if face.encoding is None else np.asarray(face.encoding, "<f4").tobytes()
    # An older version, which follows nobody, can read pictures in which nobody is followed.
    followed: dict[str, Any] = {}
    if face.track is not None:
        followed = {"track": face.track, "track_frames": face.track_frames, "agreeing": face.agreeing}
    return {
        **followed,
        "box": [face.box.xmin, face.box.ymin, face.box.xmax, face.box.ymax],
        "score": face.score,
        "outcome": None if face.outcome is None else face.outcome.value,
        "name": face.name,
        "probability": face.probability,
        "reason": face.reason,
        "quality": face.quality,
        "norm": face.norm,
        "encoding": encoding,
        "thumbnail": face.thumbnail,
    }


def _face_of(fields: Mapping[str, Any]) -> SeenFace:
    known = dict(fields)
    known["box"] = Box(*known["box"])
    known["outcome"] = None if known["outcome"] is None else Outcome(known["outcome"])
    if known["encoding"] is not None:
        known["encoding"] = np.frombuffer(known["encoding"], "<f4")
    return SeenFace(**known)


def _cut(text: str | None) -> str | None:
    """Return what is kept of a text: SQLite takes no lone surrogates, which paths in other encodings have."""
    return None if text is None else text[:MAX_TEXT].encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True, slots=True)
class MemoryOptions:
    """How much is remembered.

    - `keep_days`: how long sightings and events are kept.
    - `max_count`, `max_mb`: the most sightings, and the most megabytes that the database may hold.
    - `unknown_keep_days`: unknown people who have not been seen for so long are forgotten.
    - `frames`: keep the whole picture too, not only the thumbnails of its faces.
    - `visit_gap_s`: faces that one camera sees within so many seconds of each other are one visit.
    - `number_after_visits`: give an unknown person a number after this many visits; 1 means after two
      sightings, which may belong to one visit.
    """

    keep_days: float = 30.0
    max_count: int = 200_000
    max_mb: float = 2000.0
    unknown_keep_days: float = 90.0
    frames: bool = False
    visit_gap_s: float = 60.0
    number_after_visits: int = 1
