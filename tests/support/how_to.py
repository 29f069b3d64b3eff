"""A page of docs/how-to as something to run: its blocks, and a shell that knows `face-det` and `python`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


class HowTo:
    """The page `name`, run in a folder."""

    def __init__(self, name, folder):
        self.text = (REPOSITORY / "docs/how-to" / name).read_text("utf-8")
        self._folder, self._programs = folder, folder / "bin"
        self._programs.mkdir()
        for program, command in {
            "face-det": f"{sys.executable} -m face_det.cli.main",
            "python": sys.executable,
        }.items():
            path = self._programs / program
            path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
            path.chmod(0o755)

    def blocks(self, language):
        """The fenced blocks of a language, in order."""
        return re.findall(rf"^ *```{language}\n(.*?)^ *```$", self.text, re.M | re.S)

    def run(self, block, **variables):
        """Run a block of shell commands as somebody would type them; what it prints."""
        environ = {**os.environ, **variables, "PATH": f"{self._programs}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["sh", "-e", "-c", block],
            cwd=self._folder,
            env=environ,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
