"""A bucket of alarm frames, as smart-zoneminder's uploader stores them, and the command that reads it."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import forked
from s3_server import S3Server

from face_det.extraction import OUTPUT_JOURNAL

_NUMBERS = itertools.count(1)


class Alarms:
    """A bucket of alarm frames, and `face-det s3-extract` on it."""

    def __init__(self, server: S3Server, folder: Path) -> None:
        self.server = server
        self.name = f"alarms-{next(_NUMBERS)}"
        self.output = folder / "frames"
        self.client = server.client()
        self.client.create_bucket(Bucket=self.name)

    def put(self, key: str, body: bytes, labels: object = None, *, raw: bool = False) -> None:
        self.server.put(self.name, key, body, labels, raw=raw)

    def command(self, *more: str) -> list[str]:
        """The command as a shell would run it."""
        return [
            *(sys.executable, "-m", "face_det.cli.main", "s3-extract"),
            *("--bucket", self.name, "--output", str(self.output), "--endpoint-url", self.server.url, *more),
        ]

    def run(self, *more: str, code: int = 0, **environ: str) -> Any:
        """Run it in a process of its own; what it printed, and the summary as `summary`."""
        env = {**self.server.environ(), **environ}
        done = forked.run([*self.command("--json", *more)], env=env)
        assert done.returncode == code, done.stderr
        done.summary = json.loads(done.stdout) if done.stdout else None
        return done

    def tree(self, folder: Path | None = None) -> dict[str, bytes]:
        """What was saved: path below the output -> bytes."""
        folder = folder or self.output
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and not path.name.startswith(OUTPUT_JOURNAL)
        }

    def people(self) -> dict[str, int]:
        """How many pictures there are of whom."""
        names = sorted(name.split("/")[0] for name in self.tree())
        return {name: names.count(name) for name in names}
