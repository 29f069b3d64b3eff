"""Who is in a video: its frames are followed one by one, and what was seen becomes a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from face_det.embedders import EMBEDDERS, distance_thresholds, embedder_from_fingerprint
from face_det.recognition import Recognizer
from face_det.service.video_people import persons_as_json, video_person_as_json
from face_det.tracking import FaceTracker, Track, TrackedFace, TrackingOptions, VideoPerson, group_tracks
from face_det.video import VideoFrame, VideoInfo


@dataclass(frozen=True, slots=True)
class ScanLimits:
    """How much of a video is looked at; 0 means no limit, and by default everything is.

    Of the first `min_frames` frames each is looked at, then every `each_frame`-th. After `max_frames` it
    ends, or if somebody was seen and nobody in `stop_after_empty_frames` frames in a row. Strangers whose
    best face is narrower or shorter than `min_thumbnail_px` are left out.
    """

    each_frame: int = 1
    min_frames: int = 0
    max_frames: int = 0
    stop_after_empty_frames: int = 0
    min_thumbnail_px: float = 0.0


@dataclass(frozen=True, eq=False, slots=True)
class VideoReport:
    """Who was seen in a video.

    `looked_at` frames were, up to `until_s`, in seconds of the video. `unclear` further tracks show faces
    that were never seen clearly enough to tell whose they are, or that are too small to be reported. `note`
    says in a sentence why not all was looked at, or what is wrong with the video; None if nothing is.
    """

    people: tuple[VideoPerson, ...]
    info: VideoInfo
    unclear: int
    looked_at: int
    until_s: float
    note: str | None


class VideoScan:
    """Follows the faces of one video; give it each frame, then ask for the report. Not thread-safe."""

    def __init__(
        self, recognizer: Callable[[], Recognizer], options: TrackingOptions, limits: ScanLimits
    ) -> None:
        self._recognizer = recognizer
        self._limits = limits
        self._tracker = FaceTracker(recognizer, options)
        self._tracks: list[Track] = []
        self._empty = 0
        self.looked_at = 0
        """How many frames were looked at."""
        self.until_s = 0.0
        """Up to which second of the video."""
        self._seen_somebody = False
        self.enough: str | None = None
        """Why no further frame is wanted, in a sentence; None while one is."""

    def step(self, frame: VideoFrame) -> list[TrackedFace]:
        """Follow the faces into the next frame and return them."""
        faces = self._tracker.step(frame.rgb, frame.time_s)
        self.looked_at += 1
        self.until_s = frame.time_s
        self._seen_somebody = self._seen_somebody or bool(faces)
        self._empty = 0 if faces else self._empty + 1
        limits = self._limits
        if limits.max_frames and self._next_index(frame.index) >= limits.max_frames:
            self.enough = f"only the first {limits.max_frames} frames are looked at"
        elif (
            limits.stop_after_empty_frames
            and self._seen_somebody
            and frame.index >= limits.min_frames
            and self._empty >= limits.stop_after_empty_frames
        ):
            self.enough = f"nobody was seen in {self._empty} frames in a row; the rest is not looked at"
        return faces

    def _next_index(self, index: int) -> int:
        """Return which frame is looked at after this one."""
        limits = self._limits
        if index + 1 < limits.min_frames:
            return index + 1
        return (index // limits.each_frame + 1) * limits.each_frame

    def take_ended(self) -> list[Track]:
        """Return the tracks that ended since the last call; the report is about all of them nevertheless."""
        ended = self._tracker.take_ended()
        self._tracks += ended
        return ended

    def finish(self) -> list[Track]:
        """End all tracks, and return those that `take_ended` has not returned yet."""
        ended = self._tracker.finish()
        self._tracks += ended
        return ended

    def report(self, info: VideoInfo, problem: str | None = None) -> VideoReport:
        """End the tracks and return who was seen; `problem` is what the reader says is wrong."""
        self.finish()
        # The embedder may have been changed meanwhile.
        fingerprint = self._recognizer().engine.fingerprint
        found = [track for track in self._tracks if track.fingerprint in ("", fingerprint)]
        distance = _even_distance(found)
        people = group_tracks(found, distance)
        small = {
            track.number
            for person in people
            if person.name is None and self._is_small(person)
            for track in person.tracks
        }
        if small:
            # Again, because strangers are numbered.
            people = group_tracks([track for track in found if track.number not in small], distance)
        note = "; ".join(said for said in (problem, self.enough) if said) or None
        unclear = len(found) - sum(len(person.tracks) for person in people)
        return VideoReport(tuple(people), info, unclear, self.looked_at, self.until_s, note)

    def _is_small(self, person: VideoPerson) -> bool:
        largest = max(track.best.box.shorter_side for track in person.tracks)
        return largest < self._limits.min_thumbnail_px


def scan_as_json(
    report: VideoReport,
    source: str,
    event_name: str | None = None,
    image_paths: Mapping[str, Sequence[Path]] | None = None,
) -> dict[str, Any]:
    """Return the report for callers: one entry a person, and what Ringface's classifier answers.

    `image_paths` has the files of each person's pictures, by label.
    """
    paths = {label: [str(path) for path in found] for label, found in (image_paths or {}).items()}
    info = report.info
    people = [
        video_person_as_json(
            person,
            person.label,
            person.label if person.name is None else None,
            paths.get(person.label, ()),
        )
        for person in report.people
    ]
    return {
        "videoFile": source,
        "eventName": event_name,
        "width": info.width,
        "height": info.height,
        "fps": info.fps,
        "duration_s": info.duration_s,
        "frames": report.looked_at,
        "until_s": round(report.until_s, 3),
        "unclear": report.unclear,
        "note": report.note,
        "people": people,
        **persons_as_json(people),
    }


def _even_distance(tracks: Sequence[Track]) -> float | None:
    """Return the distance at which two encodings are as likely one person as two, where that is known."""
    if not tracks:
        return None
    embedder = embedder_from_fingerprint(tracks[0].fingerprint)
    known = embedder in EMBEDDERS and EMBEDDERS[embedder].thresholds is not None
    return distance_thresholds(embedder).even_distance if known else None
