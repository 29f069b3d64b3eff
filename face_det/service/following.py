"""Follows the faces of live cameras: a tracker for each, so that a face has one answer while it is seen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from face_det.media import LoadedImage, make_thumbnail
from face_det.recognition import Recognizer
from face_det.service import wire
from face_det.service.access import Access
from face_det.service.best_frames import BestFrames, Moment
from face_det.service.explanation import explain_faces
from face_det.service.memory import PICTURE_PX, THUMBNAIL_PX, Memory, WholePicture
from face_det.service.sighting_arguments import StreamKey, require_follow_options, stream_key
from face_det.tracking import FaceTracker, TrackedFace, TrackingOptions
from face_det.types import Face, Match

Count = Callable[[Sequence[Match], Mapping[str, int]], dict[str, int]]

IDLE_S = 30.0
"""A stream of which no picture has come for so long has ended."""
MAX_STREAMS = 128
MAX_STREAMS_PER_CALLER = 64
"""The most streams that are followed at once; beyond them, the one that has been idle for longest ends."""


@dataclass(eq=False, slots=True)
class _Stream:
    """A stream of pictures, its tracker and what it remembers; `lock` is held while one is followed."""

    options: TrackingOptions
    tracker: FaceTracker
    best: BestFrames
    recognizer: Recognizer
    touched: float
    lock: threading.Lock = field(default_factory=threading.Lock)
    known: dict[int, Face] = field(default_factory=dict)
    """What is known of each face that is seen."""
    ended: bool = False

    def end(self) -> None:
        """End all tracks, and remember those that were not yet."""
        with self.lock:
            if not self.ended:
                self.ended = True
                self.best.end(self.tracker.finish())


class Following:
    """Answers `follow`. Thread-safe; pictures of one stream are followed one after the other."""

    def __init__(self, access: Access, count: Count, clock: Callable[[], float] = time.monotonic) -> None:
        """`count` counts answers for `status`, and returns how many of each kind there are."""
        self._access, self._count = access, count
        self._clock = clock
        self._streams: dict[StreamKey, _Stream] = {}
        self._changing = threading.Lock()

    def use(self, access: Access, count: Count) -> None:
        """Go on with the parts of a service that replaces the one before: faces keep their tracks."""
        self._access, self._count = access, count

    def follow(
        self,
        image: object,
        options: object = None,
        notes: dict[str, Any] | None = None,
        caller: str = "",
    ) -> list[dict[str, Any]]:
        """Return the faces in the next picture of a camera, each with its `track` and `trackFrames`.

        The answer about a face is that of its track, from all pictures so far. Where it was not searched for
        this time, it is `predicted`. Raises BadRequest, and BadImage if the picture cannot be read.
        """
        given = require_follow_options(options)
        source = wire.require_picture(image)
        start = time.perf_counter()
        access = self._access
        loaded = access.load(source)
        frame = given.get("frame") or (source if isinstance(source, str) else None)
        while True:
            stream = self._stream_of(given, caller, access)
            with stream.lock:
                if not stream.ended:
                    moment = _moment(given, frame, caller, loaded, access)
                    # Without a time of its own, a picture counts as taken now, by a clock that nobody sets.
                    at_s = self._clock() if given.get("time") is None else moment.time
                    tracked = _step(stream, loaded, moment, access.recognizer(), at_s)
                    known = [stream.known[one.track] for one in tracked]
                    break
        matches = [one.match for one in tracked]
        outcomes = self._count(matches, {})
        told = explain_faces(known, matches, stream.recognizer.engine.options)
        if notes is not None:
            took_ms = round((time.perf_counter() - start) * 1000, 1)
            notes.update(faces=len(tracked), **outcomes, compute_ms=took_ms)
        return [
            {
                **wire.face_as_json(face, match, partial=loaded.partial),
                **wire.measures_as_json(face),
                "track": one.track,
                "trackFrames": one.frames,
                **({"predicted": True} if one.face is None else {}),
            }
            for one, face, match in zip(tracked, known, told, strict=True)
        ]

    @property
    def streams(self) -> int:
        """How many streams are followed."""
        return len(self._streams)

    def end_idle(self, idle_s: float = IDLE_S) -> int:
        """End the streams of which no picture has come for so long; return how many there were."""
        now = self._clock()
        with self._changing:
            over = [key for key, one in self._streams.items() if now - one.touched > idle_s]
            ended = [self._streams.pop(key) for key in over]
        for stream in ended:
            stream.end()
        return len(ended)

    def end_all(self) -> None:
        """End all streams: the daemon stops."""
        self.end_idle(-1.0)

    def _stream_of(self, given: Mapping[str, Any], caller: str, access: Access) -> _Stream:
        """Return the stream that a picture belongs to, perhaps a new one."""
        key, wanted = stream_key(given, caller), _tracking_options(given, access)
        with self._changing:
            stream = self._streams.pop(key, None)
            replaced = None
            if stream is None or stream.options != wanted:
                stream, replaced = self._begin(wanted, access.recognizer()), stream
            # The one that was touched last stands at the end.
            self._streams[key] = stream
            stream.touched = self._clock()
            others = [one for one in self._streams if one.caller == caller]
            many = others[:-MAX_STREAMS_PER_CALLER] or list(self._streams)[:-MAX_STREAMS]
            ended = [self._streams.pop(one) for one in many]
        for one in (*ended, *([] if replaced is None else [replaced])):
            one.end()
        return stream

    def _begin(self, options: TrackingOptions, recognizer: Recognizer) -> _Stream:
        made: list[_Stream] = []
        tracker = FaceTracker(lambda: made[0].recognizer, options)
        best = BestFrames(lambda: self._access.memory)
        made.append(_Stream(options, tracker, best, recognizer, self._clock()))
        return made[0]


def _step(
    stream: _Stream, loaded: LoadedImage, moment: Moment, recognizer: Recognizer, at_s: float
) -> list[TrackedFace]:
    """Follow the faces into a picture, and remember what is worth it."""
    # One for the tracker and for what is remembered, whatever the service switches to meanwhile.
    stream.recognizer = recognizer
    tracked = stream.tracker.step(loaded.rgb, at_s)
    stream.best.end(stream.tracker.take_ended())
    stream.best.add(tracked, replace(moment, fingerprint=recognizer.engine.fingerprint))
    stream.known = {one.track: _known(one, stream.known.get(one.track)) for one in tracked}
    return tracked


def _known(one: TrackedFace, before: Face | None) -> Face:
    """Return what is known of a face: where it is now, and what was measured of it last.

    Its quality is that of the last time it was encoded, when more is known.
    """
    face = one.face
    if face is None:
        face = before or Face(one.box, 0.0, 0.0, one.match.reason, None)
    elif face.encoding is None and before is not None and before.encoding is not None:
        face = replace(before, score=face.score, focus=face.focus, reason=face.reason)
    return replace(face, box=one.box)


def _tracking_options(given: Mapping[str, Any], access: Access) -> TrackingOptions:
    options = TrackingOptions(thumbnail_px=0 if access.memory is None else THUMBNAIL_PX)
    from_px = given.get("searchFromPx")
    return options if not from_px else replace(options, search_from_px=float(from_px))


def _moment(
    given: Mapping[str, Any], frame: str | None, caller: str, loaded: LoadedImage, access: Access
) -> Moment:
    asked = given.get("time")
    return Moment(
        time.time() if asked is None else float(asked),
        given.get("camera") or None,
        caller,
        frame,
        "",
        lambda: whole_picture(loaded, access.memory),
        given.get("remember", True),
    )


def whole_picture(loaded: LoadedImage, memory: Memory | None) -> WholePicture | None:
    """Return a copy of a picture to remember, if such are kept."""
    if memory is None or not memory.store.options.frames:
        return None
    height, width = loaded.rgb.shape[:2]
    return WholePicture(make_thumbnail(loaded.rgb, PICTURE_PX), (width, height))
