"""JSON that a person has written: what is wrong with it is said with its place.

The standard parser keeps the last of two equal keys and lets the first vanish without a word; here
each such pair is a fault.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class JsonObject(dict[str, Any]):
    """A JSON object that remembers which of its keys stood there more than once."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        keys = [key for key, _ in pairs]
        self.repeated = sorted({key for key in keys if keys.count(key) > 1})


def parse_json(data: bytes) -> Any:
    """The value that JSON text in UTF-8 stands for, objects as `Object`.

    Raises ValueError with one line that starts with the place, where there is one.
    """
    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=JsonObject)
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}, column {error.colno}: must be JSON: {error.msg}") from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line}: must be UTF-8, got byte 0x{data[error.start]:02x}") from error
    except (ValueError, RecursionError) as error:
        # A number of thousands of digits, or thousands of brackets within each other.
        raise ValueError(f"must be JSON of a sensible size: {error}") from error


def read_json(path: Path) -> Any:
    """`parse` for a file; ValueError also if it cannot be read."""
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ValueError(f"must be a file that can be read, got: {reason}") from error
    return parse_json(data)


def repeated_keys(value: object, place: str = "") -> Iterator[str]:
    """The place of every key that stands in its object more than once: `faceDetServer.minProba`."""
    if isinstance(value, JsonObject):
        yield from (f"{place}{format_json_key(key)}" for key in value.repeated)
        for key, inner in value.items():
            yield from repeated_keys(inner, f"{place}{format_json_key(key)}.")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from repeated_keys(inner, f"{place.removesuffix('.')}[{number}].")


def abbreviate_json(value: object, longest: int = 60) -> str:
    """A value as JSON spells it, cut to a length that fits on a line."""
    text = json.dumps(value, ensure_ascii=False)
    if not text.isprintable():
        text = json.dumps(value)
    return text if len(text) <= longest else text[: longest - 3] + "..."


def format_json_key(key: str) -> str:
    """A key as a message names it: bare where that is short and printable."""
    return key if key.isprintable() and len(key) <= 60 else abbreviate_json(key)
