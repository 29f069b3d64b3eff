"""Photos that are too poor to learn from, and people with too few of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from face_det.gallery.check.facts import PhotoFacts
from face_det.gallery.encoding_cache import OmissionReason
from face_det.types import UNKNOWN

SMALL_FACE_PX = 30.0
"""Measured on LFW, scaled down: with faces of 30 px the distances to a person's other photos grow by 8 %
(both embedders), with 20 px by 21 %, with 37 px by 2 %."""
BLURRY_SHARPNESS = 10.0
"""check_facts.sharpness. On LFW one face in a thousand has less. Blurred until the median is 8.5,
distances to a person's other photos grow by 9 %, at 4.5 by 20 %."""
ENOUGH_PHOTOS = 5
"""From so many photos on every classifier can be trained and judged, and a wrong one stands out."""
ENOUGH_STRANGERS = 20
"""What the original asks for."""

_OMISSION_TEXTS = {
    OmissionReason.BAD_IMAGE: (
        "unreadable",
        "cannot be read as a picture",
        "save it anew as JPEG, or delete it",
    ),
    OmissionReason.NO_FACE: ("no_face", "has no face that the detector sees", "take another"),
    OmissionReason.SEVERAL_FACES: ("several_faces", "has more than one face", "crop it to one person"),
    OmissionReason.TOO_SMALL: ("small_face", "has a face smaller than minFace", "take a closer one"),
}


@dataclass(frozen=True, slots=True)
class PoorPhoto:
    """A photo, what kind of fault it has (a value of check.Kind), in words, and what to do; whether it is
    the photo's own, and not that of what it lies on."""

    index: int
    kind: str
    what: str
    todo: str
    own: bool = True


def find_poor_photos(
    photos: Sequence[tuple[str | None, OmissionReason | None, PhotoFacts | None]],
) -> list[PoorPhoto]:
    """Of photos, why each cannot be opened or has no encoding, and what is seen of it: those that are not
    good enough."""
    found = []
    for index, (closed, omission, facts) in enumerate(photos):
        if closed is not None:
            # Nobody knows what is in it: a share that is away says nothing against its photos.
            todo = "see to its rights, and to the disk or share it is on, and check again"
            found.append(PoorPhoto(index, "unreadable", f"cannot be opened: {closed}", todo, own=False))
            continue
        if omission is not None:
            found.append(PoorPhoto(index, *_OMISSION_TEXTS[omission]))
            continue
        if facts is None or facts.face_px is None or facts.sharpness is None:
            continue
        if facts.face_px < SMALL_FACE_PX:
            what = f"has a face of {facts.face_px:.0f} px; below {SMALL_FACE_PX:.0f} much is lost"
            found.append(PoorPhoto(index, "small_face", what, "take a closer one"))
        if facts.sharpness < BLURRY_SHARPNESS:
            what = f"is blurry: sharpness {facts.sharpness:.1f}, below {BLURRY_SHARPNESS:.0f} much is lost"
            found.append(PoorPhoto(index, "blurry", what, "take a sharper one"))
    return found


def describe_too_few(name: str, usable: int) -> tuple[str, str] | None:
    """What to say of a person with so many photos that can be used; None if they are enough."""
    if name == UNKNOWN:
        if usable >= ENOUGH_STRANGERS:
            return None
        return f"{usable} strangers; {ENOUGH_STRANGERS} and more are good", "add some: face-det fetch-lfw"
    if usable >= ENOUGH_PHOTOS:
        return None
    photos = "photo" if usable == 1 else "photos"
    return (
        f"{usable} {photos} that can be used; {ENOUGH_PHOTOS} are good",
        "add some, in other light and from other sides",
    )


def rate_quality(facts: PhotoFacts) -> float:
    """Which of two photos of a moment to keep: the one with the larger face, sharpness counting too."""
    if facts.face_px is None or facts.sharpness is None:
        return 0.0
    return float(min(facts.face_px, 150.0) * min(facts.sharpness, 100.0) ** 0.5)
