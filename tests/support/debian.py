"""Minimal Debians, made once and kept in .cache, in which programs run that are not installed here.

The mirror is the one that apt uses here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
CACHE = REPOSITORY / ".cache/systemd"
PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-venv,ca-certificates"
FALLBACK = ("http://deb.debian.org/debian", "bookworm")


def missing() -> str | None:
    """Why no system can be run here; None if one can."""
    if os.geteuid() != 0:
        return "needs root"
    for command in ("debootstrap", "systemd-nspawn", "nsenter"):
        if shutil.which(command) is None:
            return f"needs {command}: apt-get install debootstrap systemd-container"
    return None


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


def named(kind: str, recipe: str) -> Path:
    """Where an image is, or will be: another recipe, another name."""
    return CACHE / f"{kind}-{zlib.crc32(recipe.encode()):08x}"


def make(image: Path, install: str, *words: str) -> None:
    """Make an image in place of older ones: run the script `install` in it, with these words for nspawn."""
    if image.is_dir():
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    place, suite = mirror()
    system = named("debian", PACKAGES + suite)
    kind = image.name.partition("-")[0]
    fresh = CACHE / f"unfinished-{kind}"
    for old in (fresh, *CACHE.glob(f"{kind}-*")):
        shutil.rmtree(old, ignore_errors=True)
    print(f"making {image.relative_to(REPOSITORY)}: {suite} of {place}, some minutes", flush=True)
    if not system.is_dir():
        _run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", suite, str(fresh), place)
        fresh.rename(system)
    _run("cp", "--archive", str(system), str(fresh))
    _run(*nspawn(fresh, "--as-pid2", "--resolv-conf=copy-host", *words), "sh", "-ec", install)
    fresh.rename(image)


def _run(*argv: str) -> None:
    with (CACHE / "log").open("w+") as log:
        if subprocess.run(argv, stdout=log, stderr=log, check=False).returncode != 0:
            log.seek(0)
            sys.exit(f"{argv[0]} failed:\n{log.read()[-2000:]}")
