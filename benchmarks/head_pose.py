"""Compare head poses with what OpenCV makes of dlib's 68 points: python benchmarks/head_pose.py FOLDER.

FOLDER holds photos, each with one face in its middle, such as those of Labeled Faces in the Wild. Every
--step-th is used. Prints the mean difference in degrees to cv2.solvePnP (SQPNP) on six of the 68 points, to
the pose in the mirrored photo, in the photo rotated by 20 degrees, and where the face is 40 px wide; and the
processor's time. The figures in docs/reference/attributes.md come from it.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import dlib
import numpy as np
import numpy.typing as npt

from face_det.attributes import HeadPoseEstimator
from face_det.detectors import DETECTORS
from face_det.embedders import detect_landmarks68
from face_det.media import load_image, resize_image
from face_det.nets import Compute
from face_det.types import Box, HeadPose, Rgb

HEAD = np.array([[0, 0, 0], [0, 6.6, 1.3], [-4.5, -3.4, 2.7], [4.5, -3.4, 2.7], [-3, 3, 2.5], [3, 3, 2.5]])
POINTS68 = [30, 8, 36, 45, 48, 54]
SMALL_PX = 40
TURN = 20

Angles = npt.NDArray[np.float64]
Photo = tuple[Rgb, Box]


def reference(rgb: Rgb, edges: list[int]) -> Angles:
    """Return yaw, pitch and roll in degrees, as OpenCV makes them of dlib's points in dlib's box."""
    found = detect_landmarks68(rgb, edges)
    seen = np.array([(found.part(number).x, found.part(number).y) for number in POINTS68], float)
    height, width = rgb.shape[:2]
    camera = np.array([[width, 0, width / 2], [0, width, height / 2], [0, 0, 1.0]])
    _, vector, _ = cv2.solvePnP(HEAD, seen, camera, None, flags=cv2.SOLVEPNP_SQPNP)
    across, down, away = cv2.Rodrigues(vector)[0]
    yaw, roll = np.arctan2(away[0], np.hypot(across[0], down[0])), np.arctan2(down[0], across[0])
    return np.degrees([yaw, -np.arctan2(away[1], away[2]), roll])


def angles(found: HeadPose | None) -> Angles:
    """Return yaw, pitch and roll; not-a-number where there is no pose."""
    return np.full(3, np.nan) if found is None else np.array([found.yaw, found.pitch, found.roll])


def mirrored(rgb: Rgb, box: Box) -> Photo:
    """Return the mirror image."""
    return np.ascontiguousarray(rgb[:, ::-1]), Box(
        rgb.shape[1] - box.xmax, box.ymin, rgb.shape[1] - box.xmin, box.ymax
    )


def rotated(rgb: Rgb, box: Box) -> Photo:
    """Return the photo turned clockwise around the face."""
    middle = (box.xmin + box.xmax) / 2, (box.ymin + box.ymax) / 2
    matrix = cv2.getRotationMatrix2D(middle, -TURN, 1)
    return np.asarray(cv2.warpAffine(rgb, matrix, rgb.shape[1::-1]), np.uint8), box


def shrunk(rgb: Rgb, box: Box) -> Photo:
    """Return the photo in which the face is SMALL_PX wide."""
    share = SMALL_PX / box.width
    small = resize_image(rgb, round(rgb.shape[1] * share), round(rgb.shape[0] * share))
    return small, Box(*(edge * share for edge in (box.xmin, box.ymin, box.xmax, box.ymax)))


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--step", type=int, default=5)
    asked = parser.parse_args()
    detector, hog = DETECTORS.create("yunet"), dlib.get_frontal_face_detector()
    estimator = HeadPoseEstimator(Compute(threads=1))
    rows, spent = [], 0.0
    for path in sorted(asked.folder.rglob("*.jpg"))[:: asked.step]:
        rgb = load_image(path)
        found = detector.detect(rgb)
        dlibs = [one for one in hog(rgb, 1) if one.contains(rgb.shape[1] // 2, rgb.shape[0] // 2)]
        if not found or not dlibs:
            continue
        photo = rgb, found[0].box
        theirs = reference(rgb, [dlibs[0].left(), dlibs[0].top(), dlibs[0].right(), dlibs[0].bottom()])
        start = time.process_time()
        ours = angles(estimator.estimate(*photo))
        spent += time.process_time() - start
        others = [angles(estimator.estimate(*change(*photo))) for change in (mirrored, rotated, shrunk)]
        rows.append([theirs, ours, *others])
    found_all = np.array(rows)
    seen = found_all[~np.isnan(found_all).any(axis=(1, 2))]
    theirs, ours, mirror, turned, small = seen.transpose(1, 0, 2)
    print(
        f"{len(rows)} faces, {len(seen)} with a pose in all versions; {1000 * spent / len(rows):.1f} ms each"
    )
    for name, wanted, got in (
        ("dlib's 68 points", theirs, ours),
        ("the mirrored photo", ours * [-1, 1, -1], mirror),
        (f"the photo rotated by {TURN}", ours + np.array([0, 0, TURN]), turned),
        (f"the face at {SMALL_PX} px", ours, small),
    ):
        off = got - wanted
        related = [float(np.corrcoef(wanted[:, axis], got[:, axis])[0, 1]) for axis in range(3)]
        mean, bias = np.abs(off).mean(axis=0).round(1), off.mean(axis=0).round(1)
        print(f"{name}: mean difference {mean}, bias {bias}, correlation {np.round(related, 2)}")


if __name__ == "__main__":
    main()
