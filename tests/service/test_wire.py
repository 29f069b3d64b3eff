"""The request's faults are named by place; the reply keeps what came and is strict JSON."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from face_det.errors import BadRequest
from face_det.service import wire
from face_det.types import Box, Face, HeadPose, Match, Reason

BOX = {"ymin": 10.0, "xmin": 20.0, "ymax": 400.0, "xmax": 220.0}


def call(**changes: Any) -> list[dict[str, Any]]:
    label = {"id": 1, "name": "person", "score": 0.97, "box": dict(BOX), **changes}
    return [{"image": "/a.jpg", "labels": [label], "alert": "yes"}]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ({"image": "/a.jpg"}, "images: must be a list, got dict of 1"),
        (None, "images: must be a list, got None"),
        ("/a.jpg", "images: must be a list, got '/a.jpg'"),
        (["/a.jpg"], "images[0]: must be an object, got '/a.jpg'"),
        ([{"labels": []}], "images[0].image: missing"),
        ([{"image": 7, "labels": []}], "images[0].image: must be a path, got 7"),
        ([{"image": "/a.jpg"}], "images[0].labels: missing"),
        ([{"image": "/a.jpg", "labels": {}}], "images[0].labels: must be a list, got dict of 0"),
        ([{"image": "/a.jpg", "labels": [3]}], "images[0].labels[0]: must be an object, got 3"),
        ([{"image": "/a.jpg", "labels": [{}]}], "images[0].labels[0].name: missing"),
        ([{"image": "/a.jpg", "labels": [{"name": "person"}]}], "images[0].labels[0].box: missing"),
        (call(box=None), "images[0].labels[0].box: must be an object, got None"),
        (call(box={"xmin": 1}), "images[0].labels[0].box.ymin: missing"),
        (call(box={**BOX, "xmin": "abc"}), "images[0].labels[0].box.xmin: must be a number, got 'abc'"),
        (call(box={**BOX, "xmin": True}), "images[0].labels[0].box.xmin: must be a number, got True"),
        (
            call() + call(box={**BOX, "ymax": []}),
            "images[1].labels[0].box.ymax: must be a number, got list of 0",
        ),
        (call() * 4, "images: must hold at most 3 (maxImages), got 4; send several calls"),
    ],
)
def test_malformed(images: object, message: str) -> None:
    """Each fault of a request is one line that starts with its place."""
    with pytest.raises(BadRequest) as caught:
        wire.parse_images(images, 3)
    assert str(caught.value) == message


def test_only_persons_are_looked_at() -> None:
    """Other objects need no box and get no answer."""
    images = [{"image": "/a.jpg", "labels": [{"name": "dog"}, {"name": "person", "box": BOX}]}]
    (request,) = wire.parse_images(images, 3)
    assert request == wire.ImageRequest("/a.jpg", (wire.PersonLabel(1, Box(20.0, 10.0, 220.0, 400.0)),))


@pytest.mark.parametrize("edge", [math.nan, math.inf, -math.inf, 10**400, -(10**400)])
def test_box_without_bounds_is_data(edge: float) -> None:
    """NaN and infinities are no malformed request: that person is answered, the others go on."""
    (request,) = wire.parse_images(call(box={**BOX, "xmax": edge}), 3)
    assert request.persons == (wire.PersonLabel(0, None),)


def test_reply_keeps_everything_and_is_strict_json() -> None:
    """Unknown keys stay, NaN becomes null, bytes become text, an older answer is replaced."""
    images = call(box={**BOX, "xmin": math.nan}, raw=b"\xffx", face="Old", faceReason="no_face", size=10**30)
    reply = json.loads(
        wire.render_reply(images, {(0, 0): wire.PersonAnswer(reason=Reason.BAD_ROI)}),
        parse_constant=pytest.fail,
    )
    (label,) = reply[0].pop("labels")
    assert reply == [{"image": "/a.jpg", "alert": "yes"}]
    assert label == {
        "id": 1,
        "name": "person",
        "score": 0.97,
        "box": {**BOX, "xmin": None},
        "raw": "\ufffdx",
        "size": 10**30,
        "face": None,
        "faceReason": "bad_roi",
        "faceExplanation": "the box lies outside the picture",
        "faces": [],
    }
    assert images[0]["labels"][0]["face"] == "Old", "the caller's list is not touched"


def test_a_label_repeats_the_persons_own_face() -> None:
    """It comes first in `faces`, which holds every face, unnamed ones with their reason."""
    first = Face(Box(1, 2, 3, 4), 1.2, 300.0, None, None)
    second = Face(Box(5, 6, 7, 8), 0.4, 30.0, Reason.TOO_BLURRY, None)
    answer = wire.PersonAnswer(
        ((second, Match(None, None, Reason.TOO_BLURRY)), (first, Match(None, 0.7, Reason.UNRECOGNISED))),
        own=1,
    )
    fields = wire.person_as_json(answer)
    expected = {
        "face": None,
        "faceProba": 0.7,
        "faceReason": "unrecognised",
        "faceBox": {"ymin": 2, "xmin": 1, "ymax": 4, "xmax": 3},
    }
    blurry = {
        "face": None,
        "faceReason": "too_blurry",
        "faceBox": {"ymin": 6, "xmin": 5, "ymax": 8, "xmax": 7},
    }
    assert fields == {**expected, "faces": [expected, blurry]}
    nobody = wire.person_as_json(replace(answer, own=None))
    why = "no face of this person was found in the box"
    assert nobody == {
        "face": None,
        "faceReason": "no_face",
        "faceExplanation": why,
        "faces": [blurry, expected],
    }


def test_named_face_has_no_reason() -> None:
    """faceReason is there only when face is null."""
    face = Face(Box(1, 2, 3, 4), 1.2, 300.0, None, None)
    assert "faceReason" not in wire.face_as_json(face, Match("Ann", 0.95, None))


def test_attributes_are_told_if_there_are_any() -> None:
    """Tenths of a degree and a share, which replace those of an older answer; no key where there is none."""
    face = Face(Box(1, 2, 3, 4), 1.2, 300.0, None, None)
    assert not {"headPose", "liveness"} & wire.face_as_json(face, Match("Ann", 0.95, None)).keys()
    seen = replace(face, head_pose=HeadPose(-12.34, 5.0, 0.04), liveness=0.123456)
    answer = wire.PersonAnswer(((seen, Match("Ann", 0.95, None)),), own=0)
    (label,) = json.loads(wire.render_reply(call(headPose="old"), {(0, 0): answer}))[0]["labels"]
    assert label["headPose"] == {"yaw": -12.3, "pitch": 5.0, "roll": 0.0}
    assert label["liveness"] == 0.1235
    again = wire.render_reply([{"labels": [label]}], {(0, 0): wire.PersonAnswer(reason=Reason.BAD_ROI)})
    assert not {"headPose", "liveness"} & json.loads(again)[0]["labels"][0].keys()


@pytest.mark.parametrize("kind", ["nonsense", "", "Svm"])
def test_a_classifier_that_is_not_on_the_menu_is_the_callers_fault(kind: str) -> None:
    """Not the configuration's, and it is said before the training begins."""
    with pytest.raises(BadRequest, match=r"options\.classifier: must be one of auto, .*knn, .*svm"):
        wire.parse_training({"classifier": kind})
    assert wire.parse_training({"classifier": "svm"})[0] == "svm"
