"""The page's password and the programs' tokens: a file that holds only their hashes.

    {"password": "$argon2id$...", "tokens": [{"name": "ha", "hash": "<SHA-256>", "added": 1790000000}]}

A password is guessable, so its hash is slow (argon2id, with the library's parameters from RFC 9106). A
token is 256 random bits, which cannot be guessed, so SHA-256 is enough and a request costs nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import stat
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from face_det.errors import BadName, ConfigError, DataError
from face_det.storage import (
    lock_for_update,
    make_folder,
    parse_json,
    read_if_present,
    report_write_errors,
    write_atomically,
)

MAX_FILE_BYTES = 1_000_000
MIN_PASSWORD = 8
MAX_PASSWORD = 1024
TOKEN_PREFIX = "fd_"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of a token: its name, its hash, and when it was made (seconds since 1970)."""

    name: str
    hash: str
    added: float


@dataclass(frozen=True, slots=True)
class Credentials:
    """The hash of the password, if there is one, and the tokens."""

    password: str | None = None
    tokens: tuple[Token, ...] = ()

    def __bool__(self) -> bool:
        """Return whether there is a password or a token."""
        return self.password is not None or bool(self.tokens)


def load_credentials(path: Path) -> Credentials:
    """Read the file; nothing is in it if it does not exist.

    Raises ConfigError if it cannot be used, or if others than its owner may read it.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError([f"{path}: must be readable by its owner only; run: chmod 600 '{path}'"])
        data = read_if_present(path, MAX_FILE_BYTES)
        return Credentials() if data is None else _parse(parse_json(data))
    except FileNotFoundError:
        return Credentials()
    except OSError as error:
        raise ConfigError([f"{path}: must be readable, got: {error.strerror}"]) from error
    except DataError as error:
        raise ConfigError([str(error)]) from error
    except ValueError as error:
        raise ConfigError([f"{path}: {error}"]) from error


def set_password(path: Path, password: str) -> None:
    """Keep a new password, which ends every session.

    Raises DataError for one that is too short or too long, ConfigError and CannotWrite for the file.
    """
    from argon2 import PasswordHasher

    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise DataError(
            f"password: must have {MIN_PASSWORD} to {MAX_PASSWORD} characters, got {len(password)}"
        )
    hashed = PasswordHasher().hash(password)
    _prepare(path)
    with lock_for_update(path):
        _write(path, replace(load_credentials(path), password=hashed))


def verify_password(hashed: str, password: str) -> bool:
    """Compare a password with a hash. It takes 64 MB and a tenth of a second, on purpose."""
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return PasswordHasher().verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False


def add_token(path: Path, name: str) -> str:
    """Make a token for a program and return it; only its hash is kept.

    Raises BadName for a name that cannot be used, ConfigError for one that is taken.
    """
    if not _NAME.fullmatch(name):
        raise BadName(f"name: must be letters, digits, - _ and ., at most 64, got {name[:80]!r}")
    _prepare(path)
    with lock_for_update(path):
        credentials = load_credentials(path)
        if any(token.name == name for token in credentials.tokens):
            raise ConfigError([f"{name}: already has a token; remove it, or choose another name"])
        text = TOKEN_PREFIX + secrets.token_urlsafe(32)
        token = Token(name, _hash_token(text), round(time.time()))
        _write(path, replace(credentials, tokens=(*credentials.tokens, token)))
    return text


def remove_token(path: Path, name: str) -> None:
    """Withdraw a token; raise ConfigError if none has the name."""
    _prepare(path)
    with lock_for_update(path):
        credentials = load_credentials(path)
        left = tuple(token for token in credentials.tokens if token.name != name)
        if len(left) == len(credentials.tokens):
            names = ", ".join(token.name for token in left) or "there are none"
            raise ConfigError([f"{name[:80]}: must be the name of a token ({names})"])
        _write(path, replace(credentials, tokens=left))


def find_token(credentials: Credentials, text: str) -> Token | None:
    """Return the token with this text, or None; every token is compared, in constant time.

    >>> find_token(Credentials(tokens=(Token("ha", _hash_token("fd_x"), 0),)), "fd_x").name
    'ha'
    """
    hashed = _hash_token(text)
    found = [token for token in credentials.tokens if hmac.compare_digest(token.hash, hashed)]
    return found[0] if found else None


def _hash_token(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _prepare(path: Path) -> None:
    with report_write_errors(path):
        make_folder(path.parent)


def _write(path: Path, credentials: Credentials) -> None:
    content = json.dumps(asdict(credentials), indent=4) + "\n"
    write_atomically(path, content.encode())


def _parse(content: Any) -> Credentials:
    if not isinstance(content, dict) or not content.keys() <= {"password", "tokens"}:
        raise ValueError("must be an object with `password` and `tokens`; `face-det web password` writes it")
    password, tokens = content.get("password"), content.get("tokens", [])
    if not (password is None or (isinstance(password, str) and password.startswith("$argon2"))):
        raise ValueError("password: must be an argon2 hash; run `face-det web password`")
    if not isinstance(tokens, list):
        raise ValueError("tokens: must be a list")  # noqa: TRY004
    return Credentials(password, tuple(_parse_token(token) for token in tokens))


def _parse_token(content: Any) -> Token:
    try:
        token = Token(str(content["name"]), str(content["hash"]), float(content["added"]))
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError("tokens: each must have name, hash and added") from error
    if not _HASH.fullmatch(token.hash):
        raise ValueError(f"tokens: {token.name[:80]}: hash: must be a SHA-256 in hex")
    return token


class CredentialsFile:
    """The current credentials: the file is read again when it changes. For one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] | None = None
        self._result: Credentials | ConfigError | None = None

    def current(self) -> Credentials:
        """Return what the file holds; raise ConfigError while it cannot be used."""
        signature = _signature(self._path)
        if self._result is None or signature != self._seen:
            try:
                self._result = load_credentials(self._path)
            except ConfigError as error:
                self._result = error
            self._seen = signature
        if isinstance(self._result, ConfigError):
            raise self._result
        return self._result


def _signature(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size, stat.S_IMODE(found.st_mode))
