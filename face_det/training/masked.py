"""Makes masked copies of photos, each with a mask drawn on its face, to train on as well."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from face_det.embedders import ARCFACE_TEMPLATE, DLIB_AND_SFACE, DLIB_RESNET, FaceAligner, split_fingerprint
from face_det.engine import FaceEngine
from face_det.errors import DataError, ModelMismatch
from face_det.gallery import EncodingCache, FaceChoice, Gallery, encode_portraits, list_photos
from face_det.media import draw_mask
from face_det.nets import Compute
from face_det.types import Detection, Face, Rgb

MASKED_CHANGE = "masked"
"""The name of this change, among the changes made to photos."""


class FaceMasker:
    """Draws masks, and finds the landmarks it needs. Raises WeightsError if YuNet's weights are missing."""

    def __init__(self, compute: Compute) -> None:
        self._aligner = FaceAligner(compute)

    def __call__(self, rgb: Rgb, face: Face) -> Rgb:
        """Return the photo, shape (h, w, 3), with a mask on that face."""
        points = self._aligner.find_landmarks(rgb, face.box)
        if points is None:
            # Map the points of an aligned crop back into the picture; dlib's landmarks say how it lies.
            matrix = self._aligner.find_transform(rgb, Detection(face.box, face.score))
            rotation, shift = matrix[:, :2], matrix[:, 2]
            points = np.linalg.solve(rotation, (ARCFACE_TEMPLATE - shift).T).T
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
    """Add the encodings of a masked copy of each photo in the dataset that shows exactly one face.

    `engine` is the one used to enrol; encodings of embedders that the gallery lacks are dropped. A copy in
    which no face is found any more is left out. `on_progress` gets (done, total). Returns a new gallery.

    Raises ModelMismatch if another network encoded the gallery, DataError if the dataset cannot be read or no
    copy is left, and whatever the networks raise.
    """
    for embedder, made_by in split_fingerprint(engine.fingerprint).items():
        recorded = gallery.fingerprint_of(embedder) if embedder in gallery.embedders else None
        if recorded not in (None, made_by):
            raise ModelMismatch(f"encodings: must be of {made_by}, got {recorded}; run 'face-det encode'")
    photos = [(name, path) for name, paths in list_photos(dataset).items() for path in paths]
    results = encode_portraits(
        [path for _, path in photos],
        engine,
        cache,
        changes={MASKED_CHANGE: FaceMasker(engine.options.compute)},
        choice=FaceChoice.ENROLLED,
        jobs=jobs,
        on_progress=on_progress,
    )
    found = [(name, results[path, MASKED_CHANGE].encoding) for name, path in photos]
    rows = [(name, encoding) for name, encoding in found if encoding is not None]
    if not rows:
        raise DataError(
            f"{dataset}: must hold photos whose face is found behind a mask, got none of {len(photos)}"
        )
    masks = Gallery.from_rows([row for _, row in rows], [name for name, _ in rows], engine.fingerprint)
    kept = [name for name in gallery.embedders if name in masks.embedders and name != DLIB_AND_SFACE]
    return Gallery(
        {name: np.vstack([gallery.of(name), masks.of(name)]) for name in kept},
        (*gallery.names, *masks.names),
        {name: text for name in kept if (text := gallery.fingerprint_of(name))},
    )


def describe_masked_copies(copies: int, encodings: Path, embedder: str) -> list[str]:
    """Say what training on that many masked copies means, for models of that embedder.

    `encodings` is the file that the gallery without the copies came from.

    >>> describe_masked_copies(3, Path("encodings.pickle"), "sface")  # doctest: +ELLIPSIS
    ['3 masked copies were trained on as well; ...']
    """
    notes = [
        f"{copies} masked copies were trained on as well; {encodings} does not contain them, so what the "
        "daemon trains next will be without them"
    ]
    if embedder == DLIB_RESNET:
        notes.append(
            "in dlib's encodings, faces in masks are much alike, so many more faces without a mask will stay "
            "unnamed (half of LFW's); with sface hardly any will"
        )
    return notes
