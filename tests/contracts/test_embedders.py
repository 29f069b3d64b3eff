"""One suite for every embedder on the menu."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from face_det.detectors import DETECTORS
from face_det.embedders import EMBEDDERS, GREY, JITTERS, create, joined_embedders
from face_det.nets.compute import Compute
from face_det.types import CompositeEmbedder, Detection, Embedder, Rgb


@pytest.fixture(scope="module")
def photos(small_photos: dict[str, Path]) -> dict[str, Path]:
    """Nothing here depends on how large a photo is."""
    return small_photos


@pytest.fixture(params=sorted(EMBEDDERS), scope="module")
def embedder(request: pytest.FixtureRequest) -> Embedder:
    """Each embedder on the menu, single or joined."""
    return create.create_embedder(request.param, Compute(threads=1), "dlib")


@pytest.fixture(scope="module")
def chips(embedder: Embedder, photos: Mapping[str, Path]) -> dict[str, Rgb]:
    """One aligned face of each photo."""
    detector = DETECTORS.create("hog")
    aligned = {}
    for name in ("obama", "obama2", "biden"):
        rgb = np.array(PIL.Image.open(photos[name]).convert("RGB"))
        detection: Detection = detector.detect(rgb, 0)[0]
        aligned[name] = embedder.align(rgb, detection)
    return aligned


def test_shapes(embedder: Embedder, chips: dict[str, Rgb]) -> None:
    """One row of float64 per chip, and none for no chips."""
    encodings = embedder.embed(list(chips.values()))
    assert encodings.shape == (3, embedder.dimensions)
    assert encodings.dtype == np.float64
    assert embedder.embed([]).shape == (0, embedder.dimensions)


def test_a_batch_is_its_faces(embedder: Embedder, chips: dict[str, Rgb]) -> None:
    """A face's encoding does not depend on who else is in the batch."""
    together = embedder.embed(list(chips.values()))
    alone = np.vstack([embedder.embed([chip]) for chip in chips.values()])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_same_person_is_nearer(embedder: Embedder, chips: dict[str, Rgb]) -> None:
    """Two photos of one person are nearer to each other than photos of two people; of pixels, a little."""
    obama, obama2, biden = embedder.embed([chips["obama"], chips["obama2"], chips["biden"]])
    share = 1.0 if embedder.name == GREY else 0.8
    assert np.linalg.norm(obama - obama2) < share * np.linalg.norm(obama - biden)


@pytest.mark.parametrize("jitter", sorted(JITTERS))
def test_jitter_stays_near(embedder: Embedder, chips: dict[str, Rgb], jitter: str) -> None:
    """Resampling moves an encoding a little, not away, and does not change the fingerprint.

    Pixels do not move at all, and are whole numbers.
    """
    jittering = create.create_embedder(embedder.name, Compute(threads=1), jitter)
    plain, jittered = embedder.embed([chips["obama"]])[0], jittering.embed([chips["obama"]], 5)[0]
    if embedder.name == GREY:
        assert np.array_equal(plain, jittered)
        assert np.array_equal(plain, plain.astype(EMBEDDERS[GREY].stored_as))
    else:
        assert 0 < np.linalg.norm(plain - jittered) < 0.3
    assert jittering.fingerprint == embedder.fingerprint


def test_fingerprint_names_the_embedder(embedder: Embedder) -> None:
    """Encodings of two embedders are never mixed: the fingerprint tells them apart."""
    assert embedder.fingerprint.startswith(embedder.name)


def test_joined_are_their_parts(chips: dict[str, Rgb], embedder: Embedder) -> None:
    """Each part equals what its embedder makes alone, and networks that are loaded are not loaded again."""
    if not isinstance(embedder, CompositeEmbedder) or embedder.name not in joined_embedders():
        assert create.create_embedder(embedder.name, Compute(threads=1), "dlib", embedder) is embedder
        return
    encodings = embedder.embed(list(chips.values()))
    start = 0
    for at, name in enumerate(joined_embedders()[embedder.name]):
        part = create.create_embedder(name, Compute(threads=1), "dlib", embedder)
        assert part is embedder.parts[at]
        alone = part.embed([chip[at] for chip in chips.values()])
        np.testing.assert_array_equal(encodings[:, start : start + part.dimensions], alone)
        start += part.dimensions
    assert start == embedder.dimensions
    assert embedder.fingerprint == f"{embedder.name}:{'+'.join(part.fingerprint for part in embedder.parts)}"
