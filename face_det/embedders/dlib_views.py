"""dlib's ResNet on several views of each face: what decisions by dlib's encodings rest on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from face_det.embedders import alignment, specs
from face_det.embedders.alignment import DLIB_CHIP_PADDING, DLIB_CHIP_PX
from face_det.embedders.dlib_resnet import DlibResnetEmbedder
from face_det.embedders.jitter import sum_sample_encodings
from face_det.nets import DEFAULT_COMPUTE, RESNET_BATCH, RESNET_DIMENSIONS, Compute
from face_det.registry import create_by_name
from face_det.types import Detection, Encodings, Rgb

VIEW_PADDINGS = (DLIB_CHIP_PADDING, DLIB_CHIP_PADDING - 0.1, DLIB_CHIP_PADDING + 0.1)
"""Room around the face in each of the views: dlib's own, nearer, farther."""

VIEWS_PER_FACE = 2 * len(VIEW_PADDINGS)
"""Views of a face."""


class DlibViewsEmbedder:
    """The mean of dlib's encodings of a face from three distances, each mirrored as well.

    Of pairs of photos in LFW it gets a third fewer wrong than one view, and a decision by it names as
    many people rightly at 0.1 % of strangers as by one view at 0.5 % (docs/adr/0015-views.md).
    `plain`, the embedder of one view, is loaded unless it is given.
    """

    name = "dlib_views"
    dimensions = RESNET_DIMENSIONS

    def __init__(
        self,
        compute: Compute = DEFAULT_COMPUTE,
        jitter: str = "dlib",
        plain: DlibResnetEmbedder | None = None,
    ) -> None:
        self._plain = plain or DlibResnetEmbedder(compute, jitter)
        self.parts = (self._plain,)
        weights = self._plain.fingerprint.split(":")[1]
        paddings = "-".join(f"{padding:.2f}" for padding in VIEW_PADDINGS)
        self.fingerprint = f"{self.name}:{weights}:landmarks5-{DLIB_CHIP_PX}-{paddings}-mirrored"
        self._jitter = create_by_name(specs.JITTERS, jitter)
        self.runtime = self._plain.runtime

    def align(self, rgb: Rgb, detection: Detection) -> npt.NDArray[np.uint8]:
        """The face as upright chips, shape (3, 150, 150, 3)."""
        found = alignment.detect_landmarks5_in_box(rgb, detection.box)
        return np.stack([alignment.cut_chip(rgb, found, padding) for padding in VIEW_PADDINGS])

    def embed(self, chips: Sequence[npt.NDArray[np.uint8]], jitters: int = 1) -> Encodings:
        """Encodings of faces' chips, shape (len(chips), 128).

        With more than one of `jitters`, so many re-samples are averaged with the views.
        """
        resampled = jitters if jitters > 1 else 0
        samples = [self._samples(views, resampled) for views in chips]
        return sum_sample_encodings(samples, self._plain.embed, RESNET_BATCH, self.dimensions) / (
            VIEWS_PER_FACE + resampled
        )

    def _samples(self, views: npt.NDArray[np.uint8], resampled: int) -> Iterator[Rgb]:
        for view in views:
            yield view
            yield view[:, ::-1]
        if resampled:
            yield from self._jitter.resampled(views[0], resampled)
