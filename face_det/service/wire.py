"""Parses requests and renders replies. Only this module knows the JSON keys that callers see."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from face_det.classifiers import CLASSIFIERS
from face_det.enrolment import recipe_as_json
from face_det.errors import BadRequest
from face_det.recognition import Model
from face_det.service.explanation import explain_person
from face_det.types import Box, Candidate, Face, Match, Outcome, Reason

PERSON_LABEL = "person"
"""The object label whose box is searched for faces."""

EDGES = ("ymin", "xmin", "ymax", "xmax")
MAX_NESTING = 64
"""How deep lists and objects may be nested in a request, since all of it is repeated in the reply."""

ANSWER_KEYS = (
    "face",
    "faceProba",
    "faceReason",
    "faceExplanation",
    "faceBox",
    "outcome",
    "candidates",
    "quality",
    "qualityParts",
    "headPose",
    "liveness",
    "partial",
    "faces",
)


NAMED_BY = "by"
"""Says by what a person was named, `face` or `body`; only where naming by the body is switched on."""
_OF_A_BODY = ("faceBox", "quality", "qualityParts", "headPose", "liveness")
"""What is said of the face of somebody who was named by the body."""


@dataclass(frozen=True, slots=True)
class PersonLabel:
    """A label called `person`: its index among the image's labels, and its box (None if not finite)."""

    label: int
    box: Box | None


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """One image of a detect_faces call, and the people to look at in it."""

    path: str
    persons: tuple[PersonLabel, ...]


@dataclass(frozen=True, slots=True)
class PersonAnswer:
    """The answer for one person: the faces in the box, or the reason why there are none.

    `own` is the index of the face that is this person's; None if none is. `partial` is True if the faces
    were found in a picture of which part is missing. `body` is who it is by the body; `says_by` is True if
    the answer says by what somebody was named.
    """

    faces: tuple[tuple[Face, Match], ...] = ()
    reason: Reason | None = None
    own: int | None = None
    partial: bool = False
    body: Match | None = None
    says_by: bool = False


def parse_images(images: object, max_images: int) -> list[ImageRequest]:
    """Parse the images of a detect_faces call; raise BadRequest with the place of the first fault.

    >>> box = {"xmin": 1, "ymin": 2, "xmax": 30, "ymax": 40}
    >>> image = {"image": "/a.jpg", "labels": [{"name": "person", "box": box}]}
    >>> parse_images([image], max_images=10)[0].persons[0].box
    Box(xmin=1.0, ymin=2.0, xmax=30.0, ymax=40.0)
    """
    if not isinstance(images, (list, tuple)):
        raise BadRequest(f"images: must be a list, got {_format_value(images)}")
    if len(images) > max_images:
        raise BadRequest(
            f"images: must hold at most {max_images} (maxImages), got {len(images)}; send several calls"
        )
    return [_parse_image(entry, f"images[{index}]") for index, entry in enumerate(images)]


def require_picture(image: object, place: str = "image") -> str | bytes:
    """Return `image` if it is a path or the bytes of an image file; raise BadRequest otherwise."""
    if isinstance(image, (str, bytes)):
        return image
    raise BadRequest(f"{place}: must be a path or the bytes of a picture, got {type(image).__name__}")


def require_text(value: object, place: str) -> str:
    """Return `value` if it is text; raise BadRequest with its place otherwise."""
    if not isinstance(value, str):
        raise BadRequest(f"{place}: must be text, got {type(value).__name__}")
    return value


def require_number(value: object, place: str) -> int:
    """Return a whole number from 0 that SQLite can hold; raise BadRequest with its place otherwise.

    >>> require_number(7, "id")
    7
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise BadRequest(f"{place}: must be a whole number from 0, got {value!r:.60}")
    return value


def require_options(given: object, *, known: tuple[str, ...], place: str = "options") -> Mapping[str, Any]:
    """Return the options of a verb (None: no options); raise BadRequest for an unknown one.

    >>> require_options(None, known=("quick",))
    {}
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise BadRequest(f"{place}: must be an object, got {type(given).__name__}")
    for key in given:
        if key not in known:
            raise BadRequest(f"{place}.{key}: unknown; must be one of: {', '.join(known) or 'none'}")
    return given


