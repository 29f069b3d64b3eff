"""A face's quality falls with what makes faces hard to recognise, and reaches every answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from face_det.engine.engine import Engine, EngineOptions, build_engine
from face_det.engine.isolated_engine import build_isolated_engine
from face_det.engine.quality import estimate_quality
from face_det.media.augment import darken_image
from face_det.types import Box, Face, Reason, Rgb

pytestmark = pytest.mark.usefixtures("shared_networks")

OPTIONS = EngineOptions("auto", "sface", min_face_px=10)


@pytest.fixture(scope="module")
def engine() -> Engine:
    """The default detector with SFace."""
    return build_engine(OPTIONS)


@pytest.fixture(scope="module")
def portrait(photos: Mapping[str, Path]) -> Rgb:
    """A face of some 100 px."""
    picture = PIL.Image.open(photos["obama"]).convert("RGB")
    picture.thumbnail((300, 300))
    return np.array(picture)


def seen(engine: Engine, rgb: Rgb) -> Face:
    ((face,),) = engine.faces([(rgb, None)])
    assert face.quality is not None
    assert 0 <= face.quality <= 1
    return face


def quality(engine: Engine, rgb: Rgb) -> float:
    return seen(engine, rgb).quality or 0.0


def test_what_makes_a_face_hard_lowers_its_quality(engine: Engine, portrait: Rgb) -> None:
    """Size, blur, dark, each in steps."""
    good = quality(engine, portrait)
    assert good > 0.95
    sizes = [
        quality(engine, cv2.resize(portrait, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))
        for factor in (0.35, 0.2, 0.13)
    ]
    assert good > sizes[0] > sizes[1] > sizes[2]
    assert sizes[2] < 0.7
    blurred = [quality(engine, cv2.GaussianBlur(portrait, (0, 0), sigma)) for sigma in (2, 5)]
    assert good > blurred[0] > blurred[1]
    box = seen(engine, portrait).box
    assert quality(engine, darken_image(portrait, box)) < good


def test_the_norm_is_that_of_the_network(engine: Engine, portrait: Rgb) -> None:
    """Whatever the jitters, the norm is the unchanged face's, and the encoding has length 1."""
    once = seen(engine, portrait)
    several = seen(engine.with_options(replace(OPTIONS, jitters=3)), portrait)
    assert once.norm is not None
    assert once.norm > 5
    assert several.norm == pytest.approx(once.norm, rel=1e-4)
    assert several.encoding is not None
    assert np.linalg.norm(several.encoding) == pytest.approx(1)


def test_faces_without_an_encoding_have_a_quality_too(engine: Engine, portrait: Rgb) -> None:
    """A face that is too small is assessed by its size, sharpness and score alone."""
    small = seen(engine.with_options(replace(OPTIONS, min_face_px=290)), portrait)
    assert (small.reason, small.norm) == (Reason.TOO_SMALL, None)


def test_dlibs_encodings_have_no_norm(portrait: Rgb) -> None:
    """Joined with SFace's they have: SFace's."""
    alone = seen(build_engine(replace(OPTIONS, embedder="dlib_resnet")), portrait)
    joined = seen(build_engine(replace(OPTIONS, embedder="both")), portrait)
    assert (alone.norm, joined.norm is None) == (None, False)
    assert alone.quality is not None


def test_a_process_of_its_own_says_the_same(engine: Engine, portrait: Rgb) -> None:
    """Quality and norm come back with the face; a person's box is searched as one."""
    isolated = build_isolated_engine(OPTIONS, 1, 0)
    for box in (None, Box(0, 0, portrait.shape[1], portrait.shape[0])):
        ((here,),) = engine.faces([(portrait, box)])
        ((there,),) = isolated.faces([(portrait, box)])
        assert there.quality == pytest.approx(here.quality, abs=1e-4)
        assert there.norm == pytest.approx(here.norm, rel=1e-4)
        assert there.box == here.box


def test_only_yunets_score_counts() -> None:
    """What another detector's score says about quality is not known."""
    face = Face(Box(0, 0, 60, 80), 0.75, 200.0, None, None, norm=11.0)
    sure = replace(face, score=0.95)
    assert estimate_quality(face, "cnn") == estimate_quality(sure, "cnn")
    assert estimate_quality(face, "yunet") < estimate_quality(sure, "yunet")
