"""Collects the best and most different views of the one person in front of a camera."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from face_det.cameras import CameraSource, read_live
from face_det.errors import BadImage, CameraFailed, NoFace
from face_det.media import crop_box, load_image, resize_image
from face_det.types import Box
from face_det.watch.camera import Reader
from face_det.watch.sender import Daemon

LEAST_PX = 60
LEAST_QUALITY = 0.4
DIFFERENT = 0.08
"""How different two views must look: one minus the correlation of the small grey faces."""
TURNED = 12.0
"""Degrees of yaw from which a view shows a side of the face."""
_SIDE = 24
_BETTER = 0.05

NOBODY = "nobody is in front of the camera"
SEVERAL = "more than one person is in front of the camera: one at a time, please"
CLOSER = "come closer"
CLEARER = "hold still, and look towards the light"
TURN = "good; now turn your head a little"
TURN_LEFT = "good; now turn your head a little to your left"
TURN_RIGHT = "good; now turn your head a little to your right"
TAKEN = "good, one more view"


@dataclass(frozen=True, eq=False, slots=True)
class View:
    """A picture of one person: its bytes, where the face is, its quality, its name so far, and its yaw in
    degrees, if that is known."""

    picture: bytes
    box: dict[str, float]
    quality: float
    name: str | None
    look: npt.NDArray[np.float64]
    yaw: float | None


class ViewCollector:
    """Chooses views: each clear, of one person, and unlike the others; a better one replaces its like."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self.views: list[View] = []

    @property
    def is_full(self) -> bool:
        """Tell whether there are as many as wanted."""
        return len(self.views) >= self._wanted

    def offer(self, picture: bytes, faces: Sequence[Mapping[str, Any]]) -> str:
        """Look at a picture and the answer of `recognize`; return a hint for the person.

        >>> ViewCollector(3).offer(b"", [])
        'nobody is in front of the camera'
        """
        faces = [face for face in faces if face.get("faceBox") is not None]
        if not faces:
            return NOBODY
        if len(faces) > 1:
            return SEVERAL
        (face,) = faces
        if face["qualityParts"]["sizePx"] < LEAST_PX:
            return CLOSER
        if (face.get("quality") or 0.0) < LEAST_QUALITY:
            return CLEARER
        look = _look(picture, face["faceBox"])
        if look is None:
            return CLEARER
        box, yaw = dict(face["faceBox"]), face.get("headPose", {}).get("yaw")
        return self._choose(View(picture, box, face["quality"], face.get("face"), look, yaw))

    def _choose(self, view: View) -> str:
        alike = [one for one in self.views if 1 - float((one.look * view.look).mean()) < DIFFERENT]
        if not alike:
            self.views.append(view)
            return TAKEN
        if len(alike) == 1 and view.quality > alike[0].quality + _BETTER:
            self.views[self.views.index(alike[0])] = view
        return self._missing_side()

    def _missing_side(self) -> str:
        """Return the hint to turn to a side that no view shows yet; a camera's pictures are not mirrored."""
        yaws = [view.yaw for view in self.views if view.yaw is not None]
        if not yaws:
            return TURN
        if max(yaws) < TURNED:
            return TURN_LEFT
        return TURN_RIGHT if min(yaws) > -TURNED else TURN


def _look(picture: bytes, box: Mapping[str, float]) -> npt.NDArray[np.float64] | None:
    """Return a small grey copy of a face, of mean 0 and standard deviation 1; None if there is nothing."""
    try:
        face = crop_box(load_image(picture), Box(box["xmin"], box["ymin"], box["xmax"], box["ymax"]))
    except BadImage:
        return None
    if face is None:
        return None
    grey = resize_image(face, _SIDE, _SIDE).mean(axis=2)
    spread = float(grey.std())
    return None if spread < 1 else (grey - grey.mean()) / spread


async def collect_views(
    source: CameraSource,
    daemon: Daemon,
    *,
    wanted: int,
    limit_s: float,
    tell: Callable[[str, int], None],
    read: Reader = read_live,
) -> list[View]:
    """Return up to `wanted` views of one person, the best first; look for at most `limit_s` seconds.

    `tell` gets each hint, and the number of views so far. Views that the daemon does not take for the
    person of the best one are left out. Raises CameraFailed if the camera fails, and what the daemon
    raises.
    """
    collector = ViewCollector(wanted)
    end = time.monotonic() + limit_s
    async with contextlib.aclosing(read(source)) as pictures:
        async for picture in pictures:
            faces = await daemon.call("recognize", picture.data, {"remember": False, "headPose": True})
            tell(collector.offer(picture.data, faces), len(collector.views))
            if collector.is_full or time.monotonic() >= end:
                break
        else:
            raise CameraFailed(f"camera {source.name}: its stream ended")
    if not collector.views:
        raise NoFace(f"camera {source.name}: must show somebody, got nobody clearly within {limit_s:g} s")
    best, *others = sorted(collector.views, key=lambda view: view.quality, reverse=True)
    return [best, *[view for view in others if await _is_same(daemon, best, view)]]


async def _is_same(daemon: Daemon, one: View, other: View) -> bool:
    try:
        return bool((await daemon.call("verify", one.picture, other.picture))["same"])
    except NoFace:
        return False