def parse_training(options: object) -> tuple[str | None, str | None, bool]:
    """Return the classifier and the embedder that `train` is to use (None: the configuration's), and whether
    to search thoroughly; raise BadRequest.

    >>> parse_training({"quick": True})
    (None, None, False)
    """
    wanted = require_options(options, known=("classifier", "embedder", "quick"))
    kind, embedder = (
        None if key not in wanted else require_text(wanted[key], f"options.{key}")
        for key in ("classifier", "embedder")
    )
    if kind is not None and kind not in (menu := ("auto", *sorted(CLASSIFIERS))):
        raise BadRequest(f"options.classifier: must be one of {', '.join(menu)}, got {kind!r:.60}")
    return kind, embedder, not wanted.get("quick", False)


def _parse_image(entry: object, place: str) -> ImageRequest:
    entry = _require_object(entry, place)
    path = _require_member(entry, "image", place)
    if not isinstance(path, str):
        raise BadRequest(f"{place}.image: must be a path, got {_format_value(path)}")
    labels = _require_member(entry, "labels", place)
    if not isinstance(labels, (list, tuple)):
        raise BadRequest(f"{place}.labels: must be a list, got {_format_value(labels)}")
    persons = []
    for index, label in enumerate(labels):
        here = f"{place}.labels[{index}]"
        label = _require_object(label, here)
        if _require_member(label, "name", here) == PERSON_LABEL:
            persons.append(PersonLabel(index, _parse_box(_require_member(label, "box", here), f"{here}.box")))
    _require_shallow(entry, place)
    return ImageRequest(path, tuple(persons))


def require_box(value: object, place: str) -> Box:
    """Return a box {ymin, xmin, ymax, xmax} in pixels; raise BadRequest with its place otherwise.

    >>> require_box({"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4}, "options.faceBox").width
    2.0
    """
    box = _parse_box(value, place)
    if box is None:
        raise BadRequest(f"{place}: must be in pixels of the picture, got numbers that are not finite")
    return box


def _require_shallow(entry: object, place: str) -> None:
    level = [entry]
    for _ in range(MAX_NESTING):
        level = [member for value in level for member in _members(value)]
    if level:
        raise BadRequest(f"{place}: must be nested at most {MAX_NESTING} deep")


def _members(value: object) -> Sequence[Any]:
    if isinstance(value, Mapping):
        return [*value, *value.values()]
    return value if isinstance(value, (list, tuple)) else ()


def _parse_box(value: object, place: str) -> Box | None:
    """Return a box; None if its numbers are not finite. Raises BadRequest with the place of a fault."""
    value = _require_object(value, place)
    edges = {}
    for edge in EDGES:
        number = _require_member(value, edge, place)
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise BadRequest(f"{place}.{edge}: must be a number, got {_format_value(number)}")
        # An int may be too large for a float; treat it as infinite.
        edges[edge] = float(number) if abs(number) < 1e15 else math.inf
    if not all(math.isfinite(number) for number in edges.values()):
        return None
    return Box(**edges)


def _require_object(value: object, place: str) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise BadRequest(f"{place}: must be an object, got {_format_value(value)}")
    return value


def _require_member(value: Mapping[Any, Any], key: str, place: str) -> object:
    if key not in value:
        raise BadRequest(f"{place}.{key}: missing")
    member: object = value[key]
    return member


def _format_value(value: object) -> str:
    """Format a value for an error message: short and on one line."""
    if isinstance(value, (dict, list, tuple, bytes)):
        return f"{type(value).__name__} of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def render_reply(images: Sequence[Any], answers: Mapping[tuple[int, int], PersonAnswer]) -> str:
    """Render the reply of detect_faces: the request, with an answer at each (image, label) that has one.

    Other keys of the request are kept; an older answer is replaced. JSON has neither NaN nor bytes:
    NaN becomes null, bytes become text.

    >>> render_reply([{"labels": [{"name": "person"}]}], {(0, 0): PersonAnswer(reason=Reason.BAD_IMAGE)})
    '[{"labels": [{"name": "person", "face": null, "faceReason": "bad_image", "faceExplanation": \
"the picture cannot be read", "faces": []}]}]'
    """
    reply = [_to_json_value(image) for image in images]
    for (image, label), answer in answers.items():
        target = reply[image]["labels"][label]
        for key in (*ANSWER_KEYS, NAMED_BY) if answer.says_by else ANSWER_KEYS:
            target.pop(key, None)
        target.update(person_as_json(answer))
    return json.dumps(reply, allow_nan=False)


def person_as_json(answer: PersonAnswer) -> dict[str, Any]:
    """Return the keys that a person's label gains: those of the person's own face, and all faces.

    The own face comes first in `faces`, then the others, best detected first.
    """
    faces = [face_as_json(face, match, partial=answer.partial) for face, match in answer.faces]
    if answer.body is not None:
        return _body_as_json(answer.body, answer.own, faces)
    if answer.own is None:
        reason = answer.reason or Reason.NO_FACE
        why = {"faceReason": reason.value, "faceExplanation": explain_person(reason)}
        return {"face": None, **why, "faces": faces}
    own = faces.pop(answer.own)
    by = {NAMED_BY: "face"} if answer.says_by and own["face"] is not None else {}
    return {**own, **by, "faces": [own, *faces]}


