"""Cameras that speak http: snapshots and MJPEG streams, from a real server."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
import traceback

import pytest
from camera_server import CameraServer

from face_det.cameras import Cameras, CameraSource, read_live
from face_det.errors import CameraFailed

PATIENCE_S = 60
QUICK_S = 0.4
"""For cameras that do not answer, however long one waits."""


def fetch(address, timeout_s=PATIENCE_S, verify_tls=True):
    """The picture that a camera called `front` takes now."""

    async def run():
        source = CameraSource("front", address, verify_tls=verify_tls)
        async with Cameras({"front": source}, timeout_s=timeout_s) as cameras:
            return await cameras.fetch_picture()

    return asyncio.run(run())


def read(address, *, most=1000, fps=50.0, timeout_s=PATIENCE_S):
    """Some live pictures, and why there are no more."""
    found = []

    async def run():
        source = CameraSource("front", address, fps=fps)
        async with contextlib.aclosing(read_live(source, timeout_s)) as pictures:
            async for picture in pictures:
                found.append(picture)
                if len(found) == most:
                    break

    try:
        asyncio.run(run())
    except CameraFailed as error:
        raised = error
    else:
        return found, None
    assert "s3cret" not in "".join(traceback.format_exception(raised))
    return found, str(raised).removeprefix("camera front: ")


@pytest.mark.parametrize("path", ["snapshot.jpg", "mjpeg", "without-lengths"])
def test_pictures_come_as_they_were_sent(camera, path):
    """Now, and live, with the time."""
    assert fetch(camera.address(path)) in camera.pictures
    before = time.time()
    found, fault = read(camera.address(path), most=4)
    assert fault is None
    assert {one.data for one in found} == set(camera.pictures)
    assert before <= found[0].time <= found[-1].time <= time.time()


@pytest.mark.parametrize("path", ["basic", "digest"])
def test_a_password_in_the_address(camera, path, caplog):
    """Each camera asks for it in its own way; nobody sees it."""
    with caplog.at_level("DEBUG"):
        found, fault = read(camera.address(path, "me:s3cret"), most=3)
        assert (len(found), fault) == (3, None)
        assert fetch(camera.address(path, "me:s3cret")) in camera.pictures
        assert read(camera.address(path))[1] == (
            "asks for a password (401); put a user and a password in its address"
        )
        assert read(camera.address(path, "s3cret:s3cret"))[1] == (
            "asks for a password (401); check the user and password in its address"
        )
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize(
    ("path", "fault", "timeout_s"),
    [
        ("redirect", "redirects elsewhere (302), which is refused; configure where it leads", PATIENCE_S),
        ("nothing", "must answer over http, got RemoteProtocolError", PATIENCE_S),
        ("garbage", "must send a stream of pictures, got something else", PATIENCE_S),
        ("endless", "must send at most 32 MB", PATIENCE_S),
        ("silent", "must send a picture within 0.4 s", QUICK_S),
        ("trickle", "must send a picture within 0.4 s", QUICK_S),
        ("stalling", "must send a picture within 0.4 s", QUICK_S),
        ("short", "its stream ended", PATIENCE_S),
        ("lying-lengths", "its stream ended", PATIENCE_S),
    ],
)
def test_cameras_that_fail(camera, path, fault, timeout_s):
    """Each says why, in one line, and nothing is asked that the address does not name."""
    before = len(camera.asked)
    if path == "lying-lengths":
        # What follows a picture that was cut short is skipped up to the next boundary.
        found, got = read(camera.address(path), most=3)
        assert (len(found), got) == (3, None)
        return
    found, got = read(camera.address(path), timeout_s=timeout_s)
    assert got == fault
    assert {one.data for one in found} <= set(camera.pictures)
    assert set(camera.asked[before:]) == {f"/{path}"}


def test_an_address_that_httpx_does_not_take():
    """Its errors contain the address; ours do not."""
    address = "http://me:s3" + "cret@127.0.0.1:99999999/x"
    assert read(address)[1].startswith("must answer over http, got ")
    with pytest.raises(CameraFailed) as caught:
        fetch(address)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_only_as_many_pictures_as_wanted(camera):
    """A stream's other pictures are dropped, and a snapshot is asked for so often."""
    for path in ("mjpeg", "snapshot.jpg"):
        found, _ = read(camera.address(path), most=4, fps=5)
        gaps = [after.time - before.time for before, after in itertools.pairwise(found)]
        assert min(gaps) > 0.1, gaps
        assert found[-1].time - found[0].time > 0.5


def test_a_certificate_is_checked(pictures, certificates, monkeypatch):
    """By the authorities that are known here, and for the camera's address; nothing is asked of others."""

    def fault(address):
        with pytest.raises(CameraFailed) as caught:
            fetch(address)
        assert "s3cret" not in "".join(traceback.format_exception(caught.value))
        return str(caught.value)

    with contextlib.ExitStack() as stack:
        served = [
            CameraServer(pictures, certificate=certificates / f"{name}.pem") for name in ("ours", "another's")
        ]
        for server in served:
            stack.callback(server.stop)
        ours, other = (server.address("snapshot.jpg", "me:s3cret") for server in served)
        assert fault(ours) == (
            "camera front: its certificate is not accepted: unable to get local issuer certificate; it must "
            "be issued to this address, by a trusted authority, which SSL_CERT_FILE can name "
            '("verifyTls": false accepts any)'
        )
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "authority.crt"))
        assert "mismatch" in fault(other)
        assert [server.asked for server in served] == [[], []]
        assert fetch(ours) in pictures
        assert fetch(other, verify_tls=False) in pictures
