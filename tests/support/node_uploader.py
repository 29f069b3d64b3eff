"""ZoneMinder's alarm uploader as a process of Node: see node/uploader.js."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import filelock

SOURCE = Path(__file__).with_name("node")
INSTALLED = Path(__file__).parents[2] / ".cache" / "node"


class NodeMissing(RuntimeError):
    """There is no Node, or its packages cannot be installed; says why."""


def find_packages():
    """The packages of package-lock.json, kept in .cache; none of their scripts is run. Raises NodeMissing."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise NodeMissing("needs node and npm (apt install nodejs npm)")
    wanted = (SOURCE / "package-lock.json").read_text()
    INSTALLED.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(INSTALLED / "lock"):
        stamp = INSTALLED / "installed"
        if not stamp.exists() or stamp.read_text() != wanted:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(SOURCE / name, INSTALLED)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=INSTALLED, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise NodeMissing(f"npm cannot install zerorpc: {done.stderr.strip()[-300:]}")
            stamp.write_text(wanted)
    return INSTALLED / "node_modules"


def start_uploader(packages, endpoint, batches, images, folder):
    """The process; its replies go to folder/replies, its errors to folder/errors."""
    command = ["node", SOURCE / "uploader.js", endpoint, str(batches), json.dumps(images)]
    environ = {**os.environ, "NODE_PATH": str(packages)}
    with (folder / "replies").open("wb") as replies, (folder / "errors").open("wb") as errors:
        return subprocess.Popen(command, stdout=replies, stderr=errors, env=environ)
