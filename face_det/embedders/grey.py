"""Grey faces as encodings: the aligned, equalised pixels, from which the classic recognisers learn.

No network sees them. Their distances say more about light and pose than about who it is, so this embedder is
used only if it is asked for, and `all` does without it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from face_det.embedders.alignment import ARCFACE_CHIP_PX, FaceAligner
from face_det.embedders.specs import GREY_SIDE_PX
from face_det.media import equalise_grey, warp_to_square
from face_det.nets import DEFAULT_COMPUTE, Compute
from face_det.types import Detection, Encodings, Rgb


class GreyEmbedder:
    """Five landmarks align the face in a square of 100 px, whose grey values, 0 to 255, are the encoding.

    They are spread evenly over that range (histogram equalisation), which takes out most of the exposure.
    Jitters change nothing: a mean of shifted pixels is not a face, but a blur.
    """

    name = "grey"
    dimensions = GREY_SIDE_PX**2
    fingerprint = f"grey:equalised-{GREY_SIDE_PX}:yunet4"

    def __init__(self, compute: Compute = DEFAULT_COMPUTE, jitter: str = "dlib") -> None:
        """Load what finds the landmarks; there is nothing to jitter."""
        self._aligner = FaceAligner(compute)
        self.runtime = self._aligner.runtime

    def align(self, rgb: Rgb, detection: Detection) -> Rgb:
        """Align a face as an upright, equalised grey square, shape (100, 100)."""
        zoom = GREY_SIDE_PX / ARCFACE_CHIP_PX
        return equalise_grey(
            warp_to_square(rgb, zoom * self._aligner.find_transform(rgb, detection), GREY_SIDE_PX)
        )

    def embed(self, chips: Sequence[Rgb], jitters: int = 1) -> Encodings:
        """Return the pixels row by row, shape (len(chips), 10,000), as whole numbers from 0 to 255."""
        return np.array(chips, np.float64).reshape(len(chips), self.dimensions)
