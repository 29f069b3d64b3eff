"""Certificates that this machine does not know, and GStreamer's RTSP server, which has some, as a process."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from camera_server import small_pictures

RTSP_SERVER = Path(__file__).parent / "rtsp_server.py"
DEBIANS_PYTHON = "/usr/bin/python3"
NEEDED = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"


@pytest.fixture(scope="session")
def pictures(photos):
    """Two small photos as JPEGs."""
    return small_pictures(photos["obama"], photos["biden"])


CERTIFICATES = {"ours": "IP:127.0.0.1,DNS:localhost", "another's": "DNS:camera.example"}
"""Certificates, and whose they are."""
ITSELF = "itself"
"""The certificate of `ours` that no authority has signed."""


def make_certificates(folder: Path) -> None:
    """Write the CERTIFICATES with their keys, the authority that signs them, and one that signed itself."""

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout")
    openssl("req", "-x509", *key, "authority.key", "-out", "authority.crt", "-subj", "/CN=authority")
    alone = ("-addext", f"subjectAltName={CERTIFICATES['ours']}")
    openssl("req", "-x509", *key, f"{ITSELF}.key", "-out", f"{ITSELF}.crt", "-subj", "/CN=camera", *alone)
    signed = ("-CA", "authority.crt", "-CAkey", "authority.key", "-CAcreateserial")
    for name, owner in CERTIFICATES.items():
        (folder / "owner").write_text(f"subjectAltName={owner}")
        openssl("req", *key, f"{name}.key", "-out", "request", "-subj", "/CN=camera")
        openssl("x509", "-req", "-in", "request", *signed, "-extfile", "owner", "-out", f"{name}.crt")
    for name in (*CERTIFICATES, ITSELF):
        whole = (folder / f"{name}.crt").read_text() + (folder / f"{name}.key").read_text()
        (folder / f"{name}.pem").write_text(whole)


class RtspServer:
    """A process that serves `rtsp://127.0.0.1:PORT/...`, for the paths in tests/support/rtsp_server.py."""

    def __init__(self, folder: Path, certificates: Path):
        files = [certificates / f"{name}.pem" for name in CERTIFICATES]
        self._process = subprocess.Popen(
            [DEBIANS_PYTHON, RTSP_SERVER, folder / "%d.jpg", *files],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        )
        self.port, *secure = map(int, self._process.stdout.readline().split())
        self._secure = dict(zip(CERTIFICATES, secure, strict=True))
        self.authority = certificates / "authority.crt"
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
def certificates(tmp_path_factory):
    """A folder with NAME.crt, NAME.pem (with its key), and authority.crt."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder)
    return folder


@pytest.fixture(scope="session")
def rtsp(pictures, certificates, tmp_path_factory):
    """The RTSP server."""
    if (
        not Path(DEBIANS_PYTHON).exists()
        or subprocess.run([DEBIANS_PYTHON, "-c", NEEDED], capture_output=True, check=False).returncode
    ):
        pytest.skip("needs Debian's gir1.2-gst-rtsp-server-1.0, python3-gi and gstreamer1.0-plugins-bad")
    folder = tmp_path_factory.mktemp("rtsp")
    for index, data in enumerate(pictures):
        (folder / f"{index}.jpg").write_bytes(data)
    server = RtspServer(folder, certificates)
    yield server
    server.stop()


GOOD_START = b"RTSP/1.0 200 OK\r\nCSEQ\r\nPublic: DESCRIBE, SETUP, PLAY\r\n\r\n"
"""How a server answers a client that wants to know what it can do."""


def leading_to(address: str) -> bytes:
    """The answer of a server that redirects."""
    return f"RTSP/1.0 302 Found\r\nCSEQ\r\nLocation: {address}\r\n\r\n".encode()


@contextlib.contextmanager
def answering(*answers, host="127.0.0.1"):
    """A server that sends the next of `answers` to each request, None for silence; its address."""
    left = list(answers)
    with socket.create_server((host, 0)) as server:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    link = server.accept()[0]
                    threading.Thread(target=answer, args=(link,), daemon=True).start()

        def answer(link):
            with link, contextlib.suppress(OSError):
                while request := link.recv(65536):
                    number = next(line for line in request.split(b"\r\n") if line.startswith(b"CSeq"))
                    text = left.pop(0) if len(left) > 1 else left[0]
                    if text is not None:
                        link.sendall(text.replace(b"CSEQ", number))

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        yield f"rtsp://me:s3cret@{host}:{server.getsockname()[1]}/stream"
        # `close` alone does not end a thread that waits for the next connection.
        server.shutdown(socket.SHUT_RDWR)
        serving.join()
