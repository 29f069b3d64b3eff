"""Each face without a name says why in a sentence that tells what is needed."""

from __future__ import annotations

import pytest

from face_det.engine import EngineOptions
from face_det.service import wire
from face_det.service.ascii_names import with_ascii_names
from face_det.service.explanation import explain_face, explain_person
from face_det.types import Box, Candidate, Face, Match, Outcome, Reason, Veto

OPTIONS = EngineOptions(min_face_px=20, focus_threshold=200)
WHY_ANN = (Candidate("Ann", 0.6), Candidate("Bob", 0.2))


def face(width: float = 60, height: float = 80, quality: float = 0.9) -> Face:
    return Face(Box(10, 10, 10 + width, 10 + height), 0.9, 34.2, None, None, 11.0, quality)


@pytest.mark.parametrize(
    ("seen", "match", "expected"),
    [
        (face(14, 18), Match(None, None, Reason.TOO_SMALL), "14 px wide; 20 are needed (minFace)"),
        (face(25, 19), Match(None, None, Reason.TOO_SMALL), "19 px high; 20 are needed (minFace)"),
        (face(), Match(None, None, Reason.TOO_BLURRY), "sharpness of 34; 200 is needed"),
        (face(), Match(None, None, Reason.TIMEOUT), "ran out of time"),
        (
            face(),
            Match(None, 0.6, Reason.UNRECOGNISED, Outcome.UNCERTAIN, WHY_ANN),
            "may be Ann, but that is not certain enough",
        ),
        (
            face(quality=0.31),
            Match(None, 0.6, Reason.UNRECOGNISED, Outcome.UNCERTAIN, WHY_ANN),
            "may be Ann, but that is not certain enough; it is seen too poorly (quality 0.31)",
        ),
        (
            face(quality=0.2),
            Match(None, 0.0, Reason.UNRECOGNISED, Outcome.UNCERTAIN),
            "looks like nobody who is enrolled, but that is not certain enough; "
            "it is seen too poorly (quality 0.20)",
        ),
        (face(), Match(None, 0.1, Reason.UNRECOGNISED, Outcome.UNKNOWN), "nobody who is enrolled"),
        (face(), Match(None, None, Reason.UNRECOGNISED, Outcome.UNCERTAIN), "no model has been trained"),
    ],
)
def test_a_face_says_what_is_missing(seen: Face, match: Match, expected: str) -> None:
    """Sizes, thresholds with the names of their settings, and who it may be."""
    said = explain_face(seen, match, OPTIONS)
    assert said is not None
    assert expected in said


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (
            Match(None, 0.1, Reason.UNRECOGNISED, Outcome.UNCERTAIN, veto=Veto("Ann")),
            "the face resembles Ann, but it looks more like a face that was marked as not Ann",
        ),
        (
            Match("Unknown", 0.9, None, Outcome.UNKNOWN, veto=Veto("Ann", ignored=True)),
            "the face resembles Ann, but it looks more like somebody who is ignored",
        ),
        (Match("Bob", 0.9, None, Outcome.KNOWN, veto=Veto("Ann")), None),
    ],
)
def test_a_face_that_was_ruled_out_says_by_what(match: Match, expected: str | None) -> None:
    """Whether it has no name or is called Unknown; whoever is named instead needs no explanation."""
    assert explain_face(face(), match, OPTIONS) == expected


def test_names_in_explanations_are_ascii_if_wanted() -> None:
    """The uploader that needs ASCII names gets the explanation, too."""
    told = with_ascii_names(Match(None, 0.1, None, Outcome.UNCERTAIN, veto=Veto("Zoë")))
    assert str(explain_face(face(), told, OPTIONS)).isascii()


def test_a_named_face_needs_no_explanation() -> None:
    """Nor does one that is called Unknown."""
    assert explain_face(face(), Match("Ann", 0.97, None, Outcome.KNOWN), OPTIONS) is None
    assert explain_face(face(), Match("Unknown", 0.97, None, Outcome.UNKNOWN), OPTIONS) is None
    assert "faceExplanation" not in wire.face_as_json(face(), Match("Ann", 0.97, None, Outcome.KNOWN))


@pytest.mark.parametrize("reason", [Reason.BAD_IMAGE, Reason.BAD_ROI, Reason.NO_FACE, Reason.TIMEOUT])
def test_a_person_without_a_face_has_one(reason: Reason) -> None:
    """Every reason that a whole label may have."""
    answer = wire.person_as_json(wire.PersonAnswer(reason=reason))
    assert answer["faceExplanation"] == explain_person(reason)


def test_quality_and_its_parts_are_answered() -> None:
    """In every answer about a face that was assessed, rounded to what can be read."""
    fields = wire.face_as_json(face(), Match("Ann", 0.97, None, Outcome.KNOWN))
    assert fields["quality"] == 0.9
    assert fields["qualityParts"] == {
        "sizePx": 60,
        "sharpness": 34.2,
        "detectorScore": 0.9,
        "encodingNorm": 11.0,
    }
