"""Streams over TLS: the server must show that it is the one of the address, to us and to FFmpeg."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from camera_server import CameraServer
from rtsp_fixtures import CERTIFICATES, ITSELF

from face_det.errors import VideoError
from face_det.video import open, open_video

SECRET = "me:s3cret"
Serve = Callable[[str], CameraServer]


def sizes(address: str, **options: Any) -> list[tuple[int, int]]:
    """The width and height of two frames."""
    with open_video(address, **options) as reader:
        return [(next(reader).rgb.shape[1], next(reader).rgb.shape[0])]


def fault(address: str, **options: Any) -> str:
    """Why a stream is not read, which does not show the password."""
    with pytest.raises(VideoError) as caught:
        open_video(address, **options)
    assert "s3cret" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def https(pictures: list[bytes], certificates: Path) -> Iterator[Serve]:
    """https("ours"): a camera that has this certificate."""
    made: dict[str, CameraServer] = {}

    def serve(name: str) -> CameraServer:
        if name not in made:
            made[name] = CameraServer(pictures, certificate=certificates / f"{name}.pem")
        made[name].asked.clear()
        return made[name]

    yield serve
    for server in made.values():
        server.stop()


def trust(monkeypatch: pytest.MonkeyPatch, certificate: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


@pytest.mark.slow
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_known_authority(
    rtsp: Any, https: Serve, certificates: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """What it has signed is accepted from whom it was signed for, and from nobody else."""
    trust(monkeypatch, certificates / "authority.crt")
    assert sizes(rtsp.secure_address("ours", "jpeg", host)) == [(320, 240)]
    assert sizes(https("ours").address("mjpeg", host=host)) == [(320, 240)]
    for address in (
        rtsp.secure_address("another's", "jpeg", host),
        https("another's").address("mjpeg", SECRET, host),
    ):
        why = fault(address)
        assert f"{host}:" in why
        assert "its certificate is not accepted: " in why
        assert "mismatch" in why
    assert https("another's").asked == []


@pytest.mark.slow
def test_an_unknown_authority(rtsp: Any, https: Serve) -> None:
    """Nothing is asked of such a server, unless any certificate will do."""
    for address in (
        rtsp.secure_address("ours", "jpeg"),
        https("ours").address("mjpeg", SECRET),
        https(ITSELF).address("mjpeg", SECRET),
    ):
        why = fault(address)
        assert "its certificate is not accepted: " in why
        assert "--no-verify-tls accepts any certificate" in why
    assert https("ours").asked == []
    for certificate in CERTIFICATES:
        for address in (rtsp.secure_address(certificate, "jpeg"), https(certificate).address("mjpeg")):
            assert sizes(address, verify_tls=False) == [(320, 240)]


def test_a_camera_that_signed_itself(
    https: Serve, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own certificate may be the authority: then nobody can stand in for it."""
    trust(monkeypatch, certificates / f"{ITSELF}.crt")
    assert sizes(https(ITSELF).address("mjpeg")) == [(320, 240)]
    assert "not accepted" in fault(https("ours").address("mjpeg"))


@pytest.mark.slow
@pytest.mark.parametrize(("certificate", "host"), [("ours", "127.0.0.1"), ("another's", "localhost")])
def test_ffmpeg_checks_the_certificate_again(
    rtsp: Any,
    https: Serve,
    certificates: Path,
    monkeypatch: pytest.MonkeyPatch,
    certificate: str,
    host: str,
) -> None:
    """It connects anew, and somebody else may answer then: without the password that it would be given."""
    monkeypatch.setattr(open, "probe_stream", lambda *_, **__: None)
    if certificate == "another's":
        trust(monkeypatch, certificates / "authority.crt")
    server = https(certificate)
    for address in (
        server.address("mjpeg", SECRET, host),
        rtsp.secure_address(certificate, "jpeg", host),
    ):
        assert "must send video, but none could be read" in fault(address, timeout_s=20)
    assert server.asked == []


LOOK_FOR_OTHER_HOSTS = """
import os, socket, sys
from face_det.streams import StreamFailed, refuse_other_hosts

def look():
    before = os.listdir("/proc/self/fd")
    try:
        refuse_other_hosts("rtsp://127.0.0.1/front")
    except StreamFailed as error:
        print(error)
    assert os.listdir("/proc/self/fd") == before

with open(sys.argv[1], "w"), socket.create_server(("127.0.0.2", 0)) as server:
    for _ in range(3):
        look()
    print("connected")
    with socket.create_connection(server.getsockname()):
        look()
"""


def test_looking_for_other_hosts_leaves_nothing_open(tmp_path: Path) -> None:
    """Not of files either: without a free descriptor, a connection elsewhere would not be seen."""
    command = [sys.executable, "-c", LOOK_FOR_OTHER_HOSTS, tmp_path / "file"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    here, connected, elsewhere = done.stdout.partition("connected\n")
    assert (here, connected) == ("", "connected\n")
    assert "redirects elsewhere" in elsewhere
