"""The menus' networks without their weights: an image's first pixels say who is in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import fake_engine
import numpy as np
import pytest
import synthetic

from face_det.detectors import DETECTORS
from face_det.embedders import EMBEDDERS
from face_det.recognition import embedder_choice
from face_det.types import Detection, Encodings, Rgb

SEEDS_EACH = 8
"""How many different photos of a person there are."""

loaded: list[str] = []
"""Every network that was loaded, in order."""


def picture(folder: Path, person: int, photo: int = 0, faces: int = 1) -> Path:
    """Write a photo of a person, by number."""
    return fake_engine.picture(
        folder / f"{person}-{photo}.png", faces=faces, seed=person * SEEDS_EACH + photo
    )


def dlib_numbers(person: int, photo: int = 0) -> Encodings:
    """Return what the fake dlib_resnet makes of that photo, shape (1, 128)."""
    return synthetic.photos(f"person {person}", 1, photo)


def views_numbers(person: int, photo: int = 0) -> Encodings:
    """Return what the fake dlib_views makes of that photo, shape (1, 128): near dlib's."""
    return dlib_numbers(person, photo) * 0.99


def sface_numbers(person: int, photo: int = 0) -> Encodings:
    """Return what the fake sface makes of that photo, shape (1, 128): of length 1, nothing like dlib's."""
    direction = np.random.default_rng([77, person]).normal(size=(1, 128))
    noise = np.random.default_rng([78, person, photo]).normal(size=(1, 128))
    drawn = direction + 0.4 * noise
    return np.asarray(drawn / np.linalg.norm(drawn))


class Detector(fake_engine.FakeDetector):
    """A detector that notes in `loaded` that it was created."""

    def __init__(self, **_: object) -> None:
        super().__init__()
        loaded.append("detector")


class Dlib:
    """Stands in for dlib_resnet."""

    name = "dlib_resnet"
    runtime = "fake"
    dimensions = 128
    fingerprint = "dlib_resnet:1:fake"

    def __init__(self, **_: object) -> None:
        loaded.append(self.name)

    def align(self, rgb: Rgb, detection: Detection) -> tuple[int, int]:
        """Person and photo."""
        return divmod(int(rgb[1, 0, 0]) + 256 * int(rgb[1, 0, 1]), SEEDS_EACH)

    def embed(self, chips: Sequence[tuple[int, int]], jitters: int = 1) -> Encodings:
        """A row for each chip."""
        return np.vstack([self.numbers(*chip) for chip in chips])

    def numbers(self, person: int, photo: int) -> Encodings:
        """One row."""
        return dlib_numbers(person, photo)


class Views(Dlib):
    """Stands in for dlib_views; loads dlib_resnet unless it is given."""

    name = "dlib_views"
    fingerprint = "dlib_views:1:fake"

    def __init__(self, base: Dlib | None = None, **_: object) -> None:
        super().__init__()
        self.parts = (base or Dlib(),)

    def numbers(self, person: int, photo: int) -> Encodings:
        """One row."""
        return views_numbers(person, photo)


class Sface(Dlib):
    """Stands in for sface."""

    name = "sface"
    fingerprint = "sface:2:fake"

    def numbers(self, person: int, photo: int) -> Encodings:
        """One row."""
        return sface_numbers(person, photo)


BOTH = f"both:{Dlib.fingerprint}+{Sface.fingerprint}"
"""The fingerprint of both."""


def install(monkeypatch: pytest.MonkeyPatch, *, sface: bool = True) -> None:
    """Put these networks on the menus; `sface` says whether its weights are installed."""
    loaded.clear()
    for name, detector in DETECTORS.items():
        monkeypatch.setitem(DETECTORS, name, replace(detector, target=f"{__name__}:Detector"))
    for fake in (Dlib, Views, Sface):
        target = f"{__name__}:{fake.__name__}"
        monkeypatch.setitem(EMBEDDERS, fake.name, replace(EMBEDDERS[fake.name], target=target))
    monkeypatch.setattr(embedder_choice, "weights_available", lambda name: sface)
