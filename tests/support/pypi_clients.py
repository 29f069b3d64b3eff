"""Real clients of other servers, from PyPI, each in a folder of its own: nothing of it is imported here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import filelock

INSTALLED = Path(__file__).parents[2] / ".cache" / "clients"

# requests-toolbelt 0.9.1, which compreface-sdk requires, needs what urllib3 2 has no more.
COMPREFACE = ("compreface-sdk==0.6.0", "urllib3<2")
# Its gateway's protocol changed after 2.4. It requires nothing of this itself, and imports all of it.
PYZM_NEEDS = ("numpy", "opencv-python-headless", "portalocker", "shapely")
PYZM = ("pyzm==2.5.6", *PYZM_NEEDS)
PYZM_24 = ("pyzm==2.4.0", *PYZM_NEEDS)
DEEPSTACK = ("deepstack-python==0.9",)


class ClientMissing(RuntimeError):
    """A client cannot be installed; says why."""


def find_client(requirements):
    """The folder that has the packages, kept in .cache; raises ClientMissing."""
    folder = INSTALLED / requirements[0].replace("==", "-")
    folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder / "lock"):
        stamp = folder / "installed"
        if not stamp.exists() or stamp.read_text() != " ".join(requirements):
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            command = [*pip, "--no-input", "--no-compile", "--retries=2", f"--target={folder / 'packages'}"]
            command += ["--upgrade", *requirements]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise ClientMissing(f"pip cannot install {requirements[0]}: {done.stderr.strip()[-300:]}")
            stamp.write_text(" ".join(requirements))
    return folder / "packages"


def run_client(packages, script, *arguments):
    """What a script prints as JSON when it runs with these packages, and arguments in sys.argv."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    environ = {**os.environ, "PYTHONPATH": str(packages)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
