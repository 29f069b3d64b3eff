"""Keys of CURVE, ZeroMQ's encryption: the server's pair, and the public keys of the clients it answers.

| file in keysPath | holds |
|---|---|
| server.json | the server's public and secret key; whoever has it can be the server |
| clients/NAME.json | a client's public key |

A client gets a file of its own, with the server's public key and its own pair. Keys are 40 characters of
Z85 (ZeroMQ's RFC 32), as every ZeroMQ library takes them. Nothing secret is ever printed.
"""

from __future__ import annotations

import json
import re
import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq
from zmq.utils import z85

from face_det import strict_json
from face_det.errors import BadName, ConfigError
from face_det.identity import storage

SERVER = "server.json"
CLIENTS = "clients"
MAX_BYTES = 10_000

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Pair:
    """A public key, and the secret one that belongs to it."""

    public: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClientKeys:
    """What a client needs: whom it means to talk to, and who it is."""

    server: str
    own: Pair


def make_server(folder: Path) -> str:
    """Make the server's pair; its public key. ConfigError if there is one already."""
    place = folder / SERVER
    if place.exists():
        raise ConfigError([f"{place}: must not be there yet; every client knows it: remove it to begin anew"])
    pair = _generate()
    _write(place, {"public": pair.public, "secret": pair.secret})
    return pair.public


def add(folder: Path, name: str, own_file: Path | None, public: str | None = None) -> None:
    """Authorise a client: one whose `public` key is given, or a new one, whose file is written to `own_file`.

    ConfigError if the server has no keys, the name is taken, or a file is in the way; BadName.
    """
    server_pair = server(folder)
    if server_pair is None:
        raise ConfigError([f"{folder / SERVER}: must be there, is not; run 'face-det keys server'"])
    place = _place(folder, name)
    for path in filter(None, (place, own_file)):
        if path.exists():
            raise ConfigError([f"{path}: must not be there yet; choose another name or remove it"])
    if public is None:
        assert own_file is not None
        pair = _generate()
        _write(own_file, {"server": server_pair.public, "public": pair.public, "secret": pair.secret})
        public = pair.public
    _write(place, {"public": _key({"public": public}, "public", "--public")})


def remove(folder: Path, name: str) -> None:
    """Authorise a client no longer; ConfigError if there is none of that name."""
    try:
        _place(folder, name).unlink()
    except OSError as error:
        names = ", ".join(sorted(authorised(folder).values())) or "none"
        raise ConfigError([f"{name}: must be a client with a key ({names}), got {error.strerror}"]) from error


def server(folder: Path) -> Pair | None:
    """The server's pair; None if there is none. ConfigError if it cannot be used, or others may read it."""
    place = folder / SERVER
    try:
        mode = place.stat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError([f"{place}: must be readable, got: {error.strerror}"]) from error
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigError([f"{place}: must be its owner's alone; run: chmod 600 '{place}'"])
    return _pair(_read(place), place)


def authorised(folder: Path) -> Mapping[str, str]:
    """Public key -> name of each client. ConfigError for a file that holds something else."""
    found = {}
    try:
        places = sorted((folder / CLIENTS).glob("*.json"))
    except OSError as error:
        raise ConfigError([f"{folder / CLIENTS}: must be readable, got: {error.strerror}"]) from error
    for place in places:
        found[_key(_read(place), "public", str(place))] = place.stem
    return found


def client(path: Path) -> ClientKeys:
    """A client's own file; ConfigError if it is none."""
    content = _read(path)
    return ClientKeys(_key(content, "server", str(path)), _pair(content, path))


def local(folder: Path) -> ClientKeys | None:
    """Keys for who may read the server's own: they call as the server. None if it has none."""
    pair = server(folder)
    return None if pair is None else ClientKeys(pair.public, pair)


def _generate() -> Pair:
    public, secret = zmq.curve_keypair()
    return Pair(public.decode("ascii"), secret.decode("ascii"))


def _place(folder: Path, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise BadName(f"name: must be letters, digits, - _ and ., at most 64, got {name[:80]!r}")
    return folder / CLIENTS / f"{name}.json"


def _write(path: Path, content: Mapping[str, str]) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError([f"{path.parent}: must be a folder to write to, got: {error.strerror}"]) from error
    storage.write_atomically(path, (json.dumps(content, indent=4) + "\n").encode())


def _read(path: Path) -> Any:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"must have at most {MAX_BYTES} bytes")
        return strict_json.read(path)
    except OSError as error:
        raise ConfigError([f"{path}: must be a file of keys, got: {error.strerror}"]) from error
    except ValueError as error:
        raise ConfigError([f"{path}: {error}"]) from error


def _pair(content: Any, path: Path) -> Pair:
    pair = Pair(_key(content, "public", str(path)), _key(content, "secret", str(path)))
    if zmq.curve_public(pair.secret.encode("ascii")) != pair.public.encode("ascii"):
        raise ConfigError([f"{path}: public and secret must belong together, do not; make the keys anew"])
    return pair


def _key(content: Any, name: str, place: str) -> str:
    """A key of a file's content; what it is instead is not shown, it may be secret."""
    key = content.get(name) if isinstance(content, dict) else None
    try:
        if isinstance(key, str) and len(key) == 40 and len(z85.decode(key)) == 32:
            return key
    except (ValueError, LookupError, struct.error):
        pass  # said below
    raise ConfigError([f"{place}: {name}: must be 40 characters of Z85, got something else"])
