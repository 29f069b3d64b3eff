"""scripts/photos.py: photos come once, and what stands in the way is said."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

NO_REGISTRY = {
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
    "PIP_RETRIES": "0",
    "PIP_CONFIG_FILE": os.devnull,
}


@pytest.fixture
def checkout(photos: dict[str, Path], repository: Path, tmp_path: Path) -> Path:
    """A copy of scripts/photos.py and of its cache, where no registry can be reached."""
    shutil.copytree(photos["obama"].parent, tmp_path / ".cache/photos")
    (tmp_path / "scripts").mkdir()
    shutil.copy(repository / "scripts/photos.py", tmp_path / "scripts")
    return tmp_path


def run(checkout: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(checkout / "scripts/photos.py")]
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")} | NO_REGISTRY
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def test_every_photo_opens(photos: dict[str, Path]) -> None:
    """Each is a picture, large enough to hold a face."""
    assert {
        "obama",
        "obama2",
        "obama3",
        "biden",
        "astronaut",
        "t1",
        "grace_hopper",
        "chelsea",
    } < photos.keys()
    for path in photos.values():
        with Image.open(path) as picture:
            assert min(picture.size) >= 112


def test_a_second_call_downloads_nothing(checkout: Path) -> None:
    """With the photos in the cache no registry is needed."""
    done = run(checkout)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_a_damaged_photo_is_fetched_anew_or_said(checkout: Path) -> None:
    """A half-written file is no photo; without a registry the message says what to do, on one line."""
    (checkout / ".cache/photos/biden.jpg").write_bytes(b"half")
    done = run(checkout)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("photos: face_recognition==1.3.0 cannot be downloaded from the package registry")
    assert "Traceback" not in done.stderr
    assert not list((checkout / ".cache/photos").glob("tmp*"))
