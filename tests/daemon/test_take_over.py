"""A daemon whose model a command replaces on disk: it takes over what fits, and keeps its own otherwise."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from doomed_engine import FACE, picture
from running import eventually

from face_det.cli.train import command

DOOMED = (sys.executable, Path(__file__).parents[1] / "support/doomed_engine.py")
SETTINGS = {"isolation": "process", "workers": 1, "embedder": "dlib_resnet", "focusMeasureThreshold": 0}


@pytest.mark.slow
def test_a_model_trained_by_a_command_is_taken_over(launch, call, folder) -> None:
    """No reload is needed, as command, log and status() say; a damaged one is refused."""
    daemon = launch(command=DOOMED, **SETTINGS)
    for name, number in (("Ann", 1), ("Bob", 200)):
        call(daemon, "add_face", name, str(picture(folder, FACE, number)))
    before = call(daemon, "status")["model"]
    assert before["classifier"] == "template"
    trained = CliRunner().invoke(command, ["-c", "nearest", "-j1", "--config", str(daemon.config)])
    assert trained.exit_code == 0, trained.output
    assert f"the daemon on {daemon.endpoint} will use it within 15 s" in trained.stdout
    model = eventually(
        lambda: (found := call(daemon, "status")["model"])["classifier"] == "nearest" and found,
        "the new model",
    )
    daemon.until_logged("took over the new model in")
    labels = daemon.folder / "face_labels.pickle"
    labels.write_bytes(labels.read_bytes()[:40])
    daemon.until_logged("stays in use")
    assert call(daemon, "status")["model_file"]["state"] == "unfit"
    assert call(daemon, "status")["model"] == model
