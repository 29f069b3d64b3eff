"""ZoneMinder's alarm uploader is a Node program: its zerorpc client, and how it behaves, over a restart."""

from __future__ import annotations

import json
import signal
import sys
import urllib.parse

import pytest
from node_uploader import NodeMissing, find_packages, start_uploader
from running import eventually

REAL = (sys.executable, "-m", "face_det.cli.main", "serve", "--config")
CHOU = "\u5468\u6770\u502b"


@pytest.fixture(scope="module")
def photos(small_photos):
    """Nothing here depends on how large a photo is."""
    return small_photos


@pytest.fixture(scope="module")
def packages():
    """Node's packages, or the test is skipped."""
    try:
        return find_packages()
    except NodeMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def upload(packages, folder):
    """upload(daemon, batches, images): the uploader as a process; what it writes goes to files."""
    started = []

    def start(daemon, batches, images):
        started.append(start_uploader(packages, daemon.endpoint, batches, images, folder))
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


@pytest.mark.parametrize("ascii_names", [True, False])
def test_a_name_in_other_letters_fits_into_a_header(launch, call, upload, photos, folder, ascii_names):
    """With asciiNames the uploader can send it, and it can be decoded again; without, the uploader ends."""
    daemon = launch(command=REAL, asciiNames=ascii_names)
    call(daemon, "add_face", CHOU, str(photos["obama"]))
    box = {"xmin": 0, "ymin": 0, "xmax": 9000, "ymax": 9000}
    image = {"image": str(photos["obama2"]), "labels": [{"name": "person", "box": box}]}
    uploader = upload(daemon, 1, [image])
    eventually(lambda: uploader.poll() is not None, "the uploader's end")
    replies = [json.loads(line) for line in (folder / "replies").read_text().splitlines()]
    said = [reply[0]["labels"][0]["face"] for reply in replies]
    if ascii_names:
        assert ((folder / "errors").read_text(), uploader.returncode) == ("", 0)
        assert [urllib.parse.unquote(name) for name in said] == [CHOU] * 2
        assert all(name.isascii() for name in said)
    else:
        assert uploader.returncode == 1
        assert "Invalid character in header" in (folder / "errors").read_text()
