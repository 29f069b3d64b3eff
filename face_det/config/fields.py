"""How a setting is declared: its type, range, default and description."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, ValidationInfo
from pydantic.alias_generators import to_camel


def field(default: Any, expected: str, about: str, **limits: Any) -> Any:
    """Declare a setting, with the words that say what its value must be and what it does."""
    return Field(default, description=about, json_schema_extra={"expected": expected}, **limits)


def number(default: float, low: float, high: int, about: str) -> Any:
    """Declare a number from `low` to `high`."""
    return field(default, f"a number from {low} to {high}", about, ge=low, le=high)


def integer(default: int, low: int, high: int, about: str) -> Any:
    """Declare a whole number from `low` to `high`."""
    return field(default, f"a whole number from {low} to {high}", about, ge=low, le=high)


def path(default: str, about: str) -> Any:
    """Declare a path, which is made absolute."""
    return field(default, "a path", about)


def choice(default: str, about: str) -> Any:
    """Declare one of a list of names."""
    return field(default, "", about)


STRICT = ConfigDict(
    frozen=True,
    extra="forbid",
    strict=True,
    validate_default=True,
    alias_generator=to_camel,
    populate_by_name=True,
)


def absolute(value: object, info: ValidationInfo) -> object:
    """Make a path absolute; return anything else unchanged, for the type check to reject."""
    if not isinstance(value, str | Path):
        return value
    if not str(value).strip() or "\0" in str(value):
        raise ValueError("no path")
    return Path((info.context or {}).get("base") or Path.cwd(), value)


def list_to_tuple(value: object) -> object:
    """Make a list a tuple; return anything else unchanged, for the type check to reject."""
    return tuple(value) if isinstance(value, list) else value


def web_address(value: str) -> str:
    """Return the address of a web server; raise ValueError if it is none, or has a query.

    >>> web_address("http://127.0.0.1/zm")
    'http://127.0.0.1/zm'
    """
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("no address of a web server")
    _ = parts.port  # raises ValueError if there is no such port
    return value
