"""Looks at the pictures of one event of Frigate, and keeps its sub label up to date."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential

from face_det.errors import BadImage, Busy, SightingsOff, UnknownEvent
from face_det.integrations.daemon import Daemon
from face_det.integrations.frigate.event import FrigateEvent
from face_det.integrations.frigate.people import PersonTracks
from face_det.integrations.frigate.pictures import PersonPicture, isolate_person, share_at, shows_whole_frame
from face_det.integrations.frigate.server import FrigateServer
from face_det.media import names_somebody
from face_det.types import Box

log = logging.getLogger(__name__)

BUSY_PATIENCE_S = 60.0
SILENCE_S = 60.0
"""If Frigate has not mentioned an event for so long, it is asked whether the event goes on."""
RECORDED_S = 15.0
"""How long after the end of an event its recordings can be read."""
RECORDED_PICTURES = 8
MAX_PAGE = 500
"""How many sightings are requested at a time."""


@dataclass(frozen=True, slots=True)
class FollowOptions:
    """How events are looked at: a new frame every so many seconds, at most so many frames of an event.

    With `overwrite`, a sub label that somebody else set is replaced.
    """

    every_s: float = 1.0
    max_pictures: int = 40
    overwrite: bool = False


class EventFollower:
    """Follows one event until it has ended. Call `tell` with each update of the event.

    All its pictures are one stream of `follow`, so the daemon fuses the faces into one answer and remembers
    the person once. The stream's name is the event's, so a restart of this program goes on with it.
    """

    def __init__(
        self,
        daemon: Daemon,
        server: FrigateServer,
        options: FollowOptions,
        event: FrigateEvent,
        turns: asyncio.Semaphore,
    ) -> None:
        """`turns` is shared by all that look at live events, each a picture at a time."""
        self.event = event
        self._daemon = daemon
        self._server = server
        self._options = options
        self._turns = turns
        self._told = asyncio.Event()
        self._people = PersonTracks()
        self._snapshot_time: float | None = None
        self._last_time = 0.0
        self._looked = -math.inf
        self._count = 0
        self._remember = True
        self._label = ""
        self._kept: str | None = None
        # The names that were seen in this event before this program was started: it may have set one of them.
        self._earlier: set[str] = set()

    def tell(self, event: FrigateEvent) -> None:
        """Take an update of the event from Frigate."""
        self.event = event
        self._told.set()

    async def run(self) -> None:
        """Look at pictures until the event has ended and its sub label is set.

        Raises UnknownEvent if it was deleted, PortalFailed, and the daemon's errors.
        """
        await self._recall()
        if self.event.end is not None and self.event.share is None:
            # Without a share, which comes over HTTP only, somebody else might be taken for the person.
            await self._read_row()
        if self.event.end is None:
            await self._follow_live()
        elif not self._remember and self.event.sub_label:
            return
        else:
            await self._look_at_recordings(_prefix(self.event))
            await self._look_at_kept()
        await self._settle_label()
        name = self._people.name()
        log.info(
            "event %s of %s: %d pictures, %s",
            self.event.id,
            self.event.camera,
            self._count,
            "nobody is named" if name is None else f"{name[0]} {name[1]:.0%}",
        )

    async def _follow_live(self) -> None:
        """Look at new pictures until the event has ended, then at recordings if no face could be compared."""
        while self.event.end is None:
            async with self._turns:
                self._told.clear()
                await self._look_at_newest()
                await self._settle_label()
            await self._wait()
        last = self.event
        await self._read_row()
        if last.snapshot_time is None or last.snapshot_time != self._snapshot_time:
            await self._look_at_kept(last.snapshot_time)
        if not self._people.compared:
            await self._settle_label()
            await self._look_at_recordings(f"{_prefix(self.event)}recorded:")

    async def _read_row(self) -> None:
        """Replace what MQTT told of an event that has ended by the API's description."""
        self.event = replace(await self._server.event(self.event.id), end=self.event.end)

    async def _wait(self) -> None:
        """Wait for news of the event, or until another frame is due."""
        looks = self._count < self._options.max_pictures and not self.event.stationary
        try:
            await asyncio.wait_for(self._told.wait(), self._options.every_s if looks else SILENCE_S)
        except asyncio.TimeoutError:
            if not looks:
                await self._ask_for_news()

    async def _ask_for_news(self) -> None:
        """Frigate's last message may have been lost: ask whether the event has ended."""
        news = await self._server.event(self.event.id)
        if news.end is not None:
            self.event = news

    async def _look_at_newest(self) -> None:
        """Look at Frigate's best picture if it is a new one, else at the camera's newest frame."""
        event = self.event
        if event.snapshot_time is not None and event.snapshot_time != self._snapshot_time:
            picture = await self._server.snapshot(event.id)
            if picture is not None:
                self._snapshot_time = event.snapshot_time
                await self._follow(picture, event.snapshot_box, event.snapshot_time)
                return
        due = time.monotonic() - self._looked >= self._options.every_s
        # Without a box, which comes over MQTT only, somebody else might be taken for the person.
        if not due or event.box is None or event.stationary or self._count >= self._options.max_pictures:
            return
        self._looked = time.monotonic()
        if (picture := await self._server.latest(event.camera)) is not None:
            await self._follow(picture, event.box, time.time())

    async def _look_at_kept(self, taken: float | None = None) -> None:
        """Look at the picture that Frigate kept: its best. If it was cropped, only the person is in it.

        If nobody knows when it was `taken`, it counts as the event's oldest: an old picture that seemed to be
        of now might open a door.
        """
        event = self.event
        when = event.start if taken is None else taken
        if (picture := await self._server.clean_snapshot(event.id)) is not None:
            await self._follow(picture, event.share, when, shares=True)
        elif (picture := await self._server.snapshot(event.id)) is not None:
            box = event.share if shows_whole_frame(picture) else None
            await self._follow(picture, box, when, shares=True)

    async def _look_at_recordings(self, stream: str) -> None:
        """Look at frames from the whole event, as sharp as the camera records them, in their order."""
        event = self.event
        if not event.has_clip or event.end is None:
            return
        await asyncio.sleep(min(max(event.end + RECORDED_S - time.time(), 0), RECORDED_S))
        self._last_time = 0.0
        step_s = (event.end - event.start) / RECORDED_PICTURES
        for number in range(RECORDED_PICTURES):
            at = event.start + (number + 0.5) * step_s
            if (picture := await self._server.recorded(event.camera, at)) is not None:
                await self._follow(picture, share_at(event, at), at, shares=True, stream=stream)

    async def _follow(
        self, picture: bytes, box: Box | None, at: float, *, shares: bool = False, stream: str | None = None
    ) -> None:
        """Send a picture to the daemon, as the next one of this event."""
        stream = stream or _prefix(self.event)
        # A tracker goes forward only; a snapshot is older than a frame that was looked at before it.
        self._last_time = max(at, self._last_time)
        options = {
            "camera": self.event.camera,
            "stream": stream,
            "frame": f"{_prefix(self.event)}{self._count}",
            "time": self._last_time,
            "remember": self._remember,
        }
        self._count += 1
        try:
            shown = await asyncio.to_thread(isolate_person, picture, box, shares=shares)
            faces = await self._call_follow(shown, options)
        except BadImage as error:
            log.warning("event %s of %s: %s", self.event.id, self.event.camera, error)
            return
        self._people.add(faces, shown.box, stream)

    async def _call_follow(
        self, shown: PersonPicture, options: Mapping[str, Any]
    ) -> Sequence[Mapping[str, Any]]:
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(Busy),
            stop=stop_after_delay(BUSY_PATIENCE_S),
            wait=wait_exponential(multiplier=0.1, max=2),
            reraise=True,
        )
        faces: Sequence[Mapping[str, Any]] = await retrying(
            self._daemon.call, "follow", shown.picture, options
        )
        return faces

    async def _settle_label(self) -> None:
        """Set the sub label if it needs to change, unless somebody else has set one."""
        name, score = self._people.name() or ("", 0.0)
        if name == self._label:
            return
        if not self._options.overwrite:
            present = await self._present_label()
            if present == name:
                self._label = name
                return
            if present and present != self._label and present not in self._earlier:
                if present != self._kept:
                    log.info(
                        "event %s: its sub label %r stays; face_det says %r", self.event.id, present, name
                    )
                self._kept = present
                return
        try:
            await self._server.set_sub_label(self.event.id, name, score)
        except UnknownEvent:
            # Frigate stores an event a little after it has reported it.
            if self.event.end is not None:
                raise
            return
        log.info("event %s of %s: %s", self.event.id, self.event.camera, name or "the name is removed")
        self._label = name

    async def _present_label(self) -> str:
        try:
            return (await self._server.event(self.event.id)).sub_label or ""
        except UnknownEvent:
            if self.event.end is not None:
                raise
            return self.event.sub_label or ""

    async def _recall(self) -> None:
        """Learn what the daemon knows of this event; it remembers it once, or remembers nobody anyway."""
        query = {"camera": self.event.camera, "since": self.event.start - 1, "limit": MAX_PAGE}
        if self.event.end is not None:
            query["until"] = self.event.end + SILENCE_S
        try:
            while True:
                page = await self._daemon.call("sightings", query)
                for item in page["items"]:
                    if str(item["frame"] or "").startswith(_prefix(self.event)):
                        self._remember = False
                        self._earlier |= {item["face"]} if names_somebody(item) else set()
                if page["next"] is None:
                    return
                query["cursor"] = page["next"]
        except SightingsOff:
            self._remember = False


def _prefix(event: FrigateEvent) -> str:
    """Return how the frame ids of an event begin."""
    return f"frigate:{event.id}:"
