"""Strangers are named at no quality, and people enrolled are missed only where they are seen poorly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from face_det.embedders import DLIB_RESNET, SFACE
from face_det.engine.engine import Engine, EngineOptions, build_engine
from face_det.gallery.gallery import Gallery
from face_det.media.augment import compress_image, darken_image, shrink_to_face_width
from face_det.media.image import load_image
from face_det.recognition.decision import DecisionRule
from face_det.recognition.recognizer import match_faces
from face_det.training.train import refit_model
from face_det.types import UNKNOWN, Box, Face, Match, Outcome, Rgb

pytestmark = pytest.mark.usefixtures("shared_networks")

ENROLLED = {"Obama": ("obama", "obama2"), "Biden": ("biden",), "Driver": ("carphone", "carphone2")}
ASKED = {"obama3": "Obama", "obama": "Obama", "carphone3": "Driver", "biden": "Biden"}
STRANGERS = ("t1", "astronaut", "grace_hopper")
GOOD = 0.9


@pytest.fixture(scope="module")
def photos(small_photos: dict[str, Path]) -> dict[str, Path]:
    """Nothing here depends on how large a photo is."""
    return small_photos


def blur(share: float) -> Callable[[Rgb, Box], Rgb]:
    return lambda rgb, box: np.asarray(cv2.GaussianBlur(rgb, (0, 0), share * box.width))


def shrink(width_px: int) -> Callable[[Rgb, Box], Rgb]:
    return lambda rgb, box: shrink_to_face_width(rgb, box, width_px)


CHANGES: tuple[Callable[[Rgb, Box], Rgb], ...] = (
    lambda rgb, box: rgb,
    *(shrink(px) for px in (48, 32, 24, 18)),
    *(blur(share) for share in (0.02, 0.04, 0.07)),
    darken_image,
    compress_image,
)


@pytest.fixture(scope="module")
def engine() -> Engine:
    """The networks and limits of the shipped settings."""
    return build_engine(EngineOptions(embedder="sface"))


@pytest.fixture(scope="module")
def answers(engine: Engine, photos: Mapping[str, Path]) -> list[tuple[str | None, Face, Match]]:
    """Every face of every degraded photo, whose it is (None: a stranger's), and the decision about it."""
    people = [(name, photo) for name, several in ENROLLED.items() for photo in several]
    rows = np.array([largest(engine, load_image(photos[photo])).encoding for _, photo in people])
    # A gallery always has dlib's encodings; the model learns from SFace's.
    encodings = {DLIB_RESNET: np.eye(len(rows), 128), SFACE: rows}
    gallery = Gallery(encodings, [name for name, _ in people], {SFACE: engine.fingerprint})
    model = refit_model(None, gallery, kind="template")
    assert model is not None
    seen: list[tuple[str | None, Face]] = []
    for photo in (*ASKED, *STRANGERS):
        rgb = load_image(photos[photo])
        box = largest(engine, rgb).box
        for change in CHANGES:
            (faces,) = engine.faces([(change(rgb, box), None)])
            encoded = [face for face in faces if face.encoding is not None]
            seen += [(ASKED.get(photo), face) for face in encoded]
    matches = match_faces(model, DecisionRule(), [face for _, face in seen], [*range(len(seen))])
    return [(name, face, match) for (name, face), match in zip(seen, matches, strict=True)]


def largest(engine: Engine, rgb: Rgb) -> Face:
    (faces,) = engine.faces([(rgb, None)])
    return max(faces, key=lambda face: face.box.width)


def quality(face: Face) -> float:
    assert face.quality is not None
    return face.quality


@pytest.mark.slow
def test_strangers_are_named_at_no_quality(answers: list[tuple[str | None, Face, Match]]) -> None:
    """Faces of eight strangers in each band of quality, and none has a name of somebody enrolled."""
    bands: dict[bool, list[str | None]] = defaultdict(list)
    for name, face, match in answers:
        if name is None:
            bands[quality(face) >= GOOD].append(match.name)
    assert min(map(len, bands.values())) >= 8
    assert {given for names in bands.values() for given in names} <= {None, UNKNOWN}


@pytest.mark.slow
def test_people_who_are_seen_well_are_named(answers: list[tuple[str | None, Face, Match]]) -> None:
    """In the best band all are; below it they are named or uncertain, and never another person."""
    known = [(name, quality(face), match) for name, face, match in answers if name is not None]
    assert all(match.name == name for name, seen, match in known if seen >= GOOD)
    assert sum(seen >= GOOD for _, seen, _ in known) >= 10
    poor = [(name, match) for name, seen, match in known if seen < GOOD]
    assert len(poor) >= 5
    assert all(match.name == name or match.outcome is not Outcome.KNOWN for name, match in poor)


@pytest.mark.slow
def test_a_poor_face_is_no_certain_stranger(answers: list[tuple[str | None, Face, Match]]) -> None:
    """Whoever is called Unknown is seen well enough to say so."""
    assert all(quality(face) > 0.85 for _, face, match in answers if match.outcome is Outcome.UNKNOWN)
    assert any(match.outcome is Outcome.UNKNOWN for name, _, match in answers if name is None)
