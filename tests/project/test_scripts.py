"""The scripts keep the names and flags of the original's; the commands all open."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import forked
import pytest

from face_det.cli.main import COMMANDS, run_cli

REPOSITORY = Path(__file__).parents[2]
FLAGS = {
    "encode_faces.py": ["-i", "--dataset", "-e", "--encodings", "-d", "--detection-method"],
    "extract_faces.py": ["-sf", "-spf", "-spnf", "-d", "--dataset", "-o", "--output", "-f", "--file_path"],
    "fetch_lfw_faces.py": ["-n", "--num_faces", "-d", "--data_home", "-r", "--resize", "-o", "--output"],
    "renumber_filenames.py": ["-d", "--directory"],
    "s3_extract_save.py": ["--bucket", "--output", "--endpoint-url", "--prefix"],
    "train.py": ["--encodings", "--output"],
    "view_mongo_images.py": ["-n", "-f", "-ps", "-sp", "-fm", "-io", "-up"],
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


@pytest.mark.parametrize("script", FLAGS)
def test_scripts_run_without_an_installation(script: str, tmp_path: Path) -> None:
    """A checkout is enough: each finds its package beside it, wherever it is called from."""
    script_path = str(REPOSITORY / "scripts" / script)
    code = f"""import os, runpy, sys
sys.path[:] = [place for place in sys.path if not os.path.isdir(os.path.join(place, "face_det"))]
sys.argv[1:] = ["--help"]
runpy.run_path({script_path!r}, None, "__main__")"""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "usage: " in done.stdout.casefold()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_opens(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command of the menu is there and explains itself."""
    with pytest.raises(SystemExit) as end:
        run_cli([name, "--help"])
    assert end.value.code == 0
    assert f"face-det {name} [OPTIONS]" in capsys.readouterr().out
