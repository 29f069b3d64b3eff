"""Which network made an encoding: fingerprints, "NAME:..." of one embedder.

That of `both` is made of two: "both:dlib_resnet:...+sface:...".
"""

from __future__ import annotations

DLIB = "dlib_resnet"
SFACE = "sface"
BOTH = "both"
"""dlib's numbers, then sface's."""


def embedder_of(fingerprint: str | None) -> str:
    """The name of the embedder; dlib's where nothing was noted, as in the original's files."""
    return DLIB if fingerprint is None else fingerprint.partition(":")[0]


def parts(fingerprint: str) -> dict[str, str]:
    """The fingerprint of each of dlib and sface that has a part in it, by its name."""
    name, _, both = fingerprint.partition(":")
    if name != BOTH:
        return {SFACE if name == SFACE else DLIB: fingerprint}
    dlib, _, sface = both.partition("+")
    return {DLIB: dlib, SFACE: sface}


def joined(dlib: str, sface: str) -> str:
    """The fingerprint of `both`."""
    return f"{BOTH}:{dlib}+{sface}"
