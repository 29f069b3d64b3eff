"""What the route about videos answers, as schemas with examples for /openapi.json."""

from __future__ import annotations

from face_det.gateway.api.answers import BOX, Answer, Box, with_example

_TIMES = {"first_s": 1.2, "last_s": 8.4, "frames": 71}


class BestPicture(Answer):
    """The best picture of somebody in a video; `thumbnail` is a JPEG as base64."""

    time_s: float
    faceBox: Box
    quality: float | None
    thumbnail: str | None


class TrackTimes(Answer):
    """When somebody was followed without a break, in seconds from the beginning, and in how many frames."""

    first_s: float
    last_s: float
    frames: int


class VideoPerson(Answer):
    """Somebody in a video, and when, in seconds from the beginning, and in how many frames they are seen."""

    label: str
    name: str | None
    unknown: str | None
    first_s: float
    last_s: float
    frames: int
    proba: float | None
    tracks: list[TrackTimes]
    best: BestPicture
    imagePaths: list[str]


class UnknownPerson(Answer):
    """A stranger in Ringface's form; `images` holds the best picture, a JPEG as base64."""

    name: str
    images: list[str]
    imagePaths: list[str]
    frames: int


class VideoPeople(Answer):
    """The people in a video, each once, in the order in which they appear; `partial` says what is missing."""

    model_config = with_example(
        videoFile="bytes",
        eventName="ring",
        durationS=24.0,
        frames=240,
        people=[
            {"label": "Alice", "name": "Alice", "unknown": None, "proba": 0.98}
            | _TIMES
            | {"tracks": [_TIMES], "imagePaths": []}
            | {"best": {"time_s": 4.1, "faceBox": BOX, "quality": 0.9, "thumbnail": None}}
        ],
        recognisedPersons=["Alice"],
        unknownPersons=[],
        partial=None,
    )
    videoFile: str
    eventName: str | None
    durationS: float | None
    frames: int
    people: list[VideoPerson]
    recognisedPersons: list[str]
    unknownPersons: list[UnknownPerson]
    partial: str | None
