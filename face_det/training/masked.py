"""Masked copies of photos: drawn onto the face that each photo is about, and trained on as well."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from face_det.embedders import ARCFACE_TEMPLATE, DLIB_AND_SFACE, FaceAligner, split_fingerprint
from face_det.engine import FaceEngine
from face_det.errors import DataError, ModelMismatch
from face_det.gallery import EncodingCache, FaceChoice, Gallery, encode_portraits, list_photos
from face_det.media import draw_mask
from face_det.nets import Compute
from face_det.types import Detection, Face, Rgb

MASKED_CHANGE = "masked"
"""The change, among those that are made to photos."""


class FaceMasker:
    """Draws masks; finds the points of a face by itself. Raises WeightsError without YuNet's weights."""

    def __init__(self, compute: Compute) -> None:
        self._upright = FaceAligner(compute)

    def __call__(self, rgb: Rgb, face: Face) -> Rgb:
        """The photo with a mask on that face."""
        points = self._upright.points(rgb, face.box)
        if points is None:
            # Where they are in a chip, led back into the picture: dlib's landmarks say how it lies.
            matrix = self._upright.matrix(rgb, Detection(face.box, face.score))
            turn, shift = matrix[:, :2], matrix[:, 2]
            points = np.linalg.solve(turn, (ARCFACE_TEMPLATE - shift).T).T
        return draw_mask(rgb, points)


def add_masked_copies(
    gallery: Gallery,
    dataset: Path,
    engine: FaceEngine,
    cache: EncodingCache,
    *,
    jobs: int,
    on_progress: Callable[[int, int], None],
) -> Gallery:
    """The gallery, and the encodings of a masked copy of each photo in the dataset that has one face.

    `engine` is one to enrol with: what it makes of a copy and the gallery does not have is let go. A copy
    in which no face is found any more is left out. Raises ModelMismatch if the gallery was made by another
    network, DataError for a dataset that cannot be read or of which nothing is left, and what the networks
    raise.
    """
    for embedder, made_by in split_fingerprint(engine.fingerprint).items():
        noted = gallery.fingerprint_of(embedder) if embedder in gallery.embedders else None
        if noted not in (None, made_by):
            raise ModelMismatch(f"encodings: must be of {made_by}, got {noted}; run 'face-det encode'")
    photos = [(name, path) for name, paths in list_photos(dataset).items() for path in paths]
    outcomes = encode_portraits(
        [path for _, path in photos],
        engine,
        cache,
        changes={MASKED_CHANGE: FaceMasker(engine.options.compute)},
        choice=FaceChoice.ONLY,
        jobs=jobs,
        on_progress=on_progress,
    )
    found = [(name, outcomes[path, MASKED_CHANGE].encoding) for name, path in photos]
    rows = [(name, encoding) for name, encoding in found if encoding is not None]
    if not rows:
        raise DataError(
            f"{dataset}: must hold photos whose face is found behind a mask, too, got none of {len(photos)}"
        )
    masks = Gallery.from_rows([row for _, row in rows], [name for name, _ in rows], engine.fingerprint)
    kept = [name for name in gallery.embedders if name in masks.embedders and name != DLIB_AND_SFACE]
    return Gallery(
        {name: np.vstack([gallery.of(name), masks.of(name)]) for name in kept},
        (*gallery.names, *masks.names),
        {name: text for name in kept if (text := gallery.fingerprint_of(name))},
    )
