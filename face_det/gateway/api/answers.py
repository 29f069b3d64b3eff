"""What routes answer, as schemas with examples for /openapi.json. The daemon makes the answers themselves."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue

Outcome = Literal["known", "uncertain", "unknown"]


class Answer(BaseModel):
    """An answer; later versions may add keys."""

    model_config = ConfigDict(extra="allow")


def with_example(**example: Any) -> ConfigDict:
    """Return the configuration of an answer that has this example."""
    return ConfigDict(extra="allow", json_schema_extra={"examples": [example]})


def json_answer(model: type[BaseModel], status: int = 200, description: str = "OK") -> dict[str, Any]:
    """Return the route arguments for a JSON answer, which is passed on as the daemon made it."""
    return {"response_model": None, "responses": {status: {"model": model, "description": description}}}


def file_answer(media_type: str) -> dict[str, Any]:
    """Return the route arguments for an answer of bytes, such as a picture."""
    content = {media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {"responses": {200: {"description": "The file", "content": content}}}


BOX = {"ymin": 70.0, "xmin": 110.0, "ymax": 190.0, "xmax": 220.0}
_CHANGE = {"change": "photos-12", "what": "Alice's photo a.jpg was removed", "photos": 1}
_FACE = {"face": "Alice", "faceProba": 0.97, "faceBox": BOX, "outcome": "known", "quality": 0.93}
_SIGHTING = {
    "id": 7,
    "time": 1767225600.0,
    "camera": "door",
    "frame": None,
    "visit": 3,
    "unknown": None,
} | _FACE


class Box(Answer):
    """A box in pixels of the picture, upright."""

    ymin: float
    xmin: float
    ymax: float
    xmax: float


class ImageSize(Answer):
    """The size in pixels of the image that a box is measured in."""

    width: int
    height: int


class Candidate(Answer):
    """A person whom an uncertain face may show."""

    name: str
    proba: float


class HeadPose(Answer):
    """Where a head is turned, in degrees: to the right edge of the picture, up, and clockwise."""

    yaw: float
    pitch: float
    roll: float


class Face(Answer):
    """A face: its name or why it has none, where it is, and its quality."""

    face: str | None
    faceProba: float | None = None
    faceReason: str | None = None
    faceExplanation: str | None = None
    faceBox: Box
    outcome: Outcome | None = None
    candidates: list[Candidate] | None = None
    quality: float | None = None
    qualityParts: dict[str, float | None] | None = None
    headPose: HeadPose | None = None
    liveness: float | None = None
    track: int | None = None
    trackFrames: int | None = None
    predicted: bool | None = None


class Faces(Answer):
    """The faces in a picture, best first; smaller ones than `searchFromPx`, if given, may be missing."""

    model_config = with_example(faces=[_FACE], tookMs=84.2, searchFromPx=None)
    faces: list[Face]
    tookMs: float
    searchFromPx: int | None


class CameraFaces(Answer):
    """The faces that a camera showed at `time`, and that picture as base64."""

    model_config = with_example(faces=[_FACE], time=1767225600.0, tookMs=84.2, picture="/9j/4AAQ...")
    faces: list[Face]
    time: float
    tookMs: float
    picture: str


class Explanation(Face):
    """A face, its name's requirements, the most similar photos, and the photo to blame for a mistake."""

    model_config = with_example(
        **_FACE,
        threshold={
            "name": "Alice",
            "met": True,
            "requirements": [
                {"kind": "ratio", "reached": 31.5, "needed": 2, "bound": "at_least", "met": True},
                {"kind": "distance", "reached": 0.41, "needed": 1.13, "bound": "at_most", "met": True},
            ],
            "text": "all is met",
        },
        nearest=[{"name": "Alice", "photo": "a.jpg", "similarity": 0.71, "rank": 1}],
        blame=None,
    )
    threshold: dict[str, JsonValue] | None
    nearest: list[dict[str, JsonValue]]
    blame: dict[str, JsonValue] | None


class CameraName(Answer):
    """A camera, without its address."""

    name: str


class CameraList(Answer):
    """The cameras in config.json, the default one first."""

    model_config = with_example(cameras=[{"name": "door"}])
    cameras: list[CameraName]


class Person(Answer):
    """Somebody who is enrolled."""

    name: str
    images: int
    recordings: int
    cover: str | None
    quality: float | None
    lookAlikes: list[dict[str, JsonValue]]


class People(Answer):
    """Everybody who is enrolled."""

    model_config = with_example(
        people=[
            {"name": "Alice", "images": 4, "recordings": 3, "cover": "a.jpg", "quality": 0.93}
            | {"lookAlikes": []}
        ]
    )
    people: list[Person]


class Photo(Answer):
    """A photo of a person, and whether it is used for training."""

    photo: str
    added: float
    width: int | None
    height: int | None
    quality: float | None
    faceBox: Box | None
    state: Literal["enrolled", "left_out"]
    reason: str | None
    wrongPerson: dict[str, str | None] | None = None


