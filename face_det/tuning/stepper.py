"""What the page asks for: one frame after the other, by these or those parameters, and what to save."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from face_det.errors import BadImage, DataError
from face_det.media import crop_box, encode_jpeg
from face_det.service import box_as_json
from face_det.tuning.answers import FrameAnswer, LabelAnswer, answer_frame
from face_det.tuning.frames import MalformedRecord, PictureFiles, RecordedFrame
from face_det.tuning.parameters import TunedServices, TuningParameters
from face_det.tuning.saving import FrameFolder
from face_det.types import Box, Rgb

Enrol = Callable[[str, bytes, "Box | None"], dict[str, Any]]
"""Takes (name, picture file, the box of the face that is meant) and learns it, through enrolment's checks."""


class FrameStepper:
    """The frames of one visit. Several threads may ask."""

    def __init__(
        self,
        records: Iterable[RecordedFrame | MalformedRecord],
        services: TunedServices,
        files: PictureFiles,
        folder: FrameFolder,
        enrol: Enrol,
    ) -> None:
        """Read all records now; their pictures are read when they are looked at."""
        found = list(records)
        self.frames = [one for one in found if isinstance(one, RecordedFrame)]
        self.malformed = [one for one in found if isinstance(one, MalformedRecord)]
        self.saved: list[Path] = []
        self.enrolled = 0
        self._services, self._files, self._folder, self._enrol = services, files, folder, enrol
        self._latest: tuple[RecordedFrame, TuningParameters, FrameAnswer] | None = None
        self._answering = threading.Lock()

    def show(self, index: int, parameters: TuningParameters, step: int = 0) -> dict[str, Any]:
        """Return a frame as JSON: its place, its picture's size, and the answers about it.

        Frames whose picture is gone are passed over in the direction of `step` (1 or -1) and counted in
        `skipped`; where no frame is left in that direction, `index` is null. A picture that cannot be read is
        shown as a `problem`.
        """
        at, skipped = index, 0
        while 0 <= at < len(self.frames) and self._files.is_gone(self.frames[at]):
            at, skipped = at + (step or 1), skipped + 1
        place = {"count": len(self.frames), "skipped": skipped, "malformed": len(self.malformed)}
        if not 0 <= at < len(self.frames):
            return {"index": None, **place}
        frame = self.frames[at]
        shown = {"index": at, **place, "id": frame.id, "image": frame.picture}
        try:
            height, width = self._files.load(frame).rgb.shape[:2]
            answered = self._answer(frame, parameters)
        except BadImage as error:
            return {**shown, "problem": str(error), "labels": []}
        labels = [_as_json(label) for label in answered.labels]
        return {**shown, "size": {"width": width, "height": height}, "labels": labels}

    def picture(self, index: int) -> bytes:
        """Return the picture of a frame as a JPEG, upright; raise BadImage or DataError."""
        return encode_jpeg(self._load(self._frame(index)))

    def save(self, index: int, what: str, parameters: TuningParameters) -> list[Path]:
        """Save a frame's `picture` with JSON, its `objects`, or a copy with `voc` annotations."""
        frame = self._frame(index)
        rgb, answered = self._load(frame), self._answer(frame, parameters)
        if what == "picture":
            saved = self._folder.save_picture(answered, rgb, parameters.as_config())
        elif what == "objects":
            saved = self._folder.save_objects(answered, rgb)
        elif what == "voc":
            saved = self._folder.save_voc(answered, rgb)
        else:
            raise DataError(f"what: must be picture, objects or voc, got {what!r:.60}")
        self.saved += saved
        return saved

    def enrol(self, index: int, label: int, name: str, parameters: TuningParameters) -> dict[str, Any]:
        """Enrol whoever a label shows under `name`, if enrolment's checks accept the picture.

        The face that was found is meant; if none was, whichever enrolment finds in the person's box.
        """
        frame = self._frame(index)
        answered = self._answer(frame, parameters)
        if not 0 <= label < len(answered.labels):
            raise DataError(f"label: must be from 0 to {len(answered.labels) - 1}, got {label}")
        chosen = answered.labels[label]
        if "faceBox" in chosen.answer:
            enrolled = self._enrol(name, self._files.read(frame), Box(**chosen.answer["faceBox"]))
        else:
            part = None if chosen.box is None else crop_box(self._load(frame), chosen.box)
            if part is None:
                raise DataError(f"{frame.id}: must show the person to enrol, got a box outside the picture")
            enrolled = self._enrol(name, encode_jpeg(part), None)
        self.enrolled += 1
        self._latest = None
        self._services.forget()
        return enrolled

    def _frame(self, index: int) -> RecordedFrame:
        if not 0 <= index < len(self.frames):
            raise DataError(f"index: must be from 0 to {len(self.frames) - 1}, got {index}")
        return self.frames[index]

    def _load(self, frame: RecordedFrame) -> Rgb:
        return self._files.load(frame).rgb

    def _answer(self, frame: RecordedFrame, parameters: TuningParameters) -> FrameAnswer:
        """Answer a frame, or return the same answer as just before."""
        with self._answering:
            if self._latest is None or self._latest[:2] != (frame, parameters):
                answered = answer_frame(self._services.of(parameters), frame, self._files)
                self._latest = frame, parameters, answered
            return self._latest[2]


def _as_json(label: LabelAnswer) -> dict[str, Any]:
    """Return what the page draws: the answer, the box to draw, and the stored answer if it differs."""
    box = label.box
    edges = {} if box is None else box_as_json(box)
    stored = None
    if label.stored is not None:
        stored = {"face": label.stored.face, "judged": label.stored.judged}
    return {"faceBox": edges, **label.answer, "box": edges, "stored": stored, "differs": label.differs}
