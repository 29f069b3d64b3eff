"""What the recogniser answers about a frame now, beside what was stored."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from face_det.boxes import intersection_over_union
from face_det.service import Service, box_as_json
from face_det.tuning.frames import PERSON, PictureFiles, RecordedFrame, StoredLabel
from face_det.types import Box, Reason

SAME_FACE_IOU = 0.3
"""From this overlap on, a face that is found now is the one that was stored."""

Answer = dict[str, Any]
"""The keys that detect_faces and recognize answer: face, faceProba, faceReason, faceBox, ..."""


@dataclass(frozen=True, slots=True)
class LabelAnswer:
    """A label and the answer about it now. Without `stored`, it is a face that was not stored."""

    stored: StoredLabel | None
    answer: Answer

    @property
    def face(self) -> str | None:
        """The name that it would get now."""
        name: str | None = self.answer["face"]
        return name

    @property
    def is_unseen(self) -> bool:
        """True if the picture could not be looked at."""
        return self.answer.get("faceReason") == Reason.BAD_IMAGE.value

    @property
    def is_compared(self) -> bool:
        """True if there is a stored answer, and the picture could be looked at."""
        return self.stored is not None and self.stored.judged and not self.is_unseen

    @property
    def differs(self) -> bool:
        """True if the stored answer is another one."""
        return self.is_compared and self.stored is not None and self.stored.face != self.face

    @property
    def box(self) -> Box | None:
        """The object's box or, if nothing was stored, the face's."""
        if self.stored is not None:
            return self.stored.box
        return Box(**self.answer["faceBox"]) if "faceBox" in self.answer else None


@dataclass(frozen=True, slots=True)
class FrameAnswer:
    """The answers about a frame's people, and its other objects, which are not looked at."""

    frame: RecordedFrame
    labels: tuple[LabelAnswer, ...]
    others: tuple[StoredLabel, ...] = ()


def answer_frame(service: Service, frame: RecordedFrame, files: PictureFiles) -> FrameAnswer:
    """Ask about a frame what the alarm uploader asks: whose face is in each person's box?

    Where no person was stored, the whole picture is searched for faces; those that were stored are found
    again by their boxes. A picture that is damaged is answered `bad_image` for each person in it; one without
    people raises BadImage.
    """
    people = [label for label in frame.labels if label.name == PERSON and not label.is_face]
    others = tuple(label for label in frame.labels if label.name != PERSON and not label.is_face)
    if people:
        request = {"image": frame.picture, "labels": [_as_request(label) for label in people]}
        ((answered,),) = [json.loads(service.detect_faces([request]))]
        pairs = zip(people, answered["labels"], strict=True)
        return FrameAnswer(
            frame, tuple(LabelAnswer(label, _answer_keys(one)) for label, one in pairs), others
        )
    if others:
        return FrameAnswer(frame, (), others)
    return FrameAnswer(frame, _pair(frame.labels, service.recognize(files.read(frame))))


def _as_request(label: StoredLabel) -> dict[str, Any]:
    return {"name": PERSON, "box": box_as_json(label.box)}


def _answer_keys(label: Answer) -> Answer:
    return {key: value for key, value in label.items() if key not in ("name", "box", "faces")}


def _pair(stored: tuple[StoredLabel, ...], faces: list[Answer]) -> tuple[LabelAnswer, ...]:
    """Give each stored face the one that covers it best now; what is left was not stored."""
    left, paired = list(faces), []
    for label in stored:
        best = max(
            left, key=lambda face: intersection_over_union(label.box, Box(**face["faceBox"])), default=None
        )
        if best is not None and intersection_over_union(label.box, Box(**best["faceBox"])) >= SAME_FACE_IOU:
            left.remove(best)
            paired.append(LabelAnswer(label, best))
        else:
            paired.append(LabelAnswer(label, {"face": None, "faceReason": Reason.NO_FACE.value}))
    return (*paired, *(LabelAnswer(None, face) for face in left))
