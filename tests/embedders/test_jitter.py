"""Resamples: dlib's own to the last digit, or the fast ones, within dlib's own noise."""

from __future__ import annotations

import subprocess
import sys
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from face_det.detectors.hog import HogDetector
from face_det.embedders import specs
from face_det.embedders.dlib_resnet import DlibResnetEmbedder
from face_det.nets.resnet import RESNET_BATCH
from face_det.types import Encodings, Rgb


def faces(path: Path, embedder: DlibResnetEmbedder) -> list[Rgb]:
    picture = PIL.Image.open(path).convert("RGB")
    picture.thumbnail((640, 640))
    rgb = np.array(picture)
    return [embedder.align(rgb, found) for found in HogDetector().detect(rgb, 0)]


@pytest.fixture(scope="module")
def fast() -> DlibResnetEmbedder:
    return DlibResnetEmbedder(jitter="fast")


@pytest.fixture(scope="module")
def chips(fast: DlibResnetEmbedder, photos: Mapping[str, Path]) -> list[Rgb]:
    """Three faces of two people."""
    return [faces(photos[name], fast)[0] for name in ("obama", "biden", "obama3")]


def apart(one: Encodings, other: Encodings) -> Encodings:
    distances: Encodings = np.linalg.norm(np.asarray(one) - np.asarray(other), axis=-1)
    return distances


@pytest.mark.slow
def test_dlib_is_face_recognition(photos: Mapping[str, Path], tmp_path: Path) -> None:
    """20 jitters of each of two faces, over several batches, agree within an L2 distance of 1e-5; each
    side runs in a new process, where its stream of random numbers begins."""
    pytest.importorskip("face_recognition", reason="the reference is installed by `make setup`")
    picture = PIL.Image.open(photos["t1"]).convert("RGB").resize((480, 327)).crop((0, 0, 200, 180))
    np.save(tmp_path / "rgb.npy", np.array(picture))
    ours = """
from face_det.engine import EngineOptions, build_engine
engine = build_engine(EngineOptions("hog", jitters=20, upsample=1, min_face_px=0, focus_threshold=0))
(found,) = engine.faces([(rgb, None)])
found = [face.encoding for face in found]
"""
    theirs = """
import face_recognition
places = face_recognition.face_locations(rgb, 1)[:3]
found = face_recognition.face_encodings(rgb, places, num_jitters=20)
"""
    for name, code in (("ours", ours), ("theirs", theirs)):
        code = f"import numpy as np; rgb = np.load('rgb.npy')\n{code}\nnp.save('{name}.npy', found[:3])"
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    got, expected = np.load(tmp_path / "ours.npy"), np.load(tmp_path / "theirs.npy")
    assert len(expected) >= 2
    assert apart(got, expected).max() < 1e-5


@pytest.mark.slow
def test_fast_is_as_near_to_dlib_as_dlib_to_itself(fast: DlibResnetEmbedder, chips: list[Rgb]) -> None:
    """With 100 jitters, dlib's own move by 0.018 from run to run, and all are 0.1 from the plain chip."""
    dlib = DlibResnetEmbedder()
    chips = chips[:2]
    first, second, ours = dlib.embed(chips, 100), dlib.embed(chips, 100), fast.embed(chips, 100)
    assert 0.005 < apart(first, second).mean() < 0.03
    assert apart(first, ours).mean() < 0.03
    assert apart(first, dlib.embed(chips)).mean() > 0.06


def test_fast_is_always_the_same(fast: DlibResnetEmbedder, chips: list[Rgb]) -> None:
    """Other faces in the call, their order and another embedder make no difference; dlib's stream goes on."""
    together = fast.embed(chips, 20)
    other = DlibResnetEmbedder(jitter="fast")
    for chip, encoding in zip(reversed(chips), reversed(together), strict=True):
        assert apart(other.embed([chip], 20)[0], encoding) < 1e-5
    dlib = DlibResnetEmbedder()
    assert apart(dlib.embed(chips[:1], 20), dlib.embed(chips[:1], 20)) > 0.005


@pytest.mark.parametrize("jitter", sorted(specs.JITTERS))
def test_resamples_are_small_changes_of_the_chip(chips: list[Rgb], jitter: str) -> None:
    """As many as asked for, in the chip's size, all different, some mirrored; the chip is not changed."""
    chip = chips[0].copy()
    found = list(specs.JITTERS.create(jitter).resample(chip, 45))
    assert [(sample.shape, sample.dtype) for sample in found] == [((150, 150, 3), np.uint8)] * 45
    assert len({sample.tobytes() for sample in found}) == 45
    as_is = [np.abs(chip.astype(int) - sample).mean() for sample in found]
    mirrored = [np.abs(chip[:, ::-1].astype(int) - sample).mean() for sample in found]
    assert 5 < sum(near > far for near, far in zip(as_is, mirrored, strict=True)) < 40
    assert max(map(min, zip(as_is, mirrored, strict=True))) < 30
    np.testing.assert_array_equal(chip, chips[0])


def test_no_more_than_a_batch_is_in_memory(
    fast: DlibResnetEmbedder, chips: list[Rgb], monkeypatch: pytest.MonkeyPatch
) -> None:
    """500 jitters of several faces fill batches across faces, and each sample is released."""
    samples: list[weakref.ref[Any]] = []
    batches: list[int] = []
    most = 0

    class Jitter:
        def resample(self, chip: Rgb, count: int) -> Iterator[Rgb]:
            for _ in range(count):
                sample = np.full((1, 1, 3), chip[0, 0, 0])
                samples.append(weakref.ref(sample))
                yield sample

    class Network:
        def encode(self, batch: list[Rgb]) -> Encodings:
            nonlocal most
            batches.append(len(batch))
            most = max(most, sum(sample() is not None for sample in samples))
            return np.array([np.full(128, sample[0, 0, 0], float) for sample in batch])

    monkeypatch.setattr(fast, "_jitter", Jitter())
    monkeypatch.setattr(fast, "_network", Network())
    faces = [np.full((150, 150, 3), value, np.uint8) for value in (10, 20, 30)]
    found = fast.embed(faces, 500)
    assert found[:, 5].tolist() == [10, 20, 30]
    assert batches == [RESNET_BATCH] * (1500 // RESNET_BATCH) + [1500 % RESNET_BATCH]
    assert most <= 2 * RESNET_BATCH
    assert fast.embed([], 500).shape == (0, 128)
