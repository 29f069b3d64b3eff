"""Photos that are too poor to learn from, and people with too few of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from face_det.faces import UNKNOWN
from face_det.identity.cache import Omission
from face_det.identity.check_facts import Facts

SMALL_PX = 30.0
"""Measured on LFW, scaled down: with faces of 30 px the distances to a person's other photos grow by 8 %
(both embedders), with 20 px by 21 %, with 37 px by 2 %."""
BLURRY = 10.0
"""check_facts.sharpness. On LFW one face in a thousand has less. Blurred until the median is 8.5,
distances to a person's other photos grow by 9 %, at 4.5 by 20 %."""
ENOUGH = 5
"""From so many photos on every classifier can be trained and judged, and a wrong one stands out."""
ENOUGH_STRANGERS = 20
"""What the original asks for."""

_LEFT_OUT = {
    Omission.BAD_IMAGE: ("unreadable", "cannot be read as a picture", "save it anew as JPEG, or delete it"),
    Omission.NO_FACE: ("no_face", "has no face that the detector sees", "take another"),
    Omission.SEVERAL_FACES: ("several_faces", "has more than one face", "crop it to one person"),
    Omission.TOO_SMALL: ("small_face", "has a face smaller than minFace", "take a closer one"),
}


@dataclass(frozen=True, slots=True)
class Poor:
    """A photo, what kind of fault it has (a value of check.Kind), in words, and what to do; whether it is
    the photo's own, and not that of what it lies on."""

    index: int
    kind: str
    what: str
    todo: str
    own: bool = True


def poor(photos: Sequence[tuple[str | None, Omission | None, Facts | None]]) -> list[Poor]:
    """Of photos, why each cannot be opened or has no encoding, and what is seen of it: those that are not
    good enough."""
    found = []
    for index, (closed, omission, facts) in enumerate(photos):
        if closed is not None:
            # Nobody knows what is in it: a share that is away says nothing against its photos.
            todo = "see to its rights, and to the disk or share it is on, and check again"
            found.append(Poor(index, "unreadable", f"cannot be opened: {closed}", todo, own=False))
            continue
        if omission is not None:
            found.append(Poor(index, *_LEFT_OUT[omission]))
            continue
        if facts is None or facts.face_px is None or facts.sharpness is None:
            continue
        if facts.face_px < SMALL_PX:
            what = f"has a face of {facts.face_px:.0f} px; below {SMALL_PX:.0f} much is lost"
            found.append(Poor(index, "small_face", what, "take a closer one"))
        if facts.sharpness < BLURRY:
            what = f"is blurry: sharpness {facts.sharpness:.1f}, below {BLURRY:.0f} much is lost"
            found.append(Poor(index, "blurry", what, "take a sharper one"))
    return found


def few(name: str, usable: int) -> tuple[str, str] | None:
    """What to say of a person with so many photos that can be used; None if they are enough."""
    if name == UNKNOWN:
        if usable >= ENOUGH_STRANGERS:
            return None
        return f"{usable} strangers; {ENOUGH_STRANGERS} and more are good", "add some: face-det fetch-lfw"
    if usable >= ENOUGH:
        return None
    photos = "photo" if usable == 1 else "photos"
    return (
        f"{usable} {photos} that can be used; {ENOUGH} are good",
        "add some, in other light and from other sides",
    )


def quality(facts: Facts) -> float:
    """Which of two photos of a moment to keep: the one with the larger face, sharpness counting too."""
    if facts.face_px is None or facts.sharpness is None:
        return 0.0
    return float(min(facts.face_px, 150.0) * min(facts.sharpness, 100.0) ** 0.5)
