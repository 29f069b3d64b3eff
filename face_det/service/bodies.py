"""Names people by body and clothes in a detect_faces call, where their faces could not be compared."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from face_det.bodies import BodyEmbedder, BodyRecognizer, fit_bodies, load_bodies
from face_det.boxes import intersection_over_union
from face_det.budget import Budget
from face_det.errors import FaceDetError, ModelError
from face_det.media import crop_box
from face_det.recognition import Recognizer
from face_det.service import wire
from face_det.service.ascii_names import with_ascii_names
from face_det.service.batch import Batch
from face_det.types import Box, Encodings, Match, Reason, Rgb

log = logging.getLogger(__name__)

MIN_WIDTH_PX, MIN_HEIGHT_PX = 24, 48
"""Of a smaller person, hardly any colours are left."""
NOT_COMPARED = (Reason.TOO_SMALL, Reason.TOO_BLURRY)
"""Why a face that was found was compared with nobody."""

MAX_HIDDEN_PART = 0.3
"""Of a person whose box shares more than this with another person's, the clothes may be the other's."""
SAME_PERSON_IOU = 0.6
"""Two boxes with a higher intersection over union are one person, detected twice."""

Place = tuple[int, int]
"""An image of the call, and a label of it."""


class Bodies:
    """What the daemon knows of bodies. Thread-safe: each call reads the recognizer once."""

    def __init__(self, embedder: BodyEmbedder, path: Path, rate: float) -> None:
        """Use the encodings in the file at `path`; without them nobody is named, and the log says why."""
        self._embedder, self._path, self._rate = embedder, path, rate
        self._recognizer: BodyRecognizer | None = None
        self._problem: str | None = None
        self.reload()

    def reload(self) -> None:
        """Read the file again."""
        self._recognizer, self._problem = None, None
        try:
            found = fit_bodies(load_bodies(self._path, self._embedder.fingerprint), self._rate)
        except FaceDetError as error:
            self._problem = str(error)
        else:
            self._recognizer = found
            if not found.names_people:
                self._problem = explain_silence(found)
        if self._problem is not None:
            log.warning("nobody is named by the body: %s", self._problem)

    def begin(self, requests: Sequence[wire.ImageRequest]) -> CallBodies:
        """Begin with a call."""
        return CallBodies(self._embedder, self._recognizer, [request.path for request in requests])

    def status(self) -> dict[str, Any]:
        """Return what `status` says of bodies."""
        found = self._recognizer
        people = found.model.labels if found is not None and found.names_people and found.model else ()
        return {
            "embedder": self._embedder.fingerprint,
            "people": list(people),
            "problem": self._problem,
        }


def explain_silence(found: BodyRecognizer) -> str:
    """Say why a recognizer names nobody."""
    rate = found.calibration
    if found.model is None:
        return "nobody has two visits to learn from"
    return (
        f"it takes {rate.needed} visits of strangers to show a rate of {rate.rate:g}, got {rate.strangers}; "
        "add some to Unknown, or set a higher body.falseAcceptRate"
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    path: str
    box: Box
    prepared: Rgb


class CallBodies:
    """The bodies in one call. Of each only what its embedder reads is kept."""

    def __init__(
        self, embedder: BodyEmbedder, recognizer: BodyRecognizer | None, paths: Sequence[str]
    ) -> None:
        """`paths` are those of the call's images."""
        self._embedder, self._paths = embedder, paths
        self._recognizer = recognizer if recognizer is not None and recognizer.names_people else None
        self._boxes: dict[str, set[Box]] = {}
        self._seen: dict[Place, _Seen] = {}
        self._named: dict[Place, Match] = {}

    def keep(self, place: Place, path: str, rgb: Rgb, box: Box) -> None:
        """Keep a person of a picture, until it is known whether they have a face."""
        if self._recognizer is None:
            return
        self._boxes.setdefault(path, set()).add(box)
        part = crop_box(rgb, box)
        if part is not None and part.shape[0] >= MIN_HEIGHT_PX and part.shape[1] >= MIN_WIDTH_PX:
            self._seen[place] = _Seen(path, box, self._embedder.prepare(part))

    def decide(
        self, answers: Mapping[Place, wire.PersonAnswer], recognizer: Recognizer, budget: Budget
    ) -> None:
        """Decide who is named by the body, by the answers about faces.

        A body speaks only if no face in the person's box was compared with anybody, and nobody else hides
        much of it. It never gives a name that a face, or another body, has in the same picture, and only
        those of people whom `recognizer` knows by their faces.
        """
        if self._recognizer is None or recognizer.model is None:
            return
        asked: list[Place] = []
        rows: list[Encodings] = []
        for place, seen in self._seen.items():
            if may_speak(answers[place]) and not self._is_hidden(seen) and not budget.over:
                if rows:
                    budget.give_way()
                try:
                    rows.append(self._embedder.encode([seen.prepared])[0])
                except ModelError as error:
                    # The faces of the call are answered all the same.
                    log.error("nobody is named by the body: %s", error)
                    return
                asked.append(place)
        if not rows:
            return
        frames, boxes = zip(*((self._seen[at].path, self._seen[at].box) for at in asked), strict=True)
        matches = self._recognizer.match(np.array(rows), frames, boxes, recognizer.model.labels)
        faces = {
            (self._paths[at[0]], match.name) for at, answer in answers.items() for _, match in answer.faces
        }
        self._named = {
            place: match
            for place, frame, match in zip(asked, frames, matches, strict=True)
            if match.name is not None and (frame, match.name) not in faces
        }

    def add_to(self, batch: Batch, *, ascii_names: bool) -> int:
        """Add to the answers who was named by the body, and by what everybody was; return how many."""
        shown = {at: with_ascii_names(one) if ascii_names else one for at, one in self._named.items()}
        batch.add_bodies(shown)
        return len(shown)

    def _is_hidden(self, seen: _Seen) -> bool:
        return any(
            intersection_over_union(seen.box, other) < SAME_PERSON_IOU
            and _shared_part(seen.box, other) > MAX_HIDDEN_PART
            for other in self._boxes[seen.path] - {seen.box}
        )


def _shared_part(one: Box, other: Box) -> float:
    """Return the part of a box that another one covers, 0..1."""
    width = min(one.xmax, other.xmax) - max(one.xmin, other.xmin)
    height = min(one.ymax, other.ymax) - max(one.ymin, other.ymin)
    return max(0.0, width) * max(0.0, height) / max(one.width * one.height, 1.0)


def may_speak(answer: wire.PersonAnswer) -> bool:
    """Tell whether nothing is known of a person's face: none is there, or none could be compared.

    >>> may_speak(wire.PersonAnswer()), may_speak(wire.PersonAnswer(reason=Reason.BAD_IMAGE))
    (True, False)
    """
    known = answer.partial or answer.reason not in (None, Reason.NO_FACE)
    return not known and all(match.reason in NOT_COMPARED for _, match in answer.faces)
