"""Explains a face's answer: what it was compared with, what a name requires, and which photo to check."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from face_det.boxes import intersection_over_union
from face_det.classifiers import normalise_encodings
from face_det.embedders import embedder_from_fingerprint
from face_det.errors import BadRequest, DataError, NoFace, SightingsOff
from face_det.gallery import Gallery, WrongPhoto, find_one_face, find_wrong_photos, locate_rows
from face_det.media import load_image
from face_det.recognition import Recognizer, Requirement, list_requirements
from face_det.service import wire
from face_det.service.access import Access
from face_det.service.explanation import explain_face
from face_det.service.sighting_arguments import require_id
from face_det.sightings import find_face
from face_det.types import UNKNOWN, Encodings, Face, Match

NEAREST_PHOTOS = 5
NEAREST_PEOPLE = 3
"""An answer lists the nearest photos, and at least the nearest photo of so many people."""
MAX_ENCODED = 25
"""The most enrolled photos that one call encodes anew to find out which is which."""
MAX_REMEMBERED = 2000
SAME_BOX_IOU = 0.3
"""A face overlaps the box that a caller means by at least this much."""


@dataclass(frozen=True, eq=False, slots=True)
class _Compared:
    """A gallery with its encodings by the model's embedder, and its wrong photos."""

    key: object
    gallery: Gallery
    embedder: str
    wrong: tuple[WrongPhoto, ...]


class Explainer:
    """Answers `explain`. Thread-safe; it reads the gallery once for each model."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._lock = threading.Lock()
        self._compared: _Compared | None = None
        self._encoded: dict[str, Encodings | None] = {}

    def explain(self, subject: object, options: object = None) -> dict[str, Any]:
        """Explain the answer for a sighting, by its number, or for a face in a picture.

        A picture is a path or bytes; `options.faceBox` says which face is meant, the best one otherwise.
        Raises NoFace, BadImage, UnknownSighting or BadRequest.
        """
        given = wire.require_options(options, known=("faceBox",))
        recognizer = self._access.recognizer()
        face = (
            self._seen_face(subject, given, recognizer)
            if isinstance(subject, int)
            else self._face_of_picture(wire.require_picture(subject), given, recognizer)
        )
        (match,) = recognizer.match([face], [0])
        match = replace(match, explanation=explain_face(face, match, recognizer.engine.options))
        answer: dict[str, Any] = {
            "outcome": None,
            "faceProba": None,
            "faceReason": None,
            "faceExplanation": None,
        }
        answer |= {**wire.face_as_json(face, match), "faceBox": wire.box_as_json(face.box)}
        answer |= {"quality": face.quality, "qualityParts": _parts(face)}
        answer |= {"threshold": _threshold(face, recognizer), "nearest": [], "blame": None}
        compared = self._compare(recognizer)
        if face.encoding is not None and compared is not None:
            answer |= self._photos(face.encoding, match, compared, recognizer)
        return answer

    def _seen_face(self, subject: int, given: Any, recognizer: Recognizer) -> Face:
        identifier, memory = require_id(subject), self._access.memory
        if given:
            raise BadRequest("options.faceBox: must be left out for a sighting, which is one face")
        if memory is None:
            raise SightingsOff("id: no sightings are kept, because config.json has no `sightings`")
        face, fingerprint = memory.store.read(lambda connection: find_face(connection, identifier))
        if face.encoding is not None and fingerprint != recognizer.engine.fingerprint:
            raise BadRequest(
                f"id: sighting {identifier} was encoded by {embedder_from_fingerprint(fingerprint)}, which "
                "the model in use does not take; send a picture instead"
            )
        return face

    def _face_of_picture(self, source: str | bytes, given: Any, recognizer: Recognizer) -> Face:
        box = (
            wire.require_box(given["faceBox"], "options.faceBox")
            if given.get("faceBox") is not None
            else None
        )
        result = recognizer.engine.run([(self._access.load(source).rgb, None)])
        result.raise_if_crashed()
        (faces,) = result.faces
        if not faces:
            raise NoFace("image: must show a face, got none that the detector finds")
        if box is None:
            return faces[0]
        best = max(faces, key=lambda face: intersection_over_union(face.box, box))
        if intersection_over_union(best.box, box) < SAME_BOX_IOU:
            raise NoFace(
                f"options.faceBox: must be around a face, got none of the {len(faces)} in the picture"
            )
        return best

    def _compare(self, recognizer: Recognizer) -> _Compared | None:
        """Return what faces are compared with; None if nobody is enrolled by the model's embedder."""
        model, path = recognizer.model, self._access.enroller.paths.encodings
        if model is None:
            return None
        with self._lock:
            try:
                key = (model.fingerprint, path.stat().st_mtime_ns, path.stat().st_size)
            except OSError:
                return None
            if self._compared is None or self._compared.key != key:
                gallery, embedder = Gallery.load(path), recognizer.engine.options.embedder
                fitting = embedder in gallery.embedders and gallery.fingerprint_of(embedder) in (
                    None,
                    recognizer.engine.fingerprint,
                )
                if not gallery.names or not fitting:
                    return None
                self._encoded.clear()
                self._compared = _Compared(key, gallery, embedder, tuple(find_wrong_photos(gallery)))
            return self._compared

    def _photos(
        self, encoding: Encodings, match: Match, compared: _Compared, recognizer: Recognizer
    ) -> dict[str, Any]:
        """Return `nearest` and `blame`."""
        names = compared.gallery.names
        similar = _similarities(encoding, compared, recognizer)
        order = [int(row) for row in np.argsort(-similar, kind="stable") if names[row] != UNKNOWN]
        shown = _choose_rows(order, names)
        suspects = {names[row] for row in shown} | {one.name for one in match.candidates} | {match.name}
        wrong = [one for one in compared.wrong if names[one.row] in suspects]
        blamed = max(wrong, key=lambda one: float(similar[one.row]), default=None)
        rows = {*shown, *(() if blamed is None else (blamed.row,))}
        paths = self._access.enroller.paths
        left = [MAX_ENCODED]
        found = locate_rows(
            *(paths.dataset, compared.gallery, rows, compared.embedder, paths.cache),
            lambda sha256, data: self._encode(sha256, data, recognizer, left),
        )
        nearest = [
            {
                "name": names[row],
                "photo": _file_name(found.get(row)),
                "similarity": round(float(similar[row]), 4),
                "rank": order.index(row) + 1,
            }
            for row in shown
        ]
        if blamed is None:
            return {"nearest": nearest, "blame": None}
        photo = _file_name(found.get(blamed.row))
        why = blamed.explain(names[blamed.row])
        return {"nearest": nearest, "blame": {"name": names[blamed.row], "photo": photo, "why": why}}

    def _encode(self, sha256: str, data: bytes, recognizer: Recognizer, left: list[int]) -> Encodings | None:
        """Encode and cache a photo that is not in the cache, up to a limit."""
        if sha256 in self._encoded or not left[0]:
            return self._encoded.get(sha256)
        left[0] -= 1
        engine = recognizer.engine
        try:
            engine = engine.with_options(replace(engine.options, focus_threshold=0.0))
            encoding = find_one_face(engine, load_image(data)).encoding
        except DataError:
            encoding = None
        if len(self._encoded) < MAX_REMEMBERED:
            self._encoded[sha256] = encoding
        return encoding


