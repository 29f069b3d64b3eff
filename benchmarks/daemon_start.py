"""Time `face-det serve` from its start to the readiness notification that systemd would receive."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PATIENCE_S = 120


def measure(cache: Path, settings: dict[str, Any], environ: dict[str, str]) -> float:
    """Return the seconds until the daemon is ready, using whatever model cache lies in `cache`.

    Raises RuntimeError with the last line of its log if it exits or takes too long.
    """
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        config = here / "config.json"
        section = {"zerorpcPipe": f"ipc://{folder}/s", **settings}
        config.write_text(json.dumps({"faceDetServer": section}), "utf-8")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel, (here / "log").open("w+b") as log:
            channel.bind(f"{folder}/notify")
            command = [sys.executable, "-m", "face_det.cli.main", "serve", "--config", str(config)]
            environ = {**environ, "NOTIFY_SOCKET": f"{folder}/notify", "XDG_CACHE_HOME": str(cache)}
            start = time.perf_counter()
            daemon = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
            try:
                _until_ready(channel, daemon)
                return time.perf_counter() - start
            except (RuntimeError, TimeoutError) as error:
                said = (here / "log").read_text("utf-8", "replace").strip().splitlines()[-1:]
                raise RuntimeError(f"the daemon was not ready ({error}): {' '.join(said)}") from error
            finally:
                daemon.terminate()
                try:
                    daemon.wait(10)
                except subprocess.TimeoutExpired:
                    daemon.kill()
                    daemon.wait()


def _until_ready(channel: socket.socket, daemon: subprocess.Popen[bytes]) -> None:
    channel.settimeout(1)
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if daemon.poll() is not None:
            raise RuntimeError(f"it exited with {daemon.returncode}")
        try:
            if b"READY=1" in channel.recv(65536).split(b"\n"):
                return
        except TimeoutError:
            continue
    raise TimeoutError(f"waited {PATIENCE_S} s")
