"""Finds photos that are too poor to train on, and people with too few photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from face_det.gallery.check.facts import PhotoFacts
from face_det.gallery.encoding_cache import OmissionReason
from face_det.types import UNKNOWN

SMALL_FACE_PX = 30.0
"""Faces with a shorter side in pixels are small. On Labeled Faces in the Wild, scaled down to faces of
37, 30 and 20 px, distances to a person's other photos grow by 2 %, 8 % and 21 % (both embedders)."""
BLURRY_SHARPNESS = 10.0
"""Faces with a lower sharpness (`measure_sharpness`) are blurry. In Labeled Faces in the Wild, that is one
face in a thousand. Blurred to a median of 8.5 and 4.5, distances to a person's other photos grow by 9 %
and 20 %."""
ENOUGH_PHOTOS = 5
"""With this many photos every classifier can be trained and judged, and a wrong photo stands out."""
ENOUGH_STRANGERS = 20
"""The number of strangers that the original program asks for."""

_OMISSION_TEXTS = {
    OmissionReason.BAD_IMAGE: (
        "unreadable",
        "cannot be read as a picture",
        "save it as JPEG again, or delete it",
    ),
    OmissionReason.NO_FACE: ("no_face", "has no face that the detector finds", "take another photo"),
    OmissionReason.SEVERAL_FACES: (
        "several_faces",
        "has several faces, none of them clearly the main one",
        "crop it to one person",
    ),
    OmissionReason.NO_DECODER: (
        "unreadable",
        "is HEIC, which cannot be read here",
        "pip install 'face_det[heic]', or save it as JPEG",
    ),
    OmissionReason.TOO_LARGE: ("unreadable", "has more than 100 megapixels", "save it smaller"),
    OmissionReason.TOO_SMALL: ("small_face", "has a face smaller than minFace", "take a closer photo"),
}


@dataclass(frozen=True, slots=True)
class PoorPhoto:
    """A photo that is not good enough: the kind of fault (a value of FindingKind), what was found and what
    to do about it. `own` is false if the disk or network share is at fault rather than the photo."""

    index: int
    kind: str
    what: str
    todo: str
    own: bool = True


def find_poor_photos(
    photos: Sequence[tuple[str | None, OmissionReason | None, PhotoFacts | None]],
) -> list[PoorPhoto]:
    """Find photos that are not good enough.

    Each photo is given as (why its file cannot be opened, why it has no encoding, its facts), with None
    for what does not apply.

    >>> find_poor_photos([(None, None, PhotoFacts(25.0, 80.0, ""))])[0].what
    'has a face of 25 px; below 30 px, much is lost'
    """
    found = []
    for index, (closed, omission, facts) in enumerate(photos):
        if closed is not None:
            # Nobody knows what is in it: photos on a share that is offline may be fine.
            todo = "check its permissions and the disk or share it is on, then check again"
            found.append(PoorPhoto(index, "unreadable", f"cannot be opened: {closed}", todo, own=False))
            continue
        if omission is not None:
            own = omission not in (OmissionReason.NO_DECODER, OmissionReason.TOO_LARGE)
            found.append(PoorPhoto(index, *_OMISSION_TEXTS[omission], own=own))
            continue
        if facts is None or facts.face_px is None or facts.sharpness is None:
            continue
        if facts.face_px < SMALL_FACE_PX:
            what = f"has a face of {facts.face_px:.0f} px; below {SMALL_FACE_PX:.0f} px, much is lost"
            found.append(PoorPhoto(index, "small_face", what, "take a closer photo"))
        if facts.sharpness < BLURRY_SHARPNESS:
            what = f"is blurry: sharpness {facts.sharpness:.1f}; below {BLURRY_SHARPNESS:.0f}, much is lost"
            found.append(PoorPhoto(index, "blurry", what, "take a sharper photo"))
    return found


def describe_too_few(name: str, usable: int) -> tuple[str, str] | None:
    """Say what is wrong with having this many usable photos and what to do; None if they are enough.

    >>> describe_too_few("anna", 3)[0]
    '3 usable photos; 5 are good'
    """
    if name == UNKNOWN:
        if usable >= ENOUGH_STRANGERS:
            return None
        return f"{usable} strangers; {ENOUGH_STRANGERS} or more are good", "add some: face-det fetch-lfw"
    if usable >= ENOUGH_PHOTOS:
        return None
    photos = "photo" if usable == 1 else "photos"
    return (
        f"{usable} usable {photos}; {ENOUGH_PHOTOS} are good",
        "add some in other light and from other angles",
    )


def rate_quality(facts: PhotoFacts) -> float:
    """Return the quality of a photo, for choosing which copy to keep: larger and sharper faces rate higher.

    >>> rate_quality(PhotoFacts(face_px=100.0, sharpness=25.0, picture_hash=""))
    500.0
    """
    if facts.face_px is None or facts.sharpness is None:
        return 0.0
    return float(min(facts.face_px, 150.0) * min(facts.sharpness, 100.0) ** 0.5)
