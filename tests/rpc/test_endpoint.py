"""What may lie at a socket's path, and what is done about it."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest
import zmq

from face_det.errors import AlreadyRunning, ConfigError
from face_det.rpc import address, endpoint


@pytest.mark.parametrize(
    "text",
    ["", "ipc://", "ipc://relative/path", "ipc:///tmp/", "ipc:///a\0b", "ipc://@abstract", "/tmp/x", "inproc://x",
     "tcp://", "tcp://h", "tcp://h:", "tcp://:1", "tcp://h:0", "tcp://h:65536", "tcp://h:1/x", "tcp://::1:5", "udp://h:1"],
)  # fmt: skip
def test_not_an_endpoint(text):
    """Anything but a socket's path or a host with a port is refused with both shapes."""
    with pytest.raises(ConfigError, match="must be ipc:///absolute/path or tcp://host:port") as caught:
        address.parse_endpoint(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    "text", ["tcp://*:4242", "tcp://127.0.0.1:4242", "tcp://[::1]:4242", "tcp://cam.local:1"]
)
def test_tcp_endpoints(text):
    """Every interface, addresses of both kinds, names."""
    parsed = address.parse_endpoint(text)
    assert parsed.path is None
    assert f"{parsed.host}:{parsed.port}" in text.replace("[", "").replace("]", "")


def test_a_path_is_as_long_as_the_kernel_allows():
    """107 bytes and not one more; bytes, not letters."""
    assert address.parse_endpoint("ipc:///" + "a" * 106).path == Path("/" + "a" * 106)
    for path in ("/" + "a" * 107, "/" + "ä" * 54):
        with pytest.raises(ConfigError, match="at most 107 bytes, got 10"):
            address.parse_endpoint(f"ipc://{path}")


def test_the_originals_empty_file_gives_way(folder):
    """Users of the original were told to touch the path first."""
    (folder / "s").touch()
    with endpoint.hold_endpoint(address.parse_endpoint(f"ipc://{folder}/s")):
        assert not (folder / "s").exists()
    assert list(folder.iterdir()) == []


def test_a_dead_socket_gives_way(folder):
    """Nobody listens on it any more."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / "s"))
    with endpoint.hold_endpoint(address.parse_endpoint(f"ipc://{folder}/s")):
        assert not (folder / "s").exists()


def test_a_file_with_something_in_it_stays(folder):
    """It is not ours: refused, and it is still there as it was."""
    (folder / "s").write_text("precious")
    with pytest.raises(ConfigError, match="must be a socket or free, got a file of 8 bytes"):
        _hold(folder / "s")
    assert (folder / "s").read_text() == "precious"


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_what_is_neither_file_nor_socket_stays(folder, kind):
    """A link could lead anywhere."""
    (folder / "s").mkdir() if kind == "folder" else (folder / "s").symlink_to("/etc/passwd")
    with pytest.raises(ConfigError, match="must be a socket or free, got something else"):
        _hold(folder / "s")
    assert (folder / "s").lstat()


def test_the_folder_must_be_there(folder):
    """It says which one to make."""
    with pytest.raises(ConfigError, match=f"create {folder}/none first"):
        _hold(folder / "none" / "s")


def test_a_lock_that_cannot_be_taken_is_a_clear_error(folder):
    """Something in the lock's place that is none."""
    (folder / "s.lock").mkdir()
    with pytest.raises(ConfigError, match=r"cannot lock .*s\.lock: "):
        _hold(folder / "s")


def test_who_holds_the_lock_is_named_before_anything_is_touched(folder):
    """Also while the holder has not got so far as to listen."""
    place = address.parse_endpoint(f"ipc://{folder}/s")
    with endpoint.hold_endpoint(place):
        (folder / "s").touch()
        with pytest.raises(AlreadyRunning, match=rf"a daemon is running \(pid {os.getpid()}\)"):
            _hold(folder / "s")
        assert (folder / "s").exists()
    (folder / "s").unlink()
    assert list(folder.iterdir()) == []


def test_the_lock_is_free_again_after_a_failed_start(folder):
    """What goes wrong while it is held does not keep the next one out."""
    (folder / "s").write_text("precious")
    for _ in range(2):
        with pytest.raises(ConfigError, match="8 bytes"):
            _hold(folder / "s")


def test_names_of_this_machine_can_be_listened_on(free_port):
    """zmq itself takes only numbers."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as listener:
        endpoint.bind_endpoint(address.parse_endpoint(f"tcp://localhost:{free_port}"), listener.bind)
        socket.create_connection(("127.0.0.1", free_port), timeout=10).close()


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_no_place_to_listen(host):
    """192.0.2.1 belongs to nobody."""
    with (
        zmq.Context() as context,
        context.socket(zmq.ROUTER) as listener,
        pytest.raises(ConfigError, match="zerorpcPipe: "),
    ):
        endpoint.bind_endpoint(address.parse_endpoint(f"tcp://{host}:4242"), listener.bind)


def test_the_umask_is_put_back(folder):
    """The socket's mode is nobody else's."""
    old = os.umask(0o022)
    try:
        with zmq.Context() as context, context.socket(zmq.ROUTER) as listener:
            endpoint.bind_endpoint(address.parse_endpoint(f"ipc://{folder}/s"), listener.bind)
            assert stat.S_IMODE((folder / "s").stat().st_mode) == 0o660
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(old)


def _hold(path):
    with endpoint.hold_endpoint(address.parse_endpoint(f"ipc://{path}")):
        pass
