"""Parses endpoints, as in the setting `zerorpcPipe`. rpc/endpoint.py listens on them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from face_det.errors import ConfigError

MAX_SOCKET_PATH = 107  # bytes: sun_path of a Unix socket, without the terminating zero
EXPECTED = "ipc:///absolute/path or tcp://host:port"

_TCP = re.compile(r"tcp://(\*|\[[0-9a-fA-F:.]+(?:%\w+)?\]|[^\s:/\[\]*]+):([0-9]{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A valid endpoint: either the `path` of a Unix socket, or a `host` and `port`."""

    text: str
    path: Path | None = None
    host: str = ""
    port: int = 0


def parse_endpoint(text: str) -> Endpoint:
    """Parse ipc:///absolute/path or tcp://host:port; raise ConfigError for anything else.

    >>> parse_endpoint("tcp://127.0.0.1:4242").port
    4242
    """
    path = text.removeprefix("ipc://")
    if path != text and path.startswith("/") and not path.endswith("/") and "\0" not in path:
        try:
            size = len(os.fsencode(path))
        except UnicodeEncodeError as error:
            raise endpoint_error(f"must be {EXPECTED}, got {text!r}") from error
        if size > MAX_SOCKET_PATH:
            raise endpoint_error(f"the path must have at most {MAX_SOCKET_PATH} bytes, got {size}")
        return Endpoint(text, path=Path(path))
    tcp = _TCP.fullmatch(text)
    if tcp is None or not 1 <= int(tcp[2]) <= 65535:
        raise endpoint_error(f"must be {EXPECTED}, got {text!r}")
    return Endpoint(text, host=tcp[1].strip("[]"), port=int(tcp[2]))


def endpoint_error(text: str) -> ConfigError:
    """Make the error for an endpoint that cannot be used."""
    return ConfigError([f"zerorpcPipe: {text}"])