def _body_as_json(body: Match, own: int | None, faces: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the keys of somebody who was named by the body; their face, if there is one, has no name."""
    if own is not None:
        faces.insert(0, faces.pop(own))
    of_face = {key: faces[0][key] for key in _OF_A_BODY if own is not None and key in faces[0]}
    outcome = None if body.outcome is None else body.outcome.value
    named = {"face": body.name, "faceProba": body.probability, NAMED_BY: "body", "outcome": outcome}
    return {**named, **of_face, "faces": faces}


def face_as_json(face: Face, match: Match, *, partial: bool = False) -> dict[str, Any]:
    """Return one face as JSON: name or null, probability if classified, reason if unnamed, and box.

    An uncertain face also has its candidates, one that was assessed its `quality` and what that rests on, one
    whose attributes were asked for has these, and one from a `partial` picture says so.
    """
    fields: dict[str, Any] = {"face": match.name}
    if match.probability is not None:
        fields["faceProba"] = match.probability
    if match.name is None:
        fields["faceReason"] = (match.reason or Reason.UNRECOGNISED).value
    if match.explanation is not None:
        fields["faceExplanation"] = match.explanation
    if match.outcome is not None:
        fields["outcome"] = match.outcome.value
    if match.outcome is Outcome.UNCERTAIN:
        fields["candidates"] = candidates_as_json(match.candidates)
    fields["faceBox"] = box_as_json(face.box)
    if face.quality is not None:
        fields["quality"] = round(face.quality, 4)
        fields["qualityParts"] = quality_parts_as_json(face)
    if face.head_pose is not None:
        fields["headPose"] = asdict(face.head_pose.rounded())
    if face.liveness is not None:
        fields["liveness"] = round(face.liveness, 4)
    if partial:
        fields["partial"] = True
    return fields


def candidates_as_json(candidates: Sequence[Candidate]) -> list[dict[str, Any]]:
    """Return who a face may be, likeliest first.

    >>> candidates_as_json([Candidate("Anna", 0.4)])
    [{'name': 'Anna', 'proba': 0.4}]
    """
    return [{"name": one.name, "proba": one.probability} for one in candidates]


def measures_as_json(face: Face) -> dict[str, float]:
    """Return what the settings focusMeasureThreshold and minFace are compared with.

    `sharpness` is the variance of the Laplacian, `sizePx` the shorter side of the box in pixels.

    >>> measures_as_json(Face(Box(0, 0, 30, 40), 1.0, 218.04, None, None))
    {'sharpness': 218.0, 'sizePx': 30}
    """
    return {"sharpness": round(face.focus, 1), "sizePx": round(face.box.shorter_side, 1)}


def quality_parts_as_json(face: Face) -> dict[str, float | None]:
    """Return what a face's quality rests on; the norm is null if the encoding has none.

    >>> quality_parts_as_json(Face(Box(0, 0, 30, 40), 0.913, 218.04, None, None, norm=11.52))
    {'sharpness': 218.0, 'sizePx': 30, 'detectorScore': 0.913, 'encodingNorm': 11.52}
    """
    return {
        **measures_as_json(face),
        "detectorScore": round(face.score, 4),
        "encodingNorm": None if face.norm is None else round(face.norm, 3),
    }


def box_as_json(box: Box) -> dict[str, float]:
    """Return a box as JSON, in pixels of the full image.

    >>> box_as_json(Box(1, 2, 3, 4))
    {'ymin': 2, 'xmin': 1, 'ymax': 4, 'xmax': 3}
    """
    return {edge: getattr(box, edge) for edge in EDGES}


def model_as_json(model: Model | None) -> dict[str, Any] | None:
    """Return what is said of a model in use; None if there is none."""
    if model is None:
        return None
    return {
        "fingerprint": model.fingerprint,
        "classifier": model.card.kind,
        "classes": list(model.labels),
        "trained_at": model.card.trained_at,
        "file": model.place,
        **recipe_as_json(model.card),
    }


def _to_json_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_to_json_key(key): _to_json_value(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_to_json_value(member) for member in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "replace")
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    return str(value)


def _to_json_key(key: Any) -> str:
    return key if isinstance(key, str) else str(_to_json_value(key))
