"""The pose of a head: its signs, and that mirrored and rotated pictures change it as they must."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from face_det.attributes import HeadPoseEstimator, estimate_head_pose
from face_det.attributes.head_pose import MEAN_FACE
from face_det.detectors import DETECTORS
from face_det.embedders import detect_landmarks68
from face_det.media import load_image
from face_det.types import Box, HeadPose, Rgb

REFERENCE = np.array(
    [[0, 0, 0], [0, 6.6, 1.3], [-4.5, -3.4, 2.7], [4.5, -3.4, 2.7], [-3, 3, 2.5], [3, 3, 2.5]]
)
"""Tip of the nose, chin, outer corners of the eyes and corners of the mouth: the head of the common example
for cv2.solvePnP, with x to the right, y down and z away from the camera."""
POINTS68 = [30, 8, 36, 45, 48, 54]


def turn(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """The rotation that turns a face so, in a frame of x to the right, y down and z away."""
    turns = ((0, -pitch, 0, 0), (1, 0, -yaw, 0), (2, 0, 0, roll))
    result = np.eye(3)
    for axis, *angles in turns:
        vector = np.zeros(3)
        vector[axis] = np.radians(angles[axis])
        result = cv2.Rodrigues(vector)[0] @ result
    return result


@pytest.mark.parametrize("angles", [(25, 0, 0), (0, 20, 0), (0, 0, 170), (-40, -15, 30), (50, 10, -100)])
def test_the_mean_face_turned_by_known_angles(angles: tuple[float, float, float]) -> None:
    """All three come back, whatever the size and the place; turned right, the nose is right of the eyes."""
    seen = (MEAN_FACE @ turn(*angles).T)[:, :2] * 37 + [100, 20]
    found = estimate_head_pose(seen)
    assert found is not None
    assert found.rounded() == HeadPose(*map(float, angles))
    if angles == (25, 0, 0):
        assert seen[2, 0] > seen[:2, 0].mean()
    if angles == (0, 20, 0):
        assert seen[2, 1] < (MEAN_FACE[2, 1] * 37 + 20)


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.arange(10.0).reshape(5, 2), np.full((5, 2), np.nan)])
def test_points_that_are_no_face(points: np.ndarray) -> None:
    """Where nothing can be said, nothing is."""
    assert estimate_head_pose(points) is None


@pytest.fixture(scope="module")
def faces(small_photos: Mapping[str, Path]) -> list[tuple[Rgb, Box]]:
    """Photos of people who look in different directions, each with its best face."""
    detector = DETECTORS.create("yunet")
    pictures = [load_image(small_photos[name]) for name in ("obama", "obama2", "obama3", "biden", "hanks")]
    return [(rgb, detector.detect(rgb)[0].box) for rgb in pictures]


def estimate(faces: list[tuple[Rgb, Box]]) -> np.ndarray:
    """Yaw, pitch and roll of each, shape (n, 3)."""
    estimator = HeadPoseEstimator()
    found = [estimator.estimate(rgb, box) for rgb, box in faces]
    return np.array([(one.yaw, one.pitch, one.roll) for one in found if one is not None])


@pytest.mark.slow
def test_mirrored_and_rotated_photos(faces: list[tuple[Rgb, Box]]) -> None:
    """A mirror image has the opposite yaw and roll; a rotation is found in the roll, and hardly elsewhere."""
    poses = estimate(faces)
    assert len(poses) == len(faces)
    mirrored = [
        (
            np.ascontiguousarray(rgb[:, ::-1]),
            Box(rgb.shape[1] - b.xmax, b.ymin, rgb.shape[1] - b.xmin, b.ymax),
        )
        for rgb, b in faces
    ]
    assert estimate(mirrored) == pytest.approx(poses * [-1, 1, -1], abs=3)
    for degrees in (-20, 15):
        rotated = []
        for rgb, b in faces:
            centre = ((b.xmin + b.xmax) / 2, (b.ymin + b.ymax) / 2)
            matrix = cv2.getRotationMatrix2D(centre, -degrees, 1)  # OpenCV's are anticlockwise
            rotated.append((np.asarray(cv2.warpAffine(rgb, matrix, rgb.shape[1::-1]), np.uint8), b))
        moved = estimate(rotated) - poses
        assert moved[:, 2] == pytest.approx(degrees, abs=6)
        assert moved[:, 2].mean() == pytest.approx(degrees, abs=3)
        assert np.abs(moved[:, :2]).mean() < 8


def test_as_dlibs_68_points_say(faces: list[tuple[Rgb, Box]]) -> None:
    """The same side, and about the same angle, as OpenCV's perspective-n-point makes of 68 points."""
    theirs = []
    for rgb, box in faces:
        edges = [int(edge) for edge in (box.xmin, box.ymin, box.xmax, box.ymax)]
        found = detect_landmarks68(rgb, edges)
        seen = np.array([(found.part(number).x, found.part(number).y) for number in POINTS68], float)
        height, width = rgb.shape[:2]
        camera = np.array([[width, 0, width / 2], [0, width, height / 2], [0, 0, 1.0]])
        _, rotation, _ = cv2.solvePnP(REFERENCE, seen, camera, None, flags=cv2.SOLVEPNP_SQPNP)
        across, down, away = cv2.Rodrigues(rotation)[0]
        yaw, roll = np.arctan2(away[0], np.hypot(across[0], down[0])), np.arctan2(down[0], across[0])
        theirs.append(np.degrees([yaw, roll]))
    ours = estimate(faces)[:, [0, 2]]
    assert np.abs(ours - theirs).mean(axis=0).max() < 8
    assert np.corrcoef(ours[:, 0], np.array(theirs)[:, 0])[0, 1] > 0.9


def test_where_there_is_no_face(small_photos: Mapping[str, Path]) -> None:
    """A box around something else has no pose."""
    rgb = load_image(small_photos["nobody"])
    assert HeadPoseEstimator().estimate(rgb, Box(10, 10, 90, 90)) is None
