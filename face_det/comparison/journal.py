"""Results so far, a line of JSON each, so that a comparison that was ended goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from face_det.storage import report_write_errors


class Journal:
    """Results by key, in a file that only grows. A line that was cut off by a kill is as if never written.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     Journal(Path(folder, "ours.jsonl")).add("picture", {"boxes": []})
    ...     Journal(Path(folder, "ours.jsonl")).get("picture")
    {'boxes': []}
    """

    def __init__(self, path: Path) -> None:
        """Read the file if there is one. Raises CannotWrite if it cannot be read."""
        self._path = path
        self._values: dict[str, dict[str, Any]] = {}
        self._whole = True
        with report_write_errors(path, "the results so far are kept"):
            data = path.read_bytes() if path.exists() else b""
        for line in data.splitlines(keepends=True):
            self._whole = line.endswith(b"\n")
            try:
                key, value = json.loads(line)
            except ValueError:
                continue
            if isinstance(key, str) and isinstance(value, dict):
                self._values[key] = value

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the result of that key, or None."""
        return self._values.get(key)

    def __iter__(self) -> Iterator[str]:
        """Yield the keys."""
        return iter(self._values)

    def add(self, key: str, value: dict[str, Any]) -> None:
        """Keep a result. Raises CannotWrite, as when the disk is full."""
        line = json.dumps([key, value]).encode() + b"\n"
        with report_write_errors(self._path, "the results so far are kept"), self._path.open("ab") as file:
            file.write(line if self._whole else b"\n" + line)
        self._whole = True
        self._values[key] = value
