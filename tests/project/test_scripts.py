"""The scripts keep the names and flags of the original's; the commands all open."""

from __future__ import annotations

import sys
from pathlib import Path

import forked
import pytest

from face_det.cli.main import COMMANDS, run_cli

REPOSITORY = Path(__file__).parents[2]
FLAGS = {
    "encode_faces.py": ["-i", "--dataset", "-e", "--encodings", "-d", "--detection-method"],
    "fetch_lfw_faces.py": ["-n", "--num_faces", "-d", "--data_home", "-r", "--resize", "-o", "--output"],
    "train.py": ["--encodings", "--output"],
}


def help_of(command: list[str]) -> str:
    done = forked.run([sys.executable, *command, "--help"])
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("script", FLAGS)
def test_scripts_keep_their_flags(script: str) -> None:
    """A cron job written for the original goes on working."""
    words = help_of([str(REPOSITORY / "scripts" / script)]).replace(",", " ").replace("=", " ").split()
    assert set(FLAGS[script]) <= set(words)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_opens(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command of the menu is there and explains itself."""
    with pytest.raises(SystemExit) as end:
        run_cli([name, "--help"])
    assert end.value.code == 0
    assert f"face-det {name} [OPTIONS]" in capsys.readouterr().out
