"""Masked copies of a dataset's photos, trained on beside the photos."""

from __future__ import annotations

from pathlib import Path

import fake_engine
import numpy as np
import pytest
from fake_engine import picture

from face_det.engine.engine import Engine, EngineOptions
from face_det.errors import DataError, ModelMismatch
from face_det.gallery.encoding_cache import EncodingCache
from face_det.gallery.gallery import Gallery
from face_det.training import masked
from face_det.types import Face, Rgb


class FakeMasker:
    """The mask is a pixel that the fake embedder looks at."""

    def __init__(self, compute: object) -> None:
        pass

    def __call__(self, rgb: Rgb, face: Face) -> Rgb:
        changed = rgb.copy()
        changed[1, 0, 2] = 128
        return changed


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Alice with two photos, Bob with one of two faces and one without."""
    monkeypatch.setattr(masked, "FaceMasker", FakeMasker)
    folder = tmp_path / "dataset"
    picture(folder / "Alice" / "1.png", seed=1)
    picture(folder / "Alice" / "2.png", seed=2)
    picture(folder / "Bob" / "1.png", faces=2, seed=3)
    picture(folder / "Bob" / "2.png", faces=0, seed=4)
    return folder


def engine(fingerprint: str = "dlib_resnet:1") -> Engine:
    return Engine(fake_engine.FakeDetector(), fake_engine.FakeEmbedder(fingerprint), EngineOptions())


def with_masks(
    gallery: Gallery, dataset: Path, tmp_path: Path, fingerprint: str = "dlib_resnet:1"
) -> Gallery:
    with EncodingCache(tmp_path / "cache.sqlite") as cache:
        return masked.add_masked_copies(
            gallery, dataset, engine(fingerprint), cache, jobs=1, on_progress=lambda done, total: None
        )


def test_a_copy_of_each_photo_with_one_face(dataset: Path, tmp_path: Path) -> None:
    """As in enrolment: a photo with two faces is nobody's; what was there stays, and comes first."""
    before = Gallery.from_rows([np.full(128, 0.5)], ["Alice"], "dlib_resnet:1")
    after = with_masks(before, dataset, tmp_path)
    assert after.names == ("Alice", "Alice", "Alice")
    assert np.array_equal(after.encodings[0], before.encodings[0])
    assert after.encodings[1:, 5] == pytest.approx([1.5, 1.5])
    assert after.encodings[1:, 3] == pytest.approx([1 + 1 / 256, 1 + 2 / 256])
    assert after.fingerprint_of("dlib_resnet") == "dlib_resnet:1"


def test_nothing_to_copy(dataset: Path, tmp_path: Path) -> None:
    """Said, instead of learning without what was asked for."""
    before = Gallery.from_rows([np.full(128, 0.5)], ["Alice"], "dlib_resnet:1")
    with pytest.raises(DataError, match=r"elsewhere: must hold photos whose face .* got none of 0"):
        with_masks(before, tmp_path / "elsewhere", tmp_path)


def test_encodings_of_another_network(dataset: Path, tmp_path: Path) -> None:
    """They are not mixed."""
    before = Gallery.from_rows([np.full(128, 0.5)], ["Alice"], "dlib_resnet:2")
    with pytest.raises(ModelMismatch, match=r"must be of dlib_resnet:1, got dlib_resnet:2"):
        with_masks(before, dataset, tmp_path)
