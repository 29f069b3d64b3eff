"""The processes that measure: how they are started, and what they say."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from results import Findings

HERE = Path(__file__).resolve().parent
LONGEST_S = 7200


class Failed(Exception):
    """A measurement that ended without findings; the message is the last thing it said."""


OUTSIDE = ("FACE_DET_", "OPENBLAS_", "GOTO_", "OMP_", "MKL_", "BLIS_")
"""Settings of ours, and of anybody's BLAS: left alone, it takes the best that the processor has."""

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")


def environ(threads: int, cache: Path) -> dict[str, str]:
    """No settings from outside, that many threads for every BLAS, and a cache of the run's own."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(OUTSIDE)}
    return kept | dict.fromkeys(THREADS, str(threads)) | {"XDG_CACHE_HOME": str(cache)}


def findings(
    python: str, script: str, spec: dict[str, Any], environ: dict[str, str], folder: Path
) -> Findings:
    """What a measuring script says last. Raises Failed."""
    spec = {**spec, "spawned": time.time()}
    said = output([python, str(HERE / script), json.dumps(spec)], environ, folder)
    try:
        found: Findings = json.loads(said.splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise Failed(f"{script} must print JSON, got {said[-200:]!r}") from error
    return found


def output(command: list[str], environ: dict[str, str], folder: Path) -> str:
    try:
        done = subprocess.run(
            command, env=environ, cwd=folder, capture_output=True, text=True, check=False, timeout=LONGEST_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(str(error)) from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["nothing was said"]
        raise Failed(f"{lines[-1]} (exit {done.returncode})")
    return done.stdout
