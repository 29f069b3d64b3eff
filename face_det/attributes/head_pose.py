"""Where a head is turned: yaw, pitch and roll from five landmarks of the face."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from face_det.media import cut_square
from face_det.nets import DEFAULT_COMPUTE, Compute, Yunet, YunetFaces
from face_det.types import Box, HeadPose, Rgb

Points = npt.NDArray[np.floating]

MEAN_FACE = np.array(
    [[-0.5, 0.0, 0.0], [0.5, 0.0, 0.0], [0.0, 0.62, -0.35], [-0.42, 1.05, 0.0], [0.42, 1.05, 0.0]]
)
"""The eyes, the tip of the nose and the corners of the mouth of a mean face that looks at the camera, from
left to right in the picture: x to the right, y down, z away from the camera, in distances between the eyes.
The widths and heights are about those of YuNet's landmarks in frontal photos of LFW. The nose's depth is what
makes yaws as large as those that dlib's 68 points give. The eyes and the mouth are equally far away: that is
pitch 0."""

CROP_PX = 448
MARGIN = 0.35
"""The face is enlarged until its box is this share of its side away from the edges of a crop of CROP_PX. In
crops of 160 pixels, YuNet puts the eyes of tilted heads almost level: it sees an eighth of a tilt."""

MIN_SCORE = 0.3
"""YuNet's minimum score where a detector has already found a face."""

MIN_SPREAD = 1e-3
"""Least second singular value, relative to the first, of landmarks that are no line."""


class HeadPoseEstimator:
    """Finds the landmarks of a face in an enlarged crop, and its pose. May be called from several threads."""

    def __init__(self, compute: Compute = DEFAULT_COMPUTE) -> None:
        """Load YuNet; raises WeightsError if its weights are missing."""
        self._network = Yunet(compute)

    def estimate(self, rgb: Rgb, box: Box) -> HeadPose | None:
        """Return the pose of the face in a box of an image; None if YuNet sees no face in its middle."""
        side = max(box.width, box.height, 1.0)
        width = side * (1 + 2 * MARGIN)
        left, top = (box.xmin + box.xmax - width) / 2, (box.ymin + box.ymax - width) / 2
        crop = cut_square(rgb, left, top, width, CROP_PX)[0]
        # YuNet sees a face and its mirror image a few degrees apart; the mean is steadier than either.
        seen, mirrored = self._network.faces([crop, np.ascontiguousarray(crop[:, ::-1])], MIN_SCORE)
        reach = side / 2 * CROP_PX / width
        points, others = _central_landmarks(seen, reach), _central_landmarks(mirrored, reach)
        if points is None or others is None:
            return None
        return estimate_head_pose((points + _mirror(others)) / 2)


def _central_landmarks(found: YunetFaces, reach: float) -> Points | None:
    """Return the landmarks of the face nearest to the middle of the crop, if it is within `reach` pixels."""
    if not len(found.scores):
        return None
    middles = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    away = np.abs(middles - CROP_PX / 2).max(axis=1)
    nearest = int(away.argmin())
    return found.landmarks[nearest] if away[nearest] <= reach else None


def _mirror(points: Points) -> Points:
    """Return the landmarks in the crop of those in its mirror image, where left and right change places."""
    return np.array([CROP_PX - 1, 0]) - points[[1, 0, 2, 4, 3]] * [1, -1]


def estimate_head_pose(landmarks: Points) -> HeadPose | None:
    """Return the pose of a face from its landmarks, (5, 2): eyes, tip of the nose, corners of the mouth.

    Returns None if they are not finite, or lie on a line. The camera is taken to be far away (scaled
    orthography): the landmarks are an affine image of MEAN_FACE, fitted by least squares (DeMenthon and
    Davis, "Model-based object pose in 25 lines of code", 1995), and the rotation is the nearest one to it
    (Schoenemann, "A generalized solution of the orthogonal Procrustes problem", 1966). A rotation of the
    picture changes the roll by its angle, and nothing else.

    >>> estimate_head_pose(100 * MEAN_FACE[:, :2] + 50).rounded()
    HeadPose(yaw=0.0, pitch=0.0, roll=0.0)
    >>> turned = MEAN_FACE[:, :2] + [[0, 0], [0, 0], [0.1, 0], [0, 0], [0, 0]]
    >>> estimate_head_pose(turned).yaw > 10
    True
    """
    points = np.asarray(landmarks, np.float64)
    if not np.isfinite(points).all():
        return None
    model = MEAN_FACE - MEAN_FACE.mean(axis=0)
    affine = (np.linalg.pinv(model) @ (points - points.mean(axis=0))).T
    left, scales, right = np.linalg.svd(affine, full_matrices=False)
    if not scales[1] > MIN_SPREAD * scales[0]:
        return None
    across, down = left @ right
    away = np.cross(across, down)
    return HeadPose(
        yaw=_degrees(away[0], np.hypot(across[0], down[0])),
        pitch=-_degrees(away[1], away[2]),
        roll=_degrees(down[0], across[0]),
    )


def _degrees(opposite: float, adjacent: float) -> float:
    return float(np.degrees(np.arctan2(opposite, adjacent)))
