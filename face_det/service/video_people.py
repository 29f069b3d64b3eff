"""The people in a video as callers get them: one form for the verb, the routes and the command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from face_det.service.wire import box_as_json
from face_det.tracking import VideoPerson


def video_person_as_json(
    person: VideoPerson, label: str, unknown: str | None, image_paths: Sequence[str] = ()
) -> dict[str, Any]:
    """Return somebody in a video: times in seconds from its beginning, `thumbnail` as the bytes of a JPEG.

    `unknown` is a stranger's number, if there is one; `image_paths` are files with the person's pictures.
    """
    best = person.best
    return {
        "label": label,
        "name": person.name,
        "unknown": unknown,
        "proba": _rounded(person.probability, 4),
        "first_s": round(person.first_s, 3),
        "last_s": round(person.last_s, 3),
        "frames": person.frames,
        "tracks": [
            {"first_s": round(track.first_s, 3), "last_s": round(track.last_s, 3), "frames": track.frames}
            for track in person.tracks
        ],
        "best": {
            "time_s": round(best.best_s, 3),
            "faceBox": box_as_json(best.best.box),
            "quality": _rounded(best.best.quality, 4),
            "thumbnail": best.best.thumbnail,
        },
        "imagePaths": list(image_paths),
    }


def persons_as_json(people: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what Ringface's classifier answers about people, each as `video_person_as_json` returns them.

    A stranger's `images` holds the best picture. `frames` is ours: in how many frames the stranger is seen.

    >>> stranger = {"label": "unknown-1", "name": None, "frames": 7, "imagePaths": []}
    >>> answer = persons_as_json([{"name": "Ann"}, {**stranger, "best": {"thumbnail": None}}])
    >>> answer["recognisedPersons"], answer["unknownPersons"]
    (['Ann'], [{'name': 'unknown-1', 'images': [], 'imagePaths': [], 'frames': 7}])
    """
    return {
        "recognisedPersons": [one["name"] for one in people if one["name"] is not None],
        "unknownPersons": [
            {
                "name": one["label"],
                "images": [] if one["best"]["thumbnail"] is None else [one["best"]["thumbnail"]],
                "imagePaths": one["imagePaths"],
                "frames": one["frames"],
            }
            for one in people
            if one["name"] is None
        ],
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
