"""Says in a sentence why a face has no name, for those who read the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from face_det.engine import EngineOptions
from face_det.types import UNKNOWN, Face, Match, Outcome, Reason, Veto

POOR_QUALITY = 0.5
"""Below this quality, somebody enrolled would more likely be missed than recognised."""

_WITHOUT_FACE = {
    Reason.BAD_IMAGE: "the picture cannot be read",
    Reason.BAD_ROI: "the box lies outside the picture",
    Reason.NO_FACE: "no face of this person was found in the box",
    Reason.TIMEOUT: "the call ran out of time before this person's turn",
}


def explain_person(reason: Reason) -> str:
    """Say why a person's label has no face.

    >>> explain_person(Reason.BAD_ROI)
    'the box lies outside the picture'
    """
    return _WITHOUT_FACE[reason]


def explain_face(face: Face, match: Match, options: EngineOptions) -> str | None:
    """Say why a face has no name; None if it has one, or is called Unknown for no special reason.

    `options` are those of the engine that saw the face. Names are taken from the candidates, as they are
    answered.

    >>> from face_det.types import Box
    >>> small = Face(Box(0, 0, 14, 18), 0.8, 90.0, Reason.TOO_SMALL, None)
    >>> explain_face(small, Match(None, None, Reason.TOO_SMALL), EngineOptions(min_face_px=20))
    'the face is 14 px wide; 20 are needed (minFace)'
    """
    if match.veto is not None and match.name in (None, UNKNOWN):
        return _explain_veto(match.veto)
    if match.name is not None:
        return None
    if match.reason is Reason.TOO_SMALL:
        narrow = face.box.width <= face.box.height
        side, how = (face.box.width, "wide") if narrow else (face.box.height, "high")
        return f"the face is {side:.0f} px {how}; {options.min_face_px:g} are needed (minFace)"
    if match.reason is Reason.TOO_BLURRY:
        needed = f"{options.focus_threshold:g} is needed (focusMeasureThreshold)"
        return f"the face has a sharpness of {face.focus:.0f}; {needed}"
    if match.reason is Reason.TIMEOUT:
        return "the call ran out of time before this face was encoded"
    if match.outcome is Outcome.UNKNOWN:
        return "the face looks like nobody who is enrolled"
    poor = face.quality is not None and face.quality < POOR_QUALITY
    seen = f"; it is seen too poorly (quality {face.quality:.2f})" if poor else ""
    if match.candidates:
        return f"the face may be {match.candidates[0].name}, but that is not certain enough{seen}"
    if match.probability is None:
        return "nobody can be recognised yet: no model has been trained"
    return f"the face looks like nobody who is enrolled, but that is not certain enough{seen}"


def explain_faces(faces: Sequence[Face], matches: Sequence[Match], options: EngineOptions) -> list[Match]:
    """Return the matches of faces, each with its explanation; see explain_face."""
    return [
        replace(match, explanation=explain_face(face, match, options))
        for face, match in zip(faces, matches, strict=True)
    ]


def _explain_veto(veto: Veto) -> str:
    other = "somebody who is ignored" if veto.ignored else f"a face that was marked as not {veto.name}"
    return f"the face resembles {veto.name}, but it looks more like {other}"
