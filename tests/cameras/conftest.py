"""Real servers: cameras over http, and GStreamer's RTSP server."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from camera_server import CameraServer, small_pictures

RTSP_SERVER = Path(__file__).parents[1] / "support" / "rtsp_server.py"
DEBIANS_PYTHON = "/usr/bin/python3"
NEEDED = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"


@pytest.fixture(scope="session")
def pictures(photos):
    """Two small photos as JPEGs."""
    return small_pictures(photos["obama"], photos["biden"])


@pytest.fixture(scope="module")
def camera(pictures):
    """A server of cameras that speak http."""
    server = CameraServer(pictures)
    yield server
    server.stop()


class RtspServer:
    """A process that serves `rtsp://127.0.0.1:PORT/...`, for the paths in tests/support/rtsp_server.py."""

    def __init__(self, folder: Path):
        self._process = subprocess.Popen(
            [DEBIANS_PYTHON, RTSP_SERVER, folder / "%d.jpg"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        )
        self.port = int(self._process.stdout.readline())

    def address(self, path: str, credentials: str = "", host: str = "127.0.0.1") -> str:
        at = f"{credentials}@" if credentials else ""
        return f"rtsp://{at}{host}:{self.port}/{path}"

    def end_sessions(self) -> None:
        """Throw everybody out who watches."""
        self._process.stdin.write("stop\n")
        self._process.stdin.flush()

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="session")
def rtsp(pictures, tmp_path_factory):
    """The RTSP server."""
    if (
        not Path(DEBIANS_PYTHON).exists()
        or subprocess.run([DEBIANS_PYTHON, "-c", NEEDED], capture_output=True, check=False).returncode
    ):
        pytest.skip("needs Debian's gir1.2-gst-rtsp-server-1.0, python3-gi and gstreamer1.0-plugins-bad")
    folder = tmp_path_factory.mktemp("rtsp")
    for index, data in enumerate(pictures):
        (folder / f"{index}.jpg").write_bytes(data)
    server = RtspServer(folder)
    yield server
    server.stop()
