"""The demo's cast: whose photos are enrolled, and the pictures that the daemon is asked about."""

from __future__ import annotations

from dataclasses import dataclass

from face_det.types import UNKNOWN

PEOPLE = {
    "Barack_Obama": ["obama", "obama2"],
    "Carphone_Man": ["carphone", "carphone2"],
    UNKNOWN: ["hanks", "grace_hopper"],
}
STRANGER = "a stranger"
NOBODY = "a cat"


FORGOTTEN = "Barack_Obama"
"""Who is forgotten at the end of the demo, and is then a stranger who keeps turning up."""
SEEN_AGAIN = ("obama", "obama2")
"""The pictures in which the stranger is seen, before somebody names them."""
SEEN_NAMED = "obama3"
"""The picture in which they are recognised."""


@dataclass(frozen=True)
class Picture:
    """A picture to ask about, with an uploader's person boxes (left, top, right, bottom) in pixels."""

    photo: str
    who: str
    persons: tuple[tuple[float, float, float, float], ...]


PICTURES = (
    Picture("obama3", "Barack_Obama", ((60, 50, 330, 720),)),
    Picture("carphone3", "Carphone_Man", ((18, 0, 176, 144),)),
    Picture("astronaut", STRANGER, ((30, 10, 420, 512),)),
    Picture(
        "t1",
        STRANGER,
        (
            (20, 190, 200, 560),
            (205, 110, 365, 420),
            (320, 205, 590, 470),
            (540, 270, 760, 470),
            (690, 45, 905, 330),
            (830, 205, 1040, 540),
        ),
    ),
    Picture("chelsea", NOBODY, ((0, 0, 451, 300),)),
)
