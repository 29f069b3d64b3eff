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

from face_det.errors import BadName, ConfigError
from face_det.storage import read_json, write_atomically

SERVER_FILE = "server.json"
CLIENTS_FOLDER = "clients"
MAX_KEY_FILE_BYTES = 10_000

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A public key, and the secret one that belongs to it."""

    public: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClientKeys:
    """What a client needs: whom it means to talk to, and who it is."""

    server: str
    own: KeyPair


def create_server_keys(folder: Path) -> str:
    """Make the server's pair; its public key. ConfigError if there is one already."""
    place = folder / SERVER_FILE
    if place.exists():
        raise ConfigError([f"{place}: must not be there yet; every client knows it: remove it to begin anew"])
    pair = generate_key_pair()
    _write_json(place, {"public": pair.public, "secret": pair.secret})
    return pair.public


def authorise_client(folder: Path, name: str, own_file: Path | None, public: str | None = None) -> None:
    """Authorise a client: one whose `public` key is given, or a new one, whose file is written to `own_file`.

    ConfigError if the server has no keys, the name is taken, or a file is in the way; BadName.
    """
    server_pair = load_server_keys(folder)
    if server_pair is None:
        raise ConfigError([f"{folder / SERVER_FILE}: must be there, is not; run 'face-det keys server'"])
    place = _client_file(folder, name)
    for path in filter(None, (place, own_file)):
        if path.exists():
            raise ConfigError([f"{path}: must not be there yet; choose another name or remove it"])
    if public is None:
        assert own_file is not None
        pair = generate_key_pair()
        _write_json(own_file, {"server": server_pair.public, "public": pair.public, "secret": pair.secret})
        public = pair.public
    _write_json(place, {"public": _parse_key({"public": public}, "public", "--public")})


def revoke_client(folder: Path, name: str) -> None:
    """Authorise a client no longer; ConfigError if there is none of that name."""
    try:
        _client_file(folder, name).unlink()
    except OSError as error:
        names = ", ".join(sorted(load_authorised_keys(folder).values())) or "none"
        raise ConfigError([f"{name}: must be a client with a key ({names}), got {error.strerror}"]) from error


def load_server_keys(folder: Path) -> KeyPair | None:
    """The server's pair; None if there is none. ConfigError if it cannot be used, or others may read it."""
    place = folder / SERVER_FILE
    try:
        mode = place.stat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError([f"{place}: must be readable, got: {error.strerror}"]) from error
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigError([f"{place}: must be its owner's alone; run: chmod 600 '{place}'"])
    return _parse_pair(_read_json(place), place)


def load_authorised_keys(folder: Path) -> Mapping[str, str]:
    """Public key -> name of each client. ConfigError for a file that holds something else."""
    found = {}
    try:
        places = sorted((folder / CLIENTS_FOLDER).glob("*.json"))
    except OSError as error:
        raise ConfigError([f"{folder / CLIENTS_FOLDER}: must be readable, got: {error.strerror}"]) from error
    for place in places:
        found[_parse_key(_read_json(place), "public", str(place))] = place.stem
    return found


def load_client_keys(path: Path) -> ClientKeys:
    """A client's own file; ConfigError if it is none."""
    content = _read_json(path)
    return ClientKeys(_parse_key(content, "server", str(path)), _parse_pair(content, path))


def load_local_keys(folder: Path) -> ClientKeys | None:
    """Keys for who may read the server's own: they call as the server. None if it has none."""
    pair = load_server_keys(folder)
    return None if pair is None else ClientKeys(pair.public, pair)


def generate_key_pair() -> KeyPair:
    """A new pair of CURVE keys."""
    public, secret = zmq.curve_keypair()
    return KeyPair(public.decode("ascii"), secret.decode("ascii"))


def _client_file(folder: Path, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise BadName(f"name: must be letters, digits, - _ and ., at most 64, got {name[:80]!r}")
    return folder / CLIENTS_FOLDER / f"{name}.json"


def _write_json(path: Path, content: Mapping[str, str]) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError([f"{path.parent}: must be a folder to write to, got: {error.strerror}"]) from error
    write_atomically(path, (json.dumps(content, indent=4) + "\n").encode())


def _read_json(path: Path) -> Any:
    try:
        if path.stat().st_size > MAX_KEY_FILE_BYTES:
            raise ValueError(f"must have at most {MAX_KEY_FILE_BYTES} bytes")
        return read_json(path)
    except OSError as error:
        raise ConfigError([f"{path}: must be a file of keys, got: {error.strerror}"]) from error
    except ValueError as error:
        raise ConfigError([f"{path}: {error}"]) from error


def _parse_pair(content: Any, path: Path) -> KeyPair:
    pair = KeyPair(_parse_key(content, "public", str(path)), _parse_key(content, "secret", str(path)))
    if zmq.curve_public(pair.secret.encode("ascii")) != pair.public.encode("ascii"):
        raise ConfigError([f"{path}: public and secret must belong together, do not; make the keys anew"])
    return pair


def _parse_key(content: Any, name: str, place: str) -> str:
    """A key of a file's content; what it is instead is not shown, it may be secret."""
    key = content.get(name) if isinstance(content, dict) else None
    try:
        if isinstance(key, str) and len(key) == 40 and len(z85.decode(key)) == 32:
            return key
    except (ValueError, LookupError, struct.error):
        pass  # said below
    raise ConfigError([f"{place}: {name}: must be 40 characters of Z85, got something else"])
