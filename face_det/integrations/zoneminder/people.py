"""Who is in an event: combines the answers about its frames into one for each person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from face_det.integrations.zoneminder.notes import STRANGER

Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PersonInEvent:
    """Somebody in an event: `label` is a name or `unknown`, `frame` shows the best picture, at `box`.

    `confidence` (0..1) is the probability of the name; of a stranger, the quality of the best picture.
    """

    label: str
    confidence: float
    frame: int
    box: Mapping[str, float]


@dataclass(slots=True)
class EventPeople:
    """Collects what `follow` answers about the frames of one event.

    A track's last answer covers all of its pictures, so that one counts. Its best picture is the one with the
    highest quality among those that were searched.
    """

    _last: dict[int, Answer] = field(default_factory=dict)
    _best: dict[int, tuple[float, int, Mapping[str, float]]] = field(default_factory=dict)
    best_picture: tuple[int, bytes, Sequence[Answer]] | None = None
    _best_quality: tuple[bool, float] = (False, -1.0)

    def add(self, frame: int, picture: bytes, faces: Sequence[Answer]) -> None:
        """Take the answers about one frame."""
        for face in faces:
            track = face["track"]
            self._last[track] = face
            quality = float(face.get("quality") or 0)
            if track not in self._best or (not face.get("predicted") and quality > self._best[track][0]):
                self._best[track] = (quality, frame, face["faceBox"])
            if not face.get("predicted") and _counts(face):
                rank = (_is_named(face), quality)
                if rank > self._best_quality:
                    self._best_quality, self.best_picture = rank, (frame, picture, list(faces))

    def people(self) -> list[PersonInEvent]:
        """Return everybody once, those with a name first; strangers are one entry for each track."""
        named: dict[str, PersonInEvent] = {}
        strangers = []
        for track, face in self._last.items():
            if not _counts(face):
                continue
            quality, frame, box = self._best[track]
            if not _is_named(face):
                strangers.append(PersonInEvent(STRANGER, quality, frame, box))
                continue
            one = PersonInEvent(face["face"], float(face.get("faceProba") or 0), frame, box)
            before = named.get(one.label)
            if before is None or one.confidence > before.confidence:
                named[one.label] = one
        return [*named.values(), *strangers]


def confidence_by_label(people: Iterable[PersonInEvent]) -> dict[str, float]:
    """Return each label once, with its highest confidence.

    >>> box = {}
    >>> confidence_by_label([PersonInEvent("unknown", 0.5, 1, box), PersonInEvent("unknown", 0.75, 2, box)])
    {'unknown': 0.75}
    """
    found: dict[str, float] = {}
    for one in people:
        found[one.label] = max(one.confidence, found.get(one.label, 0.0))
    return found


def _is_named(face: Answer) -> bool:
    return face.get("face") not in (None, "Unknown")


def _counts(face: Answer) -> bool:
    """Tell whether a face was good enough to be compared with anybody."""
    return face.get("face") is not None or face.get("faceReason") == "unrecognised"
