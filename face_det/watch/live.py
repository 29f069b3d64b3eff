"""Says who is in front of one camera, or in one file, and keeps the best picture."""

from __future__ import annotations

import contextlib
import secrets
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from face_det.cameras import CameraPicture
from face_det.errors import CameraFailed
from face_det.media import names_somebody
from face_det.watch.sender import Daemon


@dataclass(frozen=True, eq=False, slots=True)
class BestFace:
    """The clearest face so far: the picture, where the face is in it, and its quality."""

    picture: bytes
    box: dict[str, float]
    quality: float


def describe_faces(faces: Sequence[Mapping[str, Any]]) -> str:
    """Say who is there, those with names first.

    >>> describe_faces([{"face": None}, {"face": "Anna", "faceProba": 0.97}, {"face": "Unknown"}])
    'Anna 97%, 2 strangers'
    >>> describe_faces([])
    'nobody'
    """
    named = {face["face"]: face.get("faceProba") for face in faces if names_somebody(face)}
    parts = [name if proba is None else f"{name} {proba:.0%}" for name, proba in sorted(named.items())]
    strangers = len(faces) - sum(1 for face in faces if face["face"] in named)
    if strangers:
        parts.append("1 stranger" if strangers == 1 else f"{strangers} strangers")
    return ", ".join(parts) or "nobody"


class FaceFollower:
    """Lets the daemon follow the faces in pictures, and keeps the `best` one of all.

    `tell` gets the time in seconds since the first picture, and the faces, whenever other people are there
    than before; `show` gets every picture, with the time and the faces.
    """

    def __init__(
        self,
        daemon: Daemon,
        tell: Callable[[float, Sequence[Mapping[str, Any]]], None],
        show: Callable[[bytes, float, Sequence[Mapping[str, Any]]], None] | None = None,
    ) -> None:
        self._daemon = daemon
        # Of our own: two programs that shared a stream would be told of each other's faces.
        self._stream = f"live-{secrets.token_hex(8)}"
        self._tell = tell
        self._show = show
        self._begun: float | None = None
        self._before: Counter[str] | None = None
        self.best: BestFace | None = None

    async def follow(self, pictures: AsyncGenerator[CameraPicture, None]) -> None:
        """Look at pictures until these end.

        Raises what the daemon raises, and CameraFailed if there is not a single picture.
        """
        try:
            async with contextlib.aclosing(pictures):
                async for picture in pictures:
                    await self._look(picture)
        except CameraFailed:
            if self._begun is None:
                raise

    async def _look(self, picture: CameraPicture) -> None:
        options = {"stream": self._stream, "time": picture.time, "remember": False}
        faces = await self._daemon.call("follow", picture.data, options)
        if self._begun is None:
            self._begun = picture.time
        if self._show is not None:
            self._show(picture.data, picture.time - self._begun, faces)
        there = Counter(str(face["face"]) for face in faces)
        if there != self._before:
            self._tell(picture.time - self._begun, faces)
            self._before = there
        for face in faces:
            quality = face.get("quality") or 0.0
            if not face.get("predicted") and quality > (self.best.quality if self.best else 0.0):
                self.best = BestFace(picture.data, dict(face["faceBox"]), quality)
