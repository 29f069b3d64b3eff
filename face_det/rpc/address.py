"""How an endpoint is written: what `zerorpcPipe` may hold. Where it is listened on is doors/endpoint.py's."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from face_det.errors import ConfigError

MAX_SOCKET_PATH = 107  # bytes: sun_path of a Unix socket, less the closing zero
EXPECTED = "ipc:///absolute/path or tcp://host:port"

_TCP = re.compile(r"tcp://(\*|\[[0-9a-fA-F:.]+(?:%\w+)?\]|[^\s:/\[\]*]+):([0-9]{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A checked endpoint: either a socket's `path`, or a `host` and `port`."""

    text: str
    path: Path | None = None
    host: str = ""
    port: int = 0


def parse_endpoint(text: str) -> Endpoint:
    """ipc:///absolute/path or tcp://host:port; ConfigError for anything else."""
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
    """What is wrong with the endpoint."""
    return ConfigError([f"zerorpcPipe: {text}"])