class Photos(Answer):
    """A person's photos."""

    model_config = with_example(
        name="Alice",
        photos=[
            {"photo": "a.jpg", "added": 1767225600.0, "width": 640, "height": 480, "quality": 0.93}
            | {"faceBox": BOX, "faces": [BOX], "state": "enrolled", "reason": None, "wrongPerson": None}
        ],
    )
    name: str
    photos: list[Photo]


class Enrolled(Answer):
    """An enrolled photo, and the change that undoes it; null if the photo was there before."""

    model_config = with_example(name="Alice", images=4, photo="a.jpg", change="photos-12", faceBox=BOX)
    name: str
    images: int
    photo: str
    change: str | None
    faceBox: Box


class PhotoChange(Answer):
    """A change to photos and recordings, which can be undone."""

    model_config = with_example(**_CHANGE)
    change: str
    what: str
    photos: int
    recordings: int | None = None


class AnyChange(Answer):
    """A change to photos or sightings, which can be undone."""

    model_config = with_example(change=31, sightings=2)
    change: int | str


class Changes(Answer):
    """The latest changes, newest first."""

    model_config = with_example(
        changes=[
            {"change": "photos-12", "time": 1767225600.0, "what": _CHANGE["what"]}
            | {"undone": False, "undoable": True}
        ]
    )
    changes: list[dict[str, JsonValue]]


class Forgotten(Answer):
    """How much was erased for good."""

    model_config = with_example(name="Alice", images=4, encodings=4, sightings=12)
    name: str


class Sighting(Answer):
    """One face in one picture."""

    model_config = with_example(**_SIGHTING)
    id: int
    time: float
    camera: str | None
    frame: str | None
    face: str | None
    outcome: Outcome | None
    candidates: list[Candidate] | None = None
    unknown: str | None
    visit: int
    imageSize: ImageSize | None = None


class Sightings(Answer):
    """A page of sightings, newest first; `next` is the cursor of the next page, or null."""

    model_config = with_example(items=[_SIGHTING], next=None)
    items: list[Sighting]
    next: str | None


class Unknowns(Answer):
    """Unknown people, most often seen first."""

    model_config = with_example(
        unknowns=[
            {"id": "unknown-3", "sightings": 5, "visits": 2, "first": 1767225600.0, "last": 1767229200.0}
            | {"cameras": ["door"], "best": 7}
        ]
    )
    unknowns: list[dict[str, JsonValue]]


class Status(Answer):
    """The daemon's status (docs/reference/rpc.md), and the gateway's own."""

    model_config = with_example(
        version="0.1.0",
        trained=True,
        gateway={"version": "0.1.0", "uptime_s": 12.5, "cameras": ["door"]}
        | {"legacyGet": False, "sightings": True},
    )
    version: str
    gateway: dict[str, JsonValue]


class Doctor(Answer):
    """What the doctor found, and when; an answer is reused for five minutes."""

    model_config = with_example(
        at=1767225600.0, checks=[{"check": "python", "state": "ok", "text": "3.12", "advice": ""}]
    )
    at: float
    checks: list[dict[str, JsonValue]]


class Started(Answer):
    """Work has begun in the background."""

    model_config = with_example(started=True)
    started: Literal[True]


class TrainingProgress(Answer):
    """The progress of the training, the report of the last successful one, and the latest one's error."""

    model_config = with_example(
        running=False, step=None, done=0, total=0, started=None, report=None, error=None
    )
    running: bool
    report: dict[str, JsonValue] | None
    error: str | None


class Models(Answer):
    """The model in use and the earlier ones, newest first."""

    model_config = with_example(
        models=[{"model": "5f2c9d", "classifier": "svm", "classes": ["Alice", "Bob"], "in_use": True}]
    )
    models: list[dict[str, JsonValue]]


class ModelInUse(Answer):
    """The model in use from now on."""

    model_config = with_example(model="5f2c9d")
    model: JsonValue


class Tuning(Answer):
    """A false accept rate, by default the current one, and what others would mean.

    `source` says where the current rate comes from. `ladder` is empty if the model has no threshold;
    `sentence` then says why.
    """

    model_config = with_example(
        falseAcceptRate=0.001, source="default", ladder=[{"falseAcceptRate": 0.001}], sentence="1 of 1000"
    )
    falseAcceptRate: float
    source: Literal["environment", "settings", "config", "default"]
    ladder: list[dict[str, JsonValue]]
    sentence: str


class Evaluation(Answer):
    """The progress of an evaluation, and the last report; `at` and `report` are null before the first one."""

    model_config = with_example(
        running=False, step=None, done=0, total=0, started=None, error=None, at=None, report=None
    )
    running: bool
    error: str | None
    at: float | None
    report: dict[str, JsonValue] | None


class EvaluationProgress(Answer):
    """The progress of an evaluation."""

    model_config = with_example(running=True, step="starting", done=0, total=0, started=1767225600.0)
    running: bool


class PreviousState(Answer):
    """The id of the backup of the previous state."""

    model_config = with_example(backup="20260101T120000000000Z-0a1b2c3d")
    backup: str


class Session(Answer):
    """Whether this browser is logged in, whether it must be, and what to send as X-CSRF-Token."""

    model_config = with_example(authenticated=True, required=True, csrf="4f1d")
    authenticated: bool
    required: bool
    csrf: str | None
