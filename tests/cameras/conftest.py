"""Real servers: cameras over http, and GStreamer's RTSP server."""

from __future__ import annotations

import shutil
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


CERTIFICATES = {"ours": "IP:127.0.0.1,DNS:localhost", "another's": "DNS:camera.example"}
"""Certificates, and whose they are."""


def make_certificates(folder: Path) -> None:
    """Write the CERTIFICATES with their keys, and the authority that signs them."""

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout")
    openssl("req", "-x509", *key, "authority.key", "-out", "authority.crt", "-subj", "/CN=authority")
    signed = ("-CA", "authority.crt", "-CAkey", "authority.key", "-CAcreateserial")
    for name, owner in CERTIFICATES.items():
        (folder / "owner").write_text(f"subjectAltName={owner}")
        openssl("req", *key, f"{name}.key", "-out", "request", "-subj", "/CN=camera")
        openssl("x509", "-req", "-in", "request", *signed, "-extfile", "owner", "-out", f"{name}.crt")
        whole = (folder / f"{name}.crt").read_text() + (folder / f"{name}.key").read_text()
        (folder / f"{name}.pem").write_text(whole)


class RtspServer:
    """A process that serves `rtsp://127.0.0.1:PORT/...`, for the paths in tests/support/rtsp_server.py."""

    def __init__(self, folder: Path):
        certificates = [folder / f"{name}.pem" for name in CERTIFICATES]
        self._process = subprocess.Popen(
            [DEBIANS_PYTHON, RTSP_SERVER, folder / "%d.jpg", *certificates],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        )
        self.port, *secure = map(int, self._process.stdout.readline().split())
        self._secure = dict(zip(CERTIFICATES, secure, strict=True))
        self.authority = folder / "authority.crt"
        """Who has signed all certificates; unknown to this machine."""

    def secure_address(self, certificate: str, path: str, host: str = "127.0.0.1") -> str:
        """An address with TLS of the server that has this one of CERTIFICATES."""
        return f"rtsps://{host}:{self._secure[certificate]}/{path}"

    def address(self, path: str, credentials: str = "", host: str = "127.0.0.1") -> str:
        at = f"{credentials}@" if credentials else ""
        return f"rtsp://{at}{host}:{self.port}/{path}"

    def end_sessions(self) -> None:
        """Throw everybody out who watches."""
        self._process.stdin.write("stop\n")
        self._process.stdin.flush()

    def switch(self) -> None:
        """The same, as if it were restarted with another codec at /h264."""
        self._process.stdin.write("switch\n")
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
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("rtsp")
    for index, data in enumerate(pictures):
        (folder / f"{index}.jpg").write_bytes(data)
    make_certificates(folder)
    server = RtspServer(folder)
    yield server
    server.stop()
