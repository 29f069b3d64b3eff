"""Reads JSON that a person has written, and reports faults with their place.

The standard parser silently keeps the last of two equal keys. Here every repeated key is a fault.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class JsonObject(dict[str, Any]):
    """A JSON object that remembers which of its keys were repeated (`repeated`, sorted)."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        keys = [key for key, _ in pairs]
        self.repeated = sorted({key for key in keys if keys.count(key) > 1})


def parse_json(data: bytes) -> Any:
    """Parse JSON text in UTF-8, with or without a byte order mark; objects become `JsonObject`.

    Raises ValueError with a one-line message that starts with the place, if there is one.

    >>> parse_json(b'{"port": 4242}')
    {'port': 4242}
    >>> parse_json(b'{"port": }')
    Traceback (most recent call last):
    ...
    ValueError: line 1, column 10: must be JSON: Expecting value
    """
    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=JsonObject)
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}, column {error.colno}: must be JSON: {error.msg}") from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line}: must be UTF-8, got byte 0x{data[error.start]:02x}") from error
    except (ValueError, RecursionError) as error:
        # A number with thousands of digits, or brackets nested thousands deep.
        raise ValueError(f"must be JSON of a sensible size: {error}") from error


def read_json(path: Path) -> Any:
    """Read a file with `parse_json`. Raises ValueError if the file cannot be read or parsed.

    >>> read_json(Path("no such file"))
    Traceback (most recent call last):
    ...
    ValueError: must be a readable file, got: No such file or directory
    """
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ValueError(f"must be a readable file, got: {reason}") from error
    return parse_json(data)


def repeated_keys(value: object, place: str = "") -> Iterator[str]:
    """Yield the place of every key that is repeated in its object; `place` is put before each.

    >>> list(repeated_keys(parse_json(b'{"server": {"port": 1, "port": 2}}')))
    ['server.port']
    """
    if isinstance(value, JsonObject):
        yield from (f"{place}{format_json_key(key)}" for key in value.repeated)
        for key, inner in value.items():
            yield from repeated_keys(inner, f"{place}{format_json_key(key)}.")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from repeated_keys(inner, f"{place.removesuffix('.')}[{number}].")


def abbreviate_json(value: object, longest: int = 60) -> str:
    """Write a value as JSON on one printable line of at most `longest` characters.

    >>> abbreviate_json(["a", 1, None], longest=10)
    '["a", 1...'
    """
    text = json.dumps(value, ensure_ascii=False)
    if not text.isprintable():
        text = json.dumps(value)
    return text if len(text) <= longest else text[: longest - 3] + "..."


def is_finite_number(value: object) -> bool:
    """Tell whether a value from JSON is a number that a float can hold.

    >>> [is_finite_number(value) for value in (1, 2.5, True, "1", 10**400)]
    [True, True, False, False, False]
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer of hundreds of digits
        return False


def format_json_key(key: str) -> str:
    """Write a key for a message: bare if it is short and printable, else as abbreviated JSON.

    >>> format_json_key("port"), format_json_key("a" + chr(10) + "b")
    ('port', '"a\\\\nb"')
    """
    return key if key.isprintable() and len(key) <= 60 else abbreviate_json(key)
