"""Cameras that are reached over RTSP, from a real server."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import socket
import subprocess
import sys
import traceback
from pathlib import Path

import PIL.Image
import pytest
from rtsp_fixtures import GOOD_START, answering, leading_to

from face_det.cameras import Cameras, CameraSource, read_live
from face_det.errors import CameraFailed

PATIENCE_S = 60
QUICK_S = 0.5
"""For cameras that do not answer, however long one waits."""


def fetch(address, timeout_s=PATIENCE_S):
    """The picture that a camera called `front` takes now."""

    async def run():
        async with Cameras({"front": CameraSource("front", address)}, timeout_s=timeout_s) as cameras:
            return await cameras.fetch_picture("front")

    return asyncio.run(run())


def fault(address, timeout_s=PATIENCE_S):
    """Why there is none, in one line; the whole traceback must not show the password."""
    with pytest.raises(CameraFailed) as caught:
        fetch(address, timeout_s)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


async def read(address, *, most, fps=20.0, between=lambda count: None):
    """The sizes of some live pictures; `between` is called with their number after each."""
    sizes = []
    source = CameraSource("front", address, fps=fps)
    async with contextlib.aclosing(read_live(source, PATIENCE_S)) as pictures:
        async for picture in pictures:
            sizes.append(PIL.Image.open(io.BytesIO(picture.data)).size)
            between(len(sizes))
            if len(sizes) == most:
                break
    return sizes


def children():
    """The processes that this one has started, as their folders in /proc."""
    mine = f"PPid:\t{os.getpid()}\n"
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mine in (folder / "status").read_text():
                found.append(folder)
    return found


@pytest.mark.parametrize("path", ["jpeg", "h264", "vp8"])
def test_a_picture_of_a_stream(rtsp, path):
    """Whatever the codec."""
    assert PIL.Image.open(io.BytesIO(fetch(rtsp.address(path)))).size == (320, 240)


def test_a_password_is_used_and_shown_to_nobody(rtsp, caplog):
    """Neither in the list of processes, nor in the log, nor by an error."""
    shown = []

    def look(count):
        for folder in children():
            with contextlib.suppress(OSError):
                shown.append((folder / "cmdline").read_bytes() + (folder / "environ").read_bytes())

    with caplog.at_level("DEBUG"):
        asyncio.run(read(rtsp.address("locked", "me:s3cret"), most=2, between=look))
        missing = fault(rtsp.address("locked"))
        wrong = fault(rtsp.address("locked", "s3cret:s3cret"))
    assert missing == ("camera front: asks for a password (401); put a user and a password in its address")
    assert wrong == (
        "camera front: its stream cannot be opened; check the user, the password and the path in its address"
    )
    assert any(b"stream_reader" in one for one in shown)
    assert not [one for one in shown if b"s3cret" in one]
    assert "s3cret" not in caplog.text


NOT_ACCEPTED = "camera front: its certificate is not accepted: "


@pytest.fixture
def trusted(rtsp, monkeypatch):
    """The server, whose authority is known here."""
    monkeypatch.setenv("SSL_CERT_FILE", str(rtsp.authority))
    return rtsp


def test_a_certificate_is_checked(trusted):
    """It must be signed by an authority that is known here, and be the camera's own."""
    for host in ("127.0.0.1", "localhost"):
        data = fetch(trusted.secure_address("ours", "jpeg", host))
        assert PIL.Image.open(io.BytesIO(data)).size == (320, 240)
        why = fault(trusted.secure_address("another's", "jpeg", host))
        assert why.startswith(NOT_ACCEPTED), why
        assert "mismatch" in why


def test_a_certificate_of_an_unknown_authority(rtsp):
    """The camera is not asked for anything, unless its certificate need not be checked."""
    address = rtsp.secure_address("ours", "jpeg")
    assert fault(address).startswith(NOT_ACCEPTED)

    async def run():
        source = CameraSource("front", rtsp.secure_address("another's", "jpeg"), verify_tls=False)
        async with Cameras({"front": source}, timeout_s=PATIENCE_S) as cameras:
            return await cameras.fetch_picture("front")

    assert PIL.Image.open(io.BytesIO(asyncio.run(run()))).size == (320, 240)


