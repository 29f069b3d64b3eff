"""Settings that cannot be done in time are said, where a user looks."""

from __future__ import annotations

import pytest

from face_det.config import Config
from face_det.doctor import CheckState, check_pace
from face_det.service import slow_settings


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"num_jitters": 31},
        {"num_jitters": 500, "call_timeout": 0},
        {"face_det_model": "cnn", "num_face_img_upsample": 2},
        {"face_det_model": "yunet", "num_face_img_upsample": 4},
        {"face_det_model": "centerface", "num_face_img_upsample": 4},
        {"face_det_model": "haar_profile", "num_face_img_upsample": 0},
        {"face_det_model": "onnx:/models/face.onnx", "num_face_img_upsample": 4},
    ],
)
def test_settings_that_are_done_in_time(settings):
    """The defaults, few jitters, no limit at all, a detector that limits itself."""
    assert slow_settings(Config(**settings)) == []
    (found,) = check_pace(Config(**settings))
    assert (found.state, found.advice) == (CheckState.OK, "")


@pytest.mark.parametrize(
    ("settings", "said", "advised"),
    [
        (
            {"num_jitters": 500},
            "numJitters 500: encoding a face takes about 4.0 s, so a call has time for 6 faces",
            "set numJitters to 31 or less",
        ),
        (
            {"num_jitters": 10_000},
            "encoding a face takes about 80.0 s, so a call has time for 0 faces (callTimeout 25 s)",
            "set numJitters to 31 or less",
        ),
        (
            {"face_det_model": "hog", "num_face_img_upsample": 4},
            "faceDetModel hog with numFaceImgUpsample 4: a picture of 1920 x 1080 takes about 69 s",
            "lower numFaceImgUpsample, or set faceDetModel to auto",
        ),
        (
            {"face_det_model": "haar_profile", "num_face_img_upsample": 4},
            "faceDetModel haar_profile with numFaceImgUpsample 4: a picture of 1920 x 1080 takes about 33 s",
            "set faceDetModel to auto",
        ),
        (
            {"face_det_model": "mtcnn", "num_face_img_upsample": 1, "call_timeout": 2},
            "a picture of 1920 x 1080 takes about 5 s (callTimeout 2 s)",
            "set faceDetModel to auto",
        ),
        (
            {"face_det_model": "blazeface", "num_face_img_upsample": 4, "call_timeout": 10},
            "a picture of 1920 x 1080 takes about 14 s",
            "lower numFaceImgUpsample",
        ),
        (
            {"face_det_model": "ssd", "num_face_img_upsample": 4, "call_timeout": 3},
            "a picture of 1920 x 1080 takes about 6 s (callTimeout 3 s)",
            "lower numFaceImgUpsample",
        ),
    ],
)
def test_settings_that_are_not(settings, said, advised):
    """What they cost, what becomes of the call, and what to set."""
    (found,) = check_pace(Config(**settings))
    assert found.state is CheckState.WARNING
    assert said in found.text
    assert advised in found.advice
