"""Starts the measuring processes and reads their findings."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from results import Findings

MEASURE = Path(__file__).resolve().parent / "measure"
"""The scripts that each measure one thing, in a separate process."""
LONGEST_S = 7200


class Failed(Exception):
    """A measurement ended without findings; the message is the last line it printed."""


OUTSIDE = ("FACE_DET_", "OPENBLAS_", "GOTO_", "OMP_", "MKL_", "BLIS_")
"""Variables that configure face_det or a BLAS. Without them a BLAS picks the best code for the processor."""

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")


def environ(threads: int, cache: Path) -> dict[str, str]:
    """Return the environment of a measurement: no outside settings, `threads` per BLAS, a private cache."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(OUTSIDE)}
    return kept | dict.fromkeys(THREADS, str(threads)) | {"XDG_CACHE_HOME": str(cache)}


def findings(
    python: str, script: str, spec: dict[str, Any], environ: dict[str, str], folder: Path
) -> Findings:
    """Run a measuring script and return the findings on its last line. Raises Failed."""
    spec = {**spec, "spawned": time.time()}
    said = output([python, str(MEASURE / script), json.dumps(spec)], environ, folder)
    try:
        found: Findings = json.loads(said.splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise Failed(f"{script} must print JSON, got {said[-200:]!r}") from error
    return found


def output(command: list[str], environ: dict[str, str], folder: Path) -> str:
    """Run a command and return its standard output. Raises Failed with its last line of stderr."""
    try:
        done = subprocess.run(
            command, env=environ, cwd=folder, capture_output=True, text=True, check=False, timeout=LONGEST_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(str(error)) from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise Failed(f"{lines[-1]} (exit {done.returncode})")
    return done.stdout
