"""Counts what would change in all frames: how many labels would get another answer, and whose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from face_det.errors import BadImage
from face_det.service import Service
from face_det.tuning.answers import FrameAnswer, answer_frame
from face_det.tuning.frames import MalformedRecord, PictureFiles, RecordedFrame
from face_det.types import UNKNOWN

MOST_LISTED = 1000
"""How many records and pictures are listed; all are counted."""


@dataclass(frozen=True, slots=True)
class PersonChange:
    """What would become of the labels that have, or would have, one person's name.

    `stored` and `new` count them; `kept` is how many have it in both, `lost` how many would have no name, and
    `taken` how many would have another one.
    """

    name: str
    stored: int
    new: int
    kept: int
    lost: int
    taken: int


@dataclass(slots=True)
class ChangeReport:
    """Counts answers; `answers` counts labels by (stored name, new name), either None for nobody's."""

    frames: int = 0
    answers: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    unjudged: Counter[str | None] = field(default_factory=Counter)
    """New names of faces without a stored answer."""
    gone: int = 0
    unreadable: int = 0
    malformed: int = 0
    details: list[dict[str, str]] = field(default_factory=list)
    complete: bool = True

    def run(
        self,
        records: Iterable[RecordedFrame | MalformedRecord],
        service: Service,
        files: PictureFiles,
        on_frame: Callable[[int], None] = lambda done: None,
    ) -> None:
        """Answer each frame and count it; frames whose picture is gone or damaged are counted apart."""
        for record in records:
            if isinstance(record, MalformedRecord):
                self.malformed += 1
                self._note(record.id, "malformed", record.why)
            elif files.is_gone(record):
                self.gone += 1
                self._note(record.id, "gone", f"{record.picture}: file not found")
            else:
                self._add_frame(record, service, files)
            on_frame(self.frames)

    def _add_frame(self, frame: RecordedFrame, service: Service, files: PictureFiles) -> None:
        try:
            answered = answer_frame(service, frame, files)
            if answered.labels and all(label.is_unseen for label in answered.labels):
                files.load(frame)  # says why
        except BadImage as error:
            self.unreadable += 1
            self._note(frame.id, "unreadable", str(error))
            return
        self.add(answered)

    def add(self, answered: FrameAnswer) -> None:
        """Count one frame's answers.

        >>> report = ChangeReport()
        >>> report.add(FrameAnswer(RecordedFrame("1", "/a.jpg"), ()))
        >>> report.frames, report.changed
        (1, 0)
        """
        self.frames += 1
        for label in answered.labels:
            if label.answer.get("faceReason"):
                self.reasons[label.answer["faceReason"]] += 1
            if label.is_compared and label.stored is not None:
                self.answers[label.stored.face, label.face] += 1
            elif not label.is_unseen:
                self.unjudged[label.face] += 1

    def _note(self, identifier: str, what: str, why: str) -> None:
        if len(self.details) < MOST_LISTED:
            self.details.append({"_id": identifier, "what": what, "why": why})

    @property
    def labels(self) -> int:
        """How many labels have a stored answer to compare with."""
        return self.answers.total()

    @property
    def changed(self) -> int:
        """How many of them would get another answer."""
        return sum(count for (stored, new), count in self.answers.items() if stored != new)

    def people(self) -> list[PersonChange]:
        """Return what would become of each person's labels, by name."""
        names = {name for pair in self.answers for name in pair if name not in (None, UNKNOWN)}
        return [self._person(str(name)) for name in sorted(names, key=str)]

    def _person(self, name: str) -> PersonChange:
        counts = self.answers
        stored = sum(count for (before, _), count in counts.items() if before == name)
        lost = sum(counts[name, nobody] for nobody in (None, UNKNOWN))
        kept = counts[name, name]
        new = sum(count for (_, after), count in counts.items() if after == name)
        return PersonChange(name, stored, new, kept, lost, stored - kept - lost)

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values; null stands for nobody's name."""
        rows = sorted(self.answers.items(), key=lambda row: (row[0][0] == row[0][1], -row[1], str(row[0])))
        return {
            "frames": self.frames,
            "labels": self.labels,
            "changed": self.changed,
            "answers": [{"stored": one, "new": other, "labels": n} for (one, other), n in rows],
            "people": [
                {key: getattr(person, key) for key in ("name", "stored", "new", "kept", "lost", "taken")}
                for person in self.people()
            ],
            "withoutStoredAnswer": [
                {"new": name, "labels": n} for name, n in sorted(self.unjudged.items(), key=str)
            ],
            "reasons": dict(sorted(self.reasons.items())),
            "gone": self.gone,
            "unreadable": self.unreadable,
            "malformed": self.malformed,
            "skipped": self.details,
            "complete": self.complete,
        }
