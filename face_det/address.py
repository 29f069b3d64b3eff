"""How an endpoint is written: what `zerorpcPipe` may hold. Where it is listened on is doors/endpoint.py's."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from face_det.errors import ConfigError

MAX_PATH = 107  # bytes: sun_path of a Unix socket, less the closing zero
EXPECTED = "ipc:///absolute/path or tcp://host:port"

_TCP = re.compile(r"tcp://(\*|\[[0-9a-fA-F:.]+(?:%\w+)?\]|[^\s:/\[\]*]+):([0-9]{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A checked endpoint: either a socket's `path`, or a `host` and `port`."""

    text: str
    path: Path | None = None
    host: str = ""
    port: int = 0


def parse(text: str) -> Endpoint:
    """ipc:///absolute/path or tcp://host:port; ConfigError for anything else."""
    path = text.removeprefix("ipc://")
    if path != text and path.startswith("/") and not path.endswith("/") and "\0" not in path:
        try:
            size = len(os.fsencode(path))
        except UnicodeEncodeError as error:
            raise unfit(f"must be {EXPECTED}, got {text!r}") from error
        if size > MAX_PATH:
            raise unfit(f"the path must have at most {MAX_PATH} bytes, got {size}")
        return Endpoint(text, path=Path(path))
    tcp = _TCP.fullmatch(text)
    if tcp is None or not 1 <= int(tcp[2]) <= 65535:
        raise unfit(f"must be {EXPECTED}, got {text!r}")
    return Endpoint(text, host=tcp[1].strip("[]"), port=int(tcp[2]))


def unfit(text: str) -> ConfigError:
    """What is wrong with the endpoint."""
    return ConfigError([f"zerorpcPipe: {text}"])
