"""Says which settings cannot be done within a call's time, by what networks cost on an ordinary core."""

from __future__ import annotations

from dataclasses import dataclass

JITTER_S = 0.008
"""One jitter of one face."""
DETECTION_S = {"cnn": 0.5, "cnn_dlib": 10.0, "hog": 0.13}
"""Detection per million pixels, however large the doubled picture becomes."""
LIMITED_DETECTION_S = {"centerface": 0.7, "haar": 0.6, "haar_profile": 4.0, "lbp": 0.3, "mtcnn": 0.6}
"""The same for detectors that enlarge a picture to LARGEST_MEGAPIXELS at most. yunet and auto do so, too, and
are quick enough for that."""
LARGEST_MEGAPIXELS = 4 * 1920 * 1080 / 1e6
LOOK_S = {"blazeface": 0.04, "ssd": 0.14}
"""One look at the whole picture, whatever its size; each doubling looks at four times as much, too."""
MOST_LOOKS = {"ssd": 41}
"""In a picture of that shape, ssd enlarges its input no further."""
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
    picture_s = _picture_s(detector, upsample)
    if picture_s > limit_s:
        text = (
            f"faceDetModel {detector} with numFaceImgUpsample {upsample}: a picture of 1920 x 1080 takes "
            f"about {picture_s:.0f} s {limit}"
        )
        found.append(SlowSetting(text, "lower numFaceImgUpsample, or set faceDetModel to auto"))
    return found


def _picture_s(detector: str, upsample: int) -> float:
    """Return about how long detection takes in a picture of 1920 x 1080; 0 for a model of the user's own."""
    megapixels: float = PICTURE_MEGAPIXELS * 4**upsample
    looks: int = sum(4**doubling for doubling in range(upsample + 1))
    return (
        DETECTION_S.get(detector, 0) * megapixels
        + LIMITED_DETECTION_S.get(detector, 0) * min(megapixels, LARGEST_MEGAPIXELS)
        + LOOK_S.get(detector, 0) * min(looks, MOST_LOOKS.get(detector, looks))
    )
