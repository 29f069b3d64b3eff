"""Several views of a face on dlib's network: what they are, and what they are good for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import dlib
import numpy as np
import pytest

from face_det.detectors.specs import DETECTORS
from face_det.embedders import alignment
from face_det.embedders import create as menu
from face_det.embedders.dlib_views import VIEW_PADDINGS, VIEWS_PER_FACE, DlibViewsEmbedder
from face_det.media import image
from face_det.nets.compute import DEFAULT_COMPUTE
from face_det.types import Detection, Encodings, Rgb


@pytest.fixture(scope="module")
def photos(small_photos: dict[str, Path]) -> dict[str, Path]:
    """Nothing here depends on how large a photo is."""
    return small_photos


@pytest.fixture(scope="module")
def views() -> DlibViewsEmbedder:
    """The embedder with a network of its own."""
    made = menu.create_embedder("dlib_views", DEFAULT_COMPUTE, "fast")
    assert isinstance(made, DlibViewsEmbedder)
    return made


def largest(path: Path) -> tuple[Rgb, Detection]:
    """Return a photo and its most confident detection."""
    rgb = image.load_image(path)
    return rgb, DETECTORS.create("hog").detect(rgb, 1)[0]


def plain(views: DlibViewsEmbedder, chips: list[Rgb]) -> Encodings:
    return views.parts[0].embed(chips)


def test_the_mean_of_the_views(views: DlibViewsEmbedder, photos: Mapping[str, Path]) -> None:
    """dlib's own chips at three paddings, each also mirrored, for each face of a batch by itself."""
    faces = [largest(photos[name]) for name in ("obama", "biden")]
    chips = [views.align(*face) for face in faces]
    expected = []
    for rgb, detection in faces:
        found = alignment.detect_landmarks5_in_box(rgb, detection.box)
        cut = [dlib.get_face_chip(rgb, found, 150, padding) for padding in (0.25, 0.15, 0.35)]
        expected.append(plain(views, [one for chip in cut for one in (chip, chip[:, ::-1])]).mean(axis=0))
        assert len(cut) * 2 == VIEWS_PER_FACE
    np.testing.assert_allclose(views.embed(chips), expected, atol=1e-6)
    np.testing.assert_array_equal(chips[0][0], views.parts[0].align(*faces[0]))
    assert VIEW_PADDINGS[0] == alignment.DLIB_CHIP_PADDING


def test_with_jitters(views: DlibViewsEmbedder, photos: Mapping[str, Path]) -> None:
    """That many resamples are averaged with the views."""
    chip = views.align(*largest(photos["obama"]))
    jittered = views.parts[0].embed([chip[0]], 4)
    expected = (VIEWS_PER_FACE * views.embed([chip]) + 4 * jittered) / (VIEWS_PER_FACE + 4)
    np.testing.assert_allclose(views.embed([chip], 4), expected, atol=1e-6)


def test_a_mirror_image_is_the_same_face(views: DlibViewsEmbedder, photos: Mapping[str, Path]) -> None:
    """A shifted photo is another photo to one view; the views hardly see the difference."""
    rgb, detection = largest(photos["obama"])
    chip = views.align(rgb, detection)
    turned = chip[:, :, ::-1]
    apart = np.linalg.norm(np.diff(views.embed([chip, turned]), axis=0))
    apart_by_one = np.linalg.norm(np.diff(plain(views, [chip[0], turned[0]]), axis=0))
    assert apart < 1e-6 < 0.05 < apart_by_one


def test_its_fingerprint_is_not_that_of_one_view(views: DlibViewsEmbedder) -> None:
    """The weights are the same and the alignment differs: the fingerprints must not be mixed."""
    one = views.parts[0].fingerprint
    assert views.fingerprint.split(":")[1] == one.split(":")[1]
    assert views.fingerprint == f"dlib_views:{one.split(':')[1]}:landmarks5-150-0.25-0.15-0.35-mirrored"
