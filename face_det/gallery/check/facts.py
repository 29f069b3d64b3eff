"""Measures the size and sharpness of the face in each photo, and hashes the picture.

Finding a face takes time, so the facts are kept in a file beside the encodings, by the photo's sha256.
Nothing depends on that file: a damaged one is rebuilt.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from face_det.detectors import DETECTORS
from face_det.engine import FaceEngine
from face_det.errors import DataError, FaceDetError
from face_det.gallery.encoding_cache import read_photo
from face_det.media import crop_box, load_image, measure_focus, resize_image
from face_det.storage import read_if_present, write_atomically
from face_det.types import Box, Reason, Rgb

log = logging.getLogger(__name__)

SHARPNESS_PX = 112
"""Sharpness is measured on a face scaled to this side in pixels, about what networks see, so that it means
the same in a photo of any size."""
HASH_SIDE = 16
"""A difference hash has 16 x 16 bits; each says whether the picture gets brighter to the right there."""

_FORMAT = 1
_SAVED_EVERY_S = 10.0
_GREY = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in the luma of ITU-R BT.601."""


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """What was measured in a photo.

    `face_px` is the shorter side of the face's box in pixels, and `sharpness` the variance of the
    Laplacian of the face at SHARPNESS_PX; both are None if there is no face. `picture_hash` is the
    difference hash of the picture in hex.
    """

    face_px: float | None
    sharpness: float | None
    picture_hash: str


def facts_path(encodings: Path) -> Path:
    """Return the path of the facts file that belongs to an encodings file.

    >>> facts_path(Path("encodings.pickle")).name
    'encodings.facts.json'
    """
    return encodings.with_name(f"{encodings.stem}.facts.json")


def collect_facts(
    photos: Mapping[str, Path], engine: FaceEngine, kept: Path, on_progress: Callable[[int, int], None]
) -> dict[str, PhotoFacts]:
    """Return the facts of photos, given as sha256 -> path; photos that can no longer be read are left out.

    Facts are read from and saved to the file `kept`, even after an interrupt; facts about other photos
    are removed from it. `on_progress` is called with (photos done, photos in total).
    """
    options = replace(engine.options, focus_threshold=math.inf)  # so that no face is encoded
    finder = engine.with_options(options)
    parts = [
        _FORMAT,
        DETECTORS.identify(options.detector),
        options.upsample,
        options.min_face_px,
        options.compute.precision,
    ]
    settings = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    found = {sha256: facts for sha256, facts in read_facts(kept, settings).items() if sha256 in photos}
    changed = False
    saved = time.monotonic()
    try:
        for done, (sha256, path) in enumerate(sorted(photos.items(), key=lambda item: item[1])):
            if sha256 not in found and (facts := _measure_photo(path, sha256, finder)) is not None:
                found[sha256] = facts
                changed = True
            on_progress(done + 1, len(photos))
            if changed and time.monotonic() - saved > _SAVED_EVERY_S:
                _write_facts(kept, settings, found)
                saved, changed = time.monotonic(), False
    finally:
        if changed:
            _write_facts(kept, settings, found)
    return found


def difference_hash(rgb: Rgb) -> str:
    """Return the difference hash of a picture: HASH_SIDE x HASH_SIDE bits in hex.

    It hardly changes when a picture is scaled, saved again or brightened. Source: N. Krawetz, "Kind of
    like that", 2013.

    >>> difference_hash(np.zeros((64, 64, 3), dtype=np.uint8)) == "00" * 32
    True
    """
    grey = resize_image(rgb, HASH_SIDE + 1, HASH_SIDE) @ _GREY
    return np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes().hex()


def measure_sharpness(rgb: Rgb, box: Box) -> float:
    """Return the variance of the Laplacian of the face in `box` at SHARPNESS_PX; 0.0 for an empty box.

    >>> measure_sharpness(np.zeros((64, 64, 3), dtype=np.uint8), Box(0, 0, 32, 32))
    0.0
    """
    part = crop_box(rgb, box)
    if part is None:
        return 0.0
    scaled = resize_image(part, SHARPNESS_PX, SHARPNESS_PX)
    return measure_focus(scaled, Box(0, 0, SHARPNESS_PX, SHARPNESS_PX))


def _measure_photo(path: Path, sha256: str, finder: FaceEngine) -> PhotoFacts | None:
    try:
        read, data = read_photo(path)
        rgb = load_image(data)
    except DataError as error:
        log.info("%s: %s", path, error)
        return None
    if read != sha256:
        return None  # it has just been replaced
    (faces,) = finder.faces([(rgb, None)])
    best = next((face for face in faces if face.reason is not Reason.TOO_SMALL), next(iter(faces), None))
    if best is None:
        return PhotoFacts(None, None, difference_hash(rgb))
    return PhotoFacts(float(best.box.shorter_side), measure_sharpness(rgb, best.box), difference_hash(rgb))


def read_facts(path: Path, settings: str) -> dict[str, PhotoFacts]:
    """Return the facts kept at `path`, by each photo's sha256; none if measured with other settings."""
    try:
        content = json.loads(read_if_present(path, 2**30) or b"{}")
        if content.get("settings") != settings:
            return {}
        rows = {sha256: PhotoFacts(*row) for sha256, row in content["photos"].items()}
        for facts in rows.values():
            if len(bytes.fromhex(facts.picture_hash)) * 8 != HASH_SIDE * HASH_SIDE:
                raise ValueError(f"hashes must be {HASH_SIDE * HASH_SIDE} bits")
            if not all(
                type(number) in (int, float, type(None)) for number in (facts.face_px, facts.sharpness)
            ):
                raise TypeError("sizes and sharpness must be numbers")
    except (DataError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        log.warning("%s: cannot be used (%s); photos are measured again", path, error)
        return {}
    return rows


def _write_facts(path: Path, settings: str, found: Mapping[str, PhotoFacts]) -> None:
    rows = {sha256: [facts.face_px, facts.sharpness, facts.picture_hash] for sha256, facts in found.items()}
    try:
        write_atomically(path, json.dumps({"settings": settings, "photos": rows}).encode())
    except FaceDetError as error:
        log.warning("%s; continuing without it", error)
