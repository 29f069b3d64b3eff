"""Who an event's person is: combines the answers of `follow` about its pictures into one name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from face_det.media import names_somebody
from face_det.types import Box


@dataclass(slots=True)
class PersonTracks:
    """Collects the answers about one event. A track's last answer is about all of its pictures."""

    _last: dict[tuple[str, int], Mapping[str, Any]] = field(default_factory=dict)
    _pictures: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))

    def add(self, faces: Sequence[Mapping[str, Any]], box: Box | None, stream: str = "") -> None:
        """Take the answers about one picture of a stream.

        With a box, faces whose middle is outside are somebody else's.
        """
        for face in faces:
            track = stream, face["track"]
            if box is None or _is_in(face["faceBox"], box):
                self._pictures[track] += 1
            if track in self._pictures:
                self._last[track] = face

    @property
    def compared(self) -> bool:
        """Whether a face was good enough to be compared with anybody."""
        return any(face.get("outcome") is not None for face in self._last.values())

    def name(self) -> tuple[str, float] | None:
        """Return who it is, and the probability (0..1); None if nobody is named, or two are
        named equally often.

        >>> tracks = PersonTracks()
        >>> tracks.add([{"track": 1, "face": "Alice", "faceProba": 0.9, "faceBox": {}}], None)
        >>> tracks.name()
        ('Alice', 0.9)
        """
        pictures: dict[str, int] = defaultdict(int)
        certainty: dict[str, float] = defaultdict(float)
        for track, face in self._last.items():
            if names_somebody(face):
                pictures[face["face"]] += self._pictures[track]
                certainty[face["face"]] = max(certainty[face["face"]], float(face.get("faceProba") or 0))
        most = max(pictures.values(), default=0)
        names = [name for name, count in pictures.items() if count == most]
        return (names[0], certainty[names[0]]) if len(names) == 1 else None


def _is_in(face: Mapping[str, float], box: Box) -> bool:
    x, y = (face["xmin"] + face["xmax"]) / 2, (face["ymin"] + face["ymax"]) / 2
    return box.xmin <= x <= box.xmax and box.ymin <= y <= box.ymax
