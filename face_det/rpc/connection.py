"""What both clients share: how a daemon is reached, and its errors as our own classes. No zerorpc here."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any, Protocol

import zmq

from face_det import errors
from face_det.errors import ConfigError, FaceDetError, Unreachable
from face_det.rpc import keys as key_files
from face_det.rpc.address import Endpoint
from face_det.rpc.keys import ClientKeys

PROBE_S = 5.0
"""How long a daemon may take to accept a connection, and again to check our keys."""
HANDSHAKES = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)

GivenKeys = ClientKeys | str | os.PathLike[str] | None
"""Keys as a caller passes them: loaded, as the path of their file, or none."""


class ConnectionSettings(Protocol):
    """The settings that a client needs of a configuration."""

    @property
    def zerorpc_pipe(self) -> str:
        """Where the daemon listens."""
        ...

    @property
    def zerorpc_heart_beat(self) -> int:
        """Milliseconds."""
        ...

    @property
    def keys_path(self) -> Path:
        """The folder of the daemon's keys."""
        ...


def load_keys(given: GivenKeys) -> ClientKeys | None:
    """Return keys that were given, loading their file; raise ConfigError if it cannot be used."""
    return (
        given if given is None or isinstance(given, ClientKeys) else key_files.load_client_keys(Path(given))
    )


def choose_daemon(config: ConnectionSettings, endpoint: str | None, keys: GivenKeys) -> tuple[str, GivenKeys]:
    """Return the endpoint and the keys for the configured daemon or, if `endpoint` is given, the one there.

    A configured daemon that listens on tcp is called with its own keys, unless `keys` are given. Raises
    ConfigError if those cannot be used.
    """
    place = endpoint or config.zerorpc_pipe
    if keys is None and endpoint is None and place.startswith("tcp:"):
        keys = key_files.load_local_keys(config.keys_path)
    return place, keys


def tcp_address(peer: tuple[Any, ...]) -> str:
    """Return the address, as zmq takes it, of a peer to which a socket could connect.

    On its own, zmq tries one address of a name, which may be one where nobody listens.

    >>> tcp_address(("::1", 4242, 0, 0))
    'tcp://[::1]:4242'
    """
    host, port = peer[:2]
    scope = f"%{peer[3]}" if len(peer) > 3 and peer[3] and "%" not in host else ""
    return f"tcp://[{host}{scope}]:{port}" if ":" in host else f"tcp://{host}:{port}"


def prepare_tcp(setsockopt: Any, address: str, keys: ClientKeys | None) -> None:
    """Set a client's socket up, through its `setsockopt`, before it connects to `address`."""
    setsockopt(zmq.IPV6, int("[" in address))
    if keys is not None:
        setsockopt(zmq.CURVE_SERVERKEY, keys.server.encode())
        setsockopt(zmq.CURVE_PUBLICKEY, keys.own.public.encode())
        setsockopt(zmq.CURVE_SECRETKEY, keys.own.secret.encode())


def refusal(keys: ClientKeys | None) -> str:
    """Say why a daemon on tcp refused the handshake."""
    return "it does not accept our keys" if keys else "it requires keys and we have none"


def unreachable(endpoint: Endpoint, why: str) -> Unreachable:
    """Make the error for a daemon that does not answer.

    >>> print(*str(unreachable(Endpoint("tcp://cam:1"), "Connection refused")).split("; "), sep="\\n")
    tcp://cam:1: a daemon must answer there, got: Connection refused
    is it running? `face-det serve` or `face-det up` starts it
    """
    return Unreachable(
        f"{endpoint.text}: a daemon must answer there, got: {why}; is it running? `face-det serve` or "
        "`face-det up` starts it"
    )


def local_error(name: str, message: str) -> FaceDetError:
    """Recreate the error that the daemon raised, from the name of its class.

    >>> local_error("Busy", "queue: full")
    Busy('queue: full')
    """
    found = getattr(errors, name, None)
    if not isinstance(found, type) or not issubclass(found, FaceDetError):
        return FaceDetError(f"{name}: {message}")
    return found([message]) if issubclass(found, ConfigError) else found(message)


def is_no_late_wakeup(record: logging.LogRecord) -> bool:
    """Tell whether a log record of zerorpc is worth printing in a program that only calls the daemon.

    zerorpc looks each second whether it has missed an event. If the program stood still meanwhile, as it
    does on a busy machine, that look comes before the event itself, and zerorpc logs a "gevent_zeromq BUG"
    although nothing was missed.
    """
    return "catching up after missing event" not in record.getMessage()
