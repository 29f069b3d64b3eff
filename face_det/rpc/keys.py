"""The keys of CURVE, ZeroMQ's encryption: the server's pair and the public keys of its clients.

| file in keysPath | holds |
|---|---|
| server.json | the server's public and secret key; anyone who has it can pose as the server |
| clients/NAME.json | a client's public key |

Each client gets a file with the server's public key and its own pair. Keys are 40 characters of Z85
(ZeroMQ's RFC 32), the format that every ZeroMQ library accepts. Secrets are never printed.
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
from face_det.storage import make_folder, read_json, write_atomically

SERVER_FILE = "server.json"
CLIENTS_FOLDER = "clients"
MAX_KEY_FILE_BYTES = 10_000

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A public key and its secret key."""

    public: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClientKeys:
    """What a client needs: the public key of the server and its own pair."""

    server: str
    own: KeyPair


def create_server_keys(folder: Path) -> str:
    """Create the server's pair and return its public key; raise ConfigError if there is one already."""
    place = folder / SERVER_FILE
    if place.exists():
        raise ConfigError([f"{place}: already exists, and every client knows it; remove it to start over"])
    pair = generate_key_pair()
    _write_json(place, {"public": pair.public, "secret": pair.secret})
    return pair.public


def authorise_client(folder: Path, name: str, own_file: Path | None, public: str | None = None) -> None:
    """Authorise a client by its `public` key, or create a pair for it and write that to `own_file`.

    Raises ConfigError if the server has no keys, the name is taken or a file is in the way, and BadName
    for a name that cannot be used.
    """
    server_pair = load_server_keys(folder)
    if server_pair is None:
        raise ConfigError([f"{folder / SERVER_FILE}: not found; run 'face-det keys server'"])
    place = _client_file(folder, name)
    for path in filter(None, (place, own_file)):
        if path.exists():
            raise ConfigError([f"{path}: already exists; choose another name or remove it"])
    if public is None:
        assert own_file is not None
        pair = generate_key_pair()
        _write_json(own_file, {"server": server_pair.public, "public": pair.public, "secret": pair.secret})
        public = pair.public
    _write_json(place, {"public": _parse_key({"public": public}, "public", "--public")})


def revoke_client(folder: Path, name: str) -> None:
    """Withdraw a client's authorisation; raise ConfigError if no client has the name."""
    try:
        _client_file(folder, name).unlink()
    except FileNotFoundError as error:
        names = ", ".join(sorted(load_authorised_keys(folder).values())) or "none"
        raise ConfigError([f"{name}: no client has this name; those with a key: {names}"]) from error
    except OSError as error:
        raise ConfigError([f"{name}: its key cannot be removed: {error.strerror}"]) from error


def load_server_keys(folder: Path) -> KeyPair | None:
    """Load the server's pair, or None if it has none.

    Raises ConfigError if it is unusable or others may read it.
    """
    place = folder / SERVER_FILE
    try:
        mode = place.stat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError([f"{place}: must be readable, got: {error.strerror}"]) from error
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigError([f"{place}: must be readable by its owner only; run: chmod 600 '{place}'"])
    return _parse_pair(_read_json(place), place)


def load_authorised_keys(folder: Path) -> Mapping[str, str]:
    """Load the clients as {public key: name}; raise ConfigError for a file that holds something else."""
    found = {}
    try:
        places = sorted((folder / CLIENTS_FOLDER).glob("*.json"))
    except OSError as error:
        raise ConfigError([f"{folder / CLIENTS_FOLDER}: must be readable, got: {error.strerror}"]) from error
    for place in places:
        found[_parse_key(_read_json(place), "public", str(place))] = place.stem
    return found


def load_client_keys(path: Path) -> ClientKeys:
    """Load a client's own file; raise ConfigError if it is not one."""
    content = _read_json(path)
    return ClientKeys(_parse_key(content, "server", str(path)), _parse_pair(content, path))


def load_local_keys(folder: Path) -> ClientKeys | None:
    """Load the server's keys for a local client, which then calls as the server; None without keys."""
    pair = load_server_keys(folder)
    return None if pair is None else ClientKeys(pair.public, pair)


def generate_key_pair() -> KeyPair:
    """Generate a new pair of CURVE keys."""
    public, secret = zmq.curve_keypair()
    return KeyPair(public.decode("ascii"), secret.decode("ascii"))


def _client_file(folder: Path, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise BadName(f"name: must be letters, digits, - _ and ., at most 64, got {name[:80]!r}")
    return folder / CLIENTS_FOLDER / f"{name}.json"


def _write_json(path: Path, content: Mapping[str, str]) -> None:
    try:
        make_folder(path.parent)
    except OSError as error:
        raise ConfigError([f"{path.parent}: must be a writable folder, got: {error.strerror}"]) from error
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
        raise ConfigError([f"{path}: public and secret key do not match; create the keys again"])
    return pair


def _parse_key(content: Any, name: str, place: str) -> str:
    """Return a key from a file's content. An invalid value is not shown, as it may be secret."""
    key = content.get(name) if isinstance(content, dict) else None
    try:
        if isinstance(key, str) and len(key) == 40 and len(z85.decode(key)) == 32:
            return key
    except (ValueError, LookupError, struct.error):
        pass  # reported below
    raise ConfigError([f"{place}: {name}: must be 40 characters of Z85, got something else"])
