"""Another false accept rate: what it would mean, set at once, kept over restarts, and whose word counts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import msgpack
import numpy as np
import pytest

from face_det.config.load import load_config
from face_det.config.overrides import settings_path
from face_det.errors import BadRequest, ConfigError, ModelMissing
from face_det.gallery import Gallery
from face_det.service import assembly
from face_det.service.service import Service
from face_det.training import refit_model

pytestmark = pytest.mark.usefixtures("shared_networks")

SETTINGS = {"faceDetModel": "hog", "numFaceImgUpsample": 0, "embedder": "dlib_resnet"}


@pytest.fixture(scope="module")
def photos(small_photos: dict[str, Path]) -> dict[str, Path]:
    """Nothing here depends on how large a photo is."""
    return small_photos


def start(folder: Path, **settings: object) -> Service:
    (folder / "config.json").write_text(json.dumps({"faceDetServer": {**SETTINGS, **settings}}))
    return assembly.build_service(load_config(folder / "config.json", {}), remember=True)


@pytest.fixture
def service(tmp_path: Path, photos: Mapping[str, Path]) -> Service:
    """One that knows three people."""
    service = start(tmp_path)
    for name, photo in (
        ("Obama", "obama"),
        ("Obama", "obama2"),
        ("Biden", "biden"),
        ("Collins", "astronaut"),
    ):
        service.add_face(name, str(photos[photo]))
    return service


def test_a_preview_says_what_setting_the_rate_then_does(service: Service) -> None:
    """The thresholds of the ladder are those that a training with each rate has; it falls with the rate."""
    ladder = service.models.rates.preview(0.02)
    assert msgpack.unpackb(msgpack.packb(ladder)) == ladder
    rates = [one["falseAcceptRate"] for one in ladder]
    assert rates == sorted({0.1, 0.02, 0.01, 0.003, 0.001, 0.0003, 0.0001, 0.00001}, reverse=True)
    assert [one["falseAcceptRate"] for one in ladder if one["asked"]] == [0.02]
    assert [one["falseAcceptRate"] for one in ladder if one["in_use"]] == [0.001]
    thresholds = [one["threshold"] for one in ladder]
    assert thresholds == sorted(thresholds)
    assert thresholds[0] < thresholds[-1]
    assert all(one["faces"] == 2 and one["strangers"] == 3 for one in ladder)
    recognised = [one["recognised"] for one in ladder]
    assert recognised == sorted(recognised, reverse=True)
    assert ladder[0]["recognised"] == 1.0
    assert ladder[0]["text"].startswith("About 1 in 10 strangers would get a name; of 2 faces")
    gallery = Gallery.load(service.access.enroller.paths.encodings)
    for one in ladder:
        trained = refit_model(None, gallery, kind="template", false_accept_rate=one["falseAcceptRate"])
        assert trained is not None
        assert trained.verifier is not None
        assert one["threshold"] == pytest.approx(trained.verifier.threshold, abs=1e-3)


def test_the_threshold_alone_changes(service: Service, tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """The model, its probabilities and its date stay; a restart has the new threshold."""
    before = service.access.recognizer().model
    assert before is not None
    (asked,) = [one for one in service.models.rates.preview(0.05) if one["asked"]]
    assert service.models.rates.set_rate(
        0.05, {settings_path(tmp_path / "state"): b'{"falseAcceptRate": 0.05}'}
    )
    after = service.access.recognizer().model
    assert after is not None
    assert before.verifier is not None
    assert after.verifier is not None
    assert (before.verifier.rate, after.verifier.rate) == (0.001, 0.05)
    assert after.verifier.threshold == pytest.approx(asked["threshold"], abs=1e-4)
    assert after.verifier.threshold < before.verifier.threshold
    assert (after.verifier.impostors, after.verifier.needed) == (3, 60)
    assert after.card == before.card
    rows = np.random.default_rng(7).normal(size=(3, 128))
    assert np.array_equal(before.proba(rows), after.proba(rows))
    again = start(tmp_path)
    found = again.access.recognizer().model
    assert found is not None
    assert found.fingerprint == after.fingerprint
    assert again.status()["model_file"]["state"] == "in_use"
    assert load_config(tmp_path / "config.json", {}).false_accept_rate == 0.05
    again.add_face("Obama", str(photos["obama3"]))
    assert again.models.models()[0]["falseAcceptRate"] == 0.05


def test_an_earlier_model_takes_the_rate_in_force(service: Service, tmp_path: Path) -> None:
    """Going back must not admit more strangers than the user wants now."""
    service.train({"quick": True})
    earlier = service.models.models()[1]
    assert service.models.rates.set_rate(0.0001, {settings_path(tmp_path / "state"): None})
    service.models.use_model(earlier["model"])
    now = service.models.models()[0]
    assert now["classes"] == earlier["classes"]
    assert (earlier["falseAcceptRate"], now["falseAcceptRate"]) == (0.001, 0.0001)
    assert now["threshold"] > earlier["threshold"]


def test_nothing_to_preview_without_a_model(tmp_path: Path) -> None:
    """Said, with what to do; a rate that the setting may not have is refused."""
    service = start(tmp_path)
    with pytest.raises(ModelMissing, match="face-det train"):
        service.models.rates.preview()
    for wrong in (0, 1e-6, 0.2, True, "0.1", float("nan")):
        with pytest.raises(
            BadRequest, match=r"false_accept_rate: must be a number above 0.000001, up to 0.1"
        ):
            service.models.rates.preview(wrong)


def test_whose_word_counts(tmp_path: Path) -> None:
    """The environment, then what a caller set, then config.json, then the default."""
    file, state = tmp_path / "config.json", tmp_path / "state"
    key, environ = "falseAcceptRate", {"FACE_DET_FALSEACCEPTRATE": "0.03"}

    def found(environ: Mapping[str, str]) -> tuple[float, str]:
        config = load_config(file, environ)
        return config.false_accept_rate, config.source_of(key)

    file.write_text('{"faceDetServer": {}}')
    assert found({}) == (0.001, "default")
    changed = load_config(file, {}).changed(key, 0.05).changed(key, None)
    assert (changed.false_accept_rate, changed.source_of(key)) == (0.001, "default")
    file.write_text('{"faceDetServer": {"falseAcceptRate": 0.01}}')
    assert found({}) == (0.01, "config")
    state.mkdir()
    settings_path(state).write_text('{"falseAcceptRate": 0.02}')
    assert found({}) == (0.02, "settings")
    assert found(environ) == (0.03, "environment")
    elsewhere = {"FACE_DET_STATEPATH": str(tmp_path / "other")}
    assert found(elsewhere) == (0.01, "config")
    changed = load_config(file, {}).changed(key, None)
    assert (changed.false_accept_rate, changed.source_of(key)) == (0.01, "config")
    changed = changed.changed(key, 0.05).changed(key, 0.04)
    assert (changed.false_accept_rate, changed.source_of(key)) == (0.04, "settings")
    assert changed.changed(key, None).false_accept_rate == 0.01


@pytest.mark.parametrize(
    "text", ["", "[]", '{"falseAcceptRate": 7}', '{"minProba": 0}', '{"falseAcceptRate"']
)
def test_a_damaged_file_of_settings_is_told(tmp_path: Path, text: str) -> None:
    """Not passed over: the rate that the user set would silently be another one."""
    (tmp_path / "config.json").write_text('{"faceDetServer": {}}')
    (tmp_path / "state").mkdir()
    settings_path(tmp_path / "state").write_text(text)
    with pytest.raises(ConfigError, match=r"settings\.json: .*correct or delete it"):
        load_config(tmp_path / "config.json", {})
