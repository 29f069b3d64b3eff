"""Which network made an encoding: fingerprints, "NAME:..." of one embedder.

That of joined embedders is made of theirs: "both:dlib_resnet:...+sface:...".
"""

from __future__ import annotations

from face_det.registry import JOINED

DLIB = "dlib_resnet"
VIEWS = "dlib_views"
"""dlib's network, a mean of several views of each face."""
SFACE = "sface"
BOTH = "both"
"""dlib's numbers, then sface's."""
ALL = "all"
ALL_DLIB = "all_dlib"
"""What photos are enrolled with: all there are, or all of dlib's network."""


def embedder_of(fingerprint: str | None) -> str:
    """The name of the embedder; dlib's where nothing was noted, as in the original's files."""
    return DLIB if fingerprint is None else fingerprint.partition(":")[0]


def asked_for(embedder: str) -> str:
    """The name by which a user asks for an embedder: those of dlib's network are dlib_resnet."""
    return DLIB if embedder == VIEWS else embedder


def parts(fingerprint: str) -> dict[str, str]:
    """The fingerprint of each embedder that has a part in it, by its name and in their order.

    What names none of ours is taken for dlib's.
    """
    name, _, inside = fingerprint.partition(":")
    each = inside.split("+") if name in JOINED else [fingerprint]
    # The names as they are here: a pickle that holds a text twice is another than one of equal texts.
    return {next((one for one in (VIEWS, SFACE) if part.startswith(f"{one}:")), DLIB): part for part in each}
