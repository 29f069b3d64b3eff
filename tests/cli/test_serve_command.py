"""`face-det serve`: which configuration it takes, and how it ends when it cannot start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from running import eventually

from face_det.rpc.client import Client

FACE_DET = Path(sys.executable).with_name("face-det")


@pytest.fixture
def serve(folder):
    """Run the command in `folder` until it ends: exit status and the lines on stderr."""

    def run(*args):
        done = subprocess.run(
            [FACE_DET, "serve", *args], cwd=folder, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.stdout == ""
        return done.returncode, done.stderr.splitlines()

    return run


def _configure(folder, **settings):
    (folder / "config.json").write_text(json.dumps({"faceDetServer": settings}))


def test_takes_the_configuration_of_the_folder(folder):
    """Without --config, ./config.json; with no model trained yet it starts and answers."""
    _configure(folder, zerorpcPipe=f"ipc://{folder}/s", faceDetModel="hog")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([FACE_DET, "serve"], cwd=folder, stderr=log)
    try:
        eventually(lambda: "no model is trained yet" in (folder / "log").read_text(), "the daemon")
        with Client(f"ipc://{folder}/s") as client:
            assert client.status()["detector"] == "hog"
            assert client.detect_faces([]) == "[]"
    finally:
        process.terminate()
    assert process.wait(60) == 0


THREADS_AT_END = """
import atexit, threadpoolctl
from face_det.cli.main import run_cli
atexit.register(lambda: print([pool["num_threads"] for pool in threadpoolctl.threadpool_info()], flush=True))
run_cli(["serve"])
"""


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="OpenBLAS never has more threads than cores")
@pytest.mark.parametrize(("given", "threads"), [(None, 1), ("2", 2)])
def test_openblas_has_one_thread(folder, given, threads):
    """Unless the environment gives it others."""
    _configure(folder, zerorpcPipe=f"ipc://{folder}/s", faceDetModel="hog")
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("OPENBLAS_", "OMP_"))}
    if given is not None:
        environ["OPENBLAS_NUM_THREADS"] = given
    command = [sys.executable, "-c", THREADS_AT_END]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True, env=environ
        ) as process,
    ):
        eventually(lambda: " ready on " in (folder / "log").read_text(), "the daemon")
        process.terminate()
        found = json.loads(process.communicate(timeout=300)[0])
    assert set(found) == {threads}


def test_a_wrong_configuration_ends_with_78_and_every_fault(folder, serve):
    """Nothing is started; each fault has its line."""
    _configure(folder, minProba=7, queueSzie=3)
    status, (first, second) = serve()
    assert status == 78
    assert "minProba: must be a number from 0 to 1, got 7" in first + second
    assert "queueSzie: unknown key; did you mean queueSize?" in first + second


def test_an_endpoint_that_cannot_be_ends_with_78(folder, serve):
    """The folder of the socket is not there."""
    _configure(folder, zerorpcPipe=f"ipc://{folder}/none/s")
    line = f"must be in a folder that exists, got {folder}/none/s; create {folder}/none first"
    assert serve("--config", "config.json") == (78, [f"face-det: zerorpcPipe: {line}"])


def test_a_second_daemon_ends_with_75(folder, serve, launch):
    """In one line, on which endpoint and which process."""
    first = launch()
    _configure(folder, zerorpcPipe=first.endpoint)
    status, (line,) = serve()
    assert status == 75
    by = f"a daemon is running (pid {first.process.pid})"
    assert line == f"face-det: {first.endpoint}: must be free, but {by}; stop it first"


def test_networks_that_cannot_be_had_end_in_one_line(folder, serve):
    """What a network cannot be run by is said like any other fault, without a traceback."""
    _configure(folder, zerorpcPipe=f"ipc://{folder}/s", faceDetModel="cnn_dlib", runtime="onnxruntime")
    status, lines = serve()
    assert status == 78
    (line,) = [line for line in lines if not line.startswith("INFO")]
    assert line.startswith("face-det: runtime: ")
    assert "cnn_dlib" in line
