"""Says which settings cannot be done within a call's time, by what networks cost on an ordinary core."""

from __future__ import annotations

from dataclasses import dataclass

JITTER_S = 0.008
"""One jitter of one face."""
DETECTION_S = {"cnn": 0.5, "cnn_dlib": 10.0, "hog": 0.13}
"""Detection per million pixels. yunet limits the pixels it looks at."""
FACES = 10
"""The faces in a batch of the alarm uploader, roughly."""
PICTURE_MEGAPIXELS = 1920 * 1080 / 1e6


@dataclass(frozen=True, slots=True)
class SlowSetting:
    """What a setting costs, and what to set instead."""

    text: str
    advice: str


def find_slow_settings(detector: str, upsample: int, jitters: int, limit_s: float) -> list[SlowSetting]:
    """Return the settings with which ten faces, or a picture of 1920 x 1080, take longer than `limit_s`.

    >>> [slow.advice for slow in find_slow_settings("hog", upsample=1, jitters=500, limit_s=25)]
    ['set numJitters to 31 or less; 1 is enough for most']
    """
    found = []
    limit = f"(callTimeout {limit_s:g} s)"
    face_s = jitters * JITTER_S
    if jitters > 1 and FACES * face_s > limit_s:
        text = (
            f"numJitters {jitters}: encoding a face takes about {face_s:.1f} s, so a call has time for "
            f"{int(limit_s / face_s)} faces {limit}; the others are answered timeout"
        )
        # A tenth of the time for ten faces leaves room for the pictures, and for other calls.
        most = max(1, int(limit_s / FACES / JITTER_S / 10))
        found.append(SlowSetting(text, f"set numJitters to {most} or less; 1 is enough for most"))
    picture_s = DETECTION_S.get(detector, 0) * PICTURE_MEGAPIXELS * 4**upsample
    if picture_s > limit_s:
        text = (
            f"faceDetModel {detector} with numFaceImgUpsample {upsample}: a picture of 1920 x 1080 takes "
            f"about {picture_s:.0f} s {limit}"
        )
        found.append(SlowSetting(text, "lower numFaceImgUpsample, or set faceDetModel to auto"))
    return found