def _similarities(encoding: Encodings, compared: _Compared, recognizer: Recognizer) -> Any:
    """Return how similar each enrolled photo is, shape (n,): the cosine, less what all faces share."""
    photos = normalise_encodings(compared.gallery.of(compared.embedder))
    face = normalise_encodings(np.asarray(encoding)[None])[0]
    verifier = None if recognizer.model is None else recognizer.model.verifier
    common = 0.0 if verifier is None else float(face @ verifier.template.mean_face_or_zero)
    return photos @ face - common


def _choose_rows(order: Sequence[int], names: Sequence[str]) -> list[int]:
    """Return the nearest rows, and the nearest of further people, in order."""
    shown = list(order[:NEAREST_PHOTOS])
    people = {names[row] for row in shown}
    for row in order[NEAREST_PHOTOS:]:
        if len(people) >= NEAREST_PEOPLE:
            break
        if names[row] not in people:
            people.add(names[row])
            shown.append(row)
    return shown


def _parts(face: Face) -> dict[str, float | None]:
    parts = wire.quality_parts_as_json(face)
    return {key: None if value is None or math.isnan(value) else value for key, value in parts.items()}


def _file_name(photo: Path | None) -> str | None:
    """Return a file's name as text, with a ? for each byte that is none."""
    return None if photo is None else photo.name.encode("utf-8", "replace").decode()


_WORDS = {
    "score": "a similarity score of {needed:.2f} for {name}, which strangers reach only at the false accept "
    "rate, and it reached {reached:.2f}",
    "proba": "a probability of {needed:.2f} for {name}, and it reached {reached:.2f}",
    "ratio": "to be {needed:g} times as likely {name} as anybody else, and it was {reached:.3g} times",
    "distance": "a distance of at most {needed:.2f} to the mean of {name}'s photos, and it was {reached:.2f}",
}


def _threshold(face: Face, recognizer: Recognizer) -> dict[str, Any] | None:
    """Return what a name requires and what was reached, in numbers and in words; None without a model."""
    model = recognizer.model
    if model is None or face.encoding is None:
        return None
    found = list_requirements(model, face.encoding[None], recognizer.rule, recognizer.negatives)
    if found is None:
        return None
    name, requirements = found
    missed = [one for one in requirements if not one.met]
    told = "; ".join(_in_words(one, name) for one in missed or requirements[:1])
    return {
        "name": name,
        "met": not missed,
        "requirements": [
            {
                "kind": one.kind,
                "reached": round(one.reached, 4),
                "needed": round(one.needed, 4),
                "bound": one.bound,
                "met": one.met,
            }
            for one in requirements
        ],
        "text": f"the face needed {told}",
    }


def _in_words(one: Requirement, name: str) -> str:
    reached = min(one.reached, 1e6)
    return _WORDS[one.kind].format(needed=one.needed, reached=reached, name=name)
