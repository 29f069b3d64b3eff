"""Draws what the daemon answered on the picture that it was asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from face_det.media.annotate import annotate_faces
from face_det.media.image import load_perhaps_partial
from face_det.types import UNKNOWN, Box, Rgb

Answer = Mapping[str, Any]
"""One face as the verb `recognize` returns it."""


def annotate_answer(picture: bytes, faces: Sequence[Answer]) -> Rgb:
    """Draw a box and a name, or the reason why there is none, around each face of a picture.

    `picture` is the file that the daemon was sent, `faces` what it returned. Raises BadImage if the picture
    cannot be read.
    """
    labels = [(Box(**face["faceBox"]), label_answer(face), names_somebody(face)) for face in faces]
    return annotate_faces(load_perhaps_partial(picture).rgb, labels)


def names_somebody(face: Answer) -> bool:
    """Tell whether a face was named as somebody who is enrolled.

    >>> names_somebody({"face": "Unknown"})
    False
    """
    return face["face"] not in (None, UNKNOWN)


def label_answer(face: Answer) -> str:
    """Return what an annotated picture says of a face.

    >>> label_answer({"face": "Alice", "faceProba": 0.98})
    'Alice 98%'
    >>> label_answer({"face": None, "faceReason": "too_small"})
    'too small'
    """
    # How sure it is that somebody is a stranger means nothing to whoever looks at the picture.
    if names_somebody(face) and "faceProba" in face:
        return f"{face['face']} {face['faceProba']:.0%}"
    return face["face"] or describe_reason(face).replace("_", " ")


def describe_reason(face: Answer) -> str:
    """Return the reason why a face is unnamed, and who it might be.

    >>> describe_reason({"faceReason": "unrecognised", "candidates": [{"name": "Alice"}, {"name": "Bob"}]})
    'unrecognised: Alice or Bob?'
    """
    reason = str(face.get("faceReason", ""))
    perhaps = " or ".join(candidate["name"] for candidate in face.get("candidates", []))
    told = f"{reason}: {perhaps}?" if perhaps else reason
    return f"{told} (the picture is cut off)".strip() if face.get("partial") else told
