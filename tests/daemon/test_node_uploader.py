"""ZoneMinder's alarm uploader is a Node program: its zerorpc client, and how it behaves, over a restart."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import filelock
import pytest
from running import eventually

SOURCE = Path(__file__).parents[1] / "support" / "node"
INSTALLED = Path(__file__).parents[2] / ".cache" / "node"


@pytest.fixture(scope="module")
def packages():
    """The packages of package-lock.json, kept in .cache; none of their scripts is run."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("needs node and npm (apt install nodejs npm)")
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
                pytest.skip(f"npm cannot install zerorpc: {done.stderr.strip()[-300:]}")
            stamp.write_text(wanted)
    return INSTALLED / "node_modules"


@pytest.fixture
def upload(packages, folder):
    """upload(daemon, batches, images): the uploader as a process; what it writes goes to files."""
    started = []

    def start(daemon, batches, images):
        command = ["node", SOURCE / "uploader.js", daemon.endpoint, str(batches), json.dumps(images)]
        environ = {**os.environ, "NODE_PATH": str(packages)}
        with (folder / "replies").open("wb") as replies, (folder / "errors").open("wb") as errors:
            started.append(subprocess.Popen(command, stdout=replies, stderr=errors, env=environ))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_every_frame_is_uploaded_over_restarts(launch, upload, folder):
    """SIGTERM between the first call of a batch and the last: each call has its reply, none an error."""
    daemon = current = launch(workers=1)
    replies = folder / "replies"
    uploader = upload(daemon, 9, [{"sleep": 0.1}])
    for count in (3, 8, 13):
        eventually(lambda count=count: len(replies.read_text().splitlines()) >= count, "some replies")
        current.signal(signal.SIGTERM)
        assert current.ended() == 0
        current = launch(workers=1, zerorpcPipe=daemon.endpoint)
    eventually(lambda: uploader.poll() is not None, "the uploader's end")
    assert ((folder / "errors").read_text(), uploader.returncode) == ("", 0)
    assert [json.loads(line) for line in replies.read_text().splitlines()] == [[{"sleep": 0.1}]] * 18


def test_an_error_says_what_it_is(lasting, upload, folder):
    """The uploader prints an error's stack, which is the third part of zerorpc's errors."""
    uploader = upload(lasting, 1, [{"fail": ["BadImage", "a.jpg: must be JPEG"]}])
    eventually(lambda: uploader.poll() is not None, "the uploader's end")
    assert uploader.returncode == 1
    assert (folder / "errors").read_text() == "local object detect error: BadImage: a.jpg: must be JPEG\n"
