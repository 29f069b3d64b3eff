"""Who is in a video? Its faces are followed, and each person is answered once."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from face_det.budget import Budget
from face_det.errors import FaceDetError
from face_det.service import wire
from face_det.service.access import Access
from face_det.service.best_frames import BestFrames, Moment, no_picture
from face_det.service.memory import THUMBNAIL_PX, Memory
from face_det.service.scanning import ScanLimits, VideoReport, VideoScan
from face_det.service.video_arguments import VideoOptions, open_source, parse_video_options
from face_det.service.video_people import persons_as_json, video_person_as_json
from face_det.sightings import unknown_id
from face_det.tracking import TrackingOptions
from face_det.video import VideoFrame, VideoReader, open_video

log = logging.getLogger(__name__)

STOPPED = "the daemon is stopping"


@dataclass(frozen=True, slots=True)
class VideoLimits:
    """Which videos callers may name, and how large frames may be."""

    mount_point: str = ""
    roots: tuple[Path, ...] = ()
    max_pixels: int = 100_000_000


class Videos:
    """Answers `recognize_video`. Thread-safe."""

    def __init__(self, access: Access, limits: VideoLimits) -> None:
        self._access = access
        self._limits = limits

    def recognize_video(
        self,
        video: object,
        options: object = None,
        notes: dict[str, Any] | None = None,
        caller: str = "",
        budget: Callable[[float], Budget] = Budget,
    ) -> dict[str, Any]:
        """Return the people in a video, a path or the bytes of a file, in the order in which they appear.

        `budget` makes the budget of a call that may take so many seconds; other calls may run between two
        frames. If it is over before the video is, the answer says so as `partial`. Raises BadRequest, and
        VideoError if not even one frame can be read.
        """
        source, asked = wire.require_picture(video, "path"), parse_video_options(options)
        limits, place = self._limits, source if isinstance(source, str) else "bytes"
        with (
            open_source(source, mount_point=limits.mount_point, roots=limits.roots) as (path, changed),
            open_video(
                path, every=asked.every, dense=asked.dense, max_pixels=limits.max_pixels, place=place
            ) as reader,
        ):
            length_s = reader.info.duration_s or 0.0
            began = asked.time
            if began is None:
                began = time.time() if changed is None else max(changed - length_s, 0.0)
            looking = _Looking(self._access, asked, place, caller, began)
            report = looking.run(reader, budget(asked.limit_s))
        people = looking.people(report)
        if notes is not None:
            notes.update(frames=report.looked_at, people=len(people), partial=report.note is not None)
        return {
            "videoFile": place,
            "eventName": asked.event,
            "durationS": report.info.duration_s,
            "frames": report.looked_at,
            "people": people,
            **persons_as_json(people),
            "partial": report.note,
        }


class _Looking:
    """One call: a video being looked at."""

    def __init__(self, access: Access, asked: VideoOptions, place: str, caller: str, began: float) -> None:
        self._access, self._asked, self._place, self._caller = access, asked, place, caller
        self._began = began
        self._recognizer = access.recognizer()
        options = TrackingOptions(thumbnail_px=THUMBNAIL_PX)
        if asked.from_px is not None:
            options = TrackingOptions(thumbnail_px=THUMBNAIL_PX, search_from_px=asked.from_px)
        limits = ScanLimits(
            each_frame=asked.every,
            min_frames=asked.dense,
            max_frames=asked.max_frames or 0,
            stop_after_empty_frames=asked.empty_frames or 0,
        )
        self._scan = VideoScan(lambda: self._recognizer, options, limits)
        self._best = BestFrames(lambda: self._access.memory, listed=True, live=False)

    def run(self, reader: VideoReader, budget: Budget) -> VideoReport:
        """Follow the faces through the video, or as far as time allows; return who was seen."""
        problem = None
        for frame in reader:
            self._look(frame)
            if self._scan.enough is not None:
                break
            budget.give_way()
            if budget.over:
                why = _why_over(budget, self._asked)
                problem = f"only the first {self._scan.until_s:.1f} s were looked at: {why}"
                break
        else:
            problem = reader.problem
        self._best.end(self._scan.finish())
        return self._scan.report(reader.info, problem)

    def people(self, report: VideoReport) -> list[dict[str, Any]]:
        """Return the people, each once, with the numbers that strangers have in the store."""
        memory = self._access.memory
        numbers = {} if memory is None or not self._asked.remember else self._numbers(memory)
        strangers = "unknown" if memory is None else "stranger"
        answers: list[dict[str, Any]] = []
        for one in report.people:
            ids = Counter(numbers[track.number] for track in one.tracks if track.number in numbers)
            unknown = unknown_id(ids.most_common(1)[0][0]) if ids and one.name is None else None
            # Only the store calls somebody unknown-3: another number would be somebody else's.
            nth = 1 + sum(1 for answer in answers if answer["name"] is None and answer["unknown"] is None)
            label = one.name or unknown or f"{strangers}-{nth}"
            answers.append(video_person_as_json(one, label, unknown))
        return _join_unknowns(answers)

    def _look(self, frame: VideoFrame) -> None:
        self._recognizer = self._access.recognizer()
        tracked = self._scan.step(frame)
        self._best.end(self._scan.take_ended())
        moment = Moment(
            self._began + frame.time_s,
            self._asked.camera,
            self._caller,
            f"{self._place}#t={frame.time_s:.2f}",
            self._recognizer.engine.fingerprint,
            no_picture,
            self._asked.remember,
        )
        self._best.add(tracked, moment)

    def _numbers(self, memory: Memory) -> Mapping[int, int]:
        """Return the numbers that unknown people have in the store, by track."""
        try:
            return memory.unknowns_at(self._best.remembered, self._caller)
        except FaceDetError as error:
            log.error("the people of a video have no numbers: %s", error)
            return {}


def _join_unknowns(people: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join those whom the store takes for one person: it has seen them elsewhere as well.

    >>> best = {"quality": 0.5}
    >>> twice = {"label": "unknown-3", "name": None, "unknown": "unknown-3", "frames": 2, "best": best}
    >>> one, other = {"first_s": 1, "last_s": 2}, {"first_s": 5, "last_s": 9}
    >>> joined = _join_unknowns([{**twice, **when, "tracks": [when]} for when in (one, other)])
    >>> [(one["first_s"], one["last_s"], one["frames"]) for one in joined]
    [(1, 9, 4)]
    """
    joined: dict[str, dict[str, Any]] = {}
    for one in people:
        before = joined.get(one["label"])
        if before is None:
            joined[one["label"]] = one
            continue
        better = max(before, one, key=lambda each: each["best"]["quality"] or 0.0)
        joined[one["label"]] = {
            **before,
            "first_s": min(before["first_s"], one["first_s"]),
            "last_s": max(before["last_s"], one["last_s"]),
            "frames": before["frames"] + one["frames"],
            "tracks": sorted(before["tracks"] + one["tracks"], key=lambda track: track["first_s"]),
            "best": better["best"],
        }
    return [*joined.values()]


def _why_over(budget: Budget, asked: VideoOptions) -> str:
    return STOPPED if budget.cancelled else f"the call took {asked.limit_s:g} s (timeLimit)"
