"""A enroller on fake networks, in a state folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import fake_networks
import pytest
from fake_networks import picture

from face_det.engine.engine import EngineOptions
from face_det.engine.engines import Engines
from face_det.enrolment.enroller import Enroller
from face_det.enrolment.results import ModelOptions, Paths
from face_det.gallery import gallery
from face_det.gallery.encoding_cache import encoding_cache_path
from face_det.recognition import embedder_choice

OPTIONS = EngineOptions(detector="hog", focus_threshold=0)


@pytest.fixture(autouse=True)
def _networks(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_networks.install(monkeypatch)
    embedder_choice._warn_sface_missing.cache_clear()
    gallery._warn_dropped.cache_clear()


@pytest.fixture
def enroller() -> Callable[..., Enroller]:
    """enroller(folder): who writes the files in that folder."""

    def make(folder: Path, kind: str = "nearest", **wanted: object) -> Enroller:
        encodings = folder / "encodings.pickle"
        paths = Paths(
            folder / "dataset",
            encodings,
            folder / "m.pickle",
            folder / "l.pickle",
            encoding_cache_path(encodings),
        )
        return Enroller(paths, Engines(OPTIONS), ModelOptions(kind, **wanted))  # type: ignore[arg-type]

    return make


@pytest.fixture
def people() -> Callable[..., None]:
    """people(folder, names): photos of each, in the dataset of a state folder."""

    def make(folder: Path, *names: str, each: int = 3) -> None:
        for person, name in enumerate(names):
            for photo in range(each):
                picture(folder / "dataset" / name, person, photo)

    return make