@pytest.mark.parametrize(("certificate", "host"), [("unknown", "127.0.0.1"), ("another's", "localhost")])
def test_ffmpeg_checks_the_certificate_again(rtsp, monkeypatch, certificate, host):
    """It connects anew, and somebody else may answer then: without the password that it would be given."""
    name = "ours" if certificate == "unknown" else certificate
    if certificate != "unknown":
        monkeypatch.setenv("SSL_CERT_FILE", str(rtsp.authority))
    order = {"address": rtsp.secure_address(name, "jpeg", host), "fps": 5, "timeout_s": PATIENCE_S}
    program = "from face_det.cameras import stream_reader as r; r._probe = lambda order: None; r.main()"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        reader.stdin.write(json.dumps({**order, "verify_tls": True, "loop": False}).encode() + b"\n")
        reader.stdin.flush()
        assert b"its stream cannot be opened" in reader.stdout.read(500)


def test_there_is_no_such_stream(rtsp, free_port):
    """The error says what to look at."""
    assert "got 404; check the path" in fault(rtsp.address("nothing"))
    assert "cannot be reached: Connection refused" in fault(f"rtsp://127.0.0.1:{free_port}/x")


def test_the_size_changes_in_the_middle(rtsp):
    """The pictures that follow have the new size."""
    sizes = []

    async def run():
        source = CameraSource("front", rtsp.address("sizes"), fps=20)
        async with contextlib.aclosing(read_live(source, PATIENCE_S)) as pictures:
            async for picture in pictures:
                sizes.append(PIL.Image.open(io.BytesIO(picture.data)).size)
                if len(set(sizes)) == 2:
                    break

    asyncio.run(asyncio.wait_for(run(), PATIENCE_S))
    assert (sizes[0], sizes[-1]) == ((640, 480), (320, 240))


def test_a_stream_that_ends(rtsp):
    """It is an error that says so, and the process that decodes is gone."""
    with pytest.raises(CameraFailed, match="camera front: its stream ended"):
        asyncio.run(
            read(rtsp.address("jpeg"), most=1000, between=lambda count: count == 2 and rtsp.end_sessions())
        )
    assert not [one for one in children() if b"stream_reader" in (one / "cmdline").read_bytes()]


@pytest.mark.slow
def test_the_codec_changes(rtsp, pictures):
    """A server that is restarted with another one ends the stream, which is then read anew."""
    address = rtsp.address("h264")
    with pytest.raises(CameraFailed, match="camera front: its stream ended"):
        asyncio.run(read(address, most=1000, between=lambda count: count == 2 and rtsp.switch()))
    assert b" VP8/" in describe(rtsp, "h264")
    assert asyncio.run(read(address, most=3)) == [(320, 240)] * 3


def describe(rtsp, path):
    """What the server says of a stream."""
    with socket.create_connection(("127.0.0.1", rtsp.port), PATIENCE_S) as link:
        link.sendall(f"DESCRIBE {rtsp.address(path)} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
        said = b""
        while b"a=rtpmap" not in said:
            said += link.recv(65536)
        return said


def test_a_server_that_says_nothing_or_something_else():
    """Both are told apart, in time."""
    with answering(None) as silent, answering(b"HTTP/1.1 400 Bad Request CSEQ\r\n\r\n") as web:
        assert fault(silent, QUICK_S) == "camera front: must answer within 0.5 s"
        assert fault(web) == "camera front: must answer as an RTSP server does, got something else"


def test_redirects_elsewhere_are_refused(rtsp):
    """At once, and also if the camera first pretends not to."""
    elsewhere = leading_to(rtsp.address("jpeg"))
    with answering(elsewhere) as honest:
        assert "redirects elsewhere (302), which is refused" in fault(honest)
    with answering(GOOD_START, GOOD_START, elsewhere, host="127.0.0.2") as lying:
        assert fault(lying) == (
            "camera front: redirects elsewhere, which is refused; configure where it leads"
        )
