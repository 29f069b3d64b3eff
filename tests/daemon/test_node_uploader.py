"""ZoneMinder's alarm uploader is a Node program: its zerorpc client, and how it behaves, over a restart."""

from __future__ import annotations

import json
import signal

import pytest
from node_uploader import NodeMissing, find_packages, start_uploader
from running import eventually


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
