"""Lets each detector look at each picture, in a process of its own, and keeps what it finds."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from face_det import __version__
from face_det.comparison.journal import Journal
from face_det.comparison.pictures import Picture
from face_det.detectors import DETECTORS
from face_det.errors import FaceDetError
from face_det.types import Box

RESULT_FORMAT = 1
"""Raise this when the meaning of a result changes, so that kept results are no longer used."""
MAX_CRASHES = 3
"""After so many crashes without an answer in between, a detector is given up."""
PROGRAM = "from face_det.comparison.detector_process import main; main()"
_START = "start"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a detector found in a picture: boxes in its pixels, best first, and the time it took, in ms."""

    boxes: tuple[Box, ...]
    ms: float


@dataclass(frozen=True, slots=True)
class DetectorRun:
    """A detector at a scale, and what it found, by the sha256 of the pictures.

    `failed` says why there is no answer for some. A detector that cannot be used is `missing`, which says
    what to install. `base_mb` is what its process held without it, `peak_mb` the most that it held.
    """

    detector: str
    scale: Fraction
    found: Mapping[str, Finding] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    missing: str | None = None
    runtime: str = ""
    base_mb: float = 0.0
    peak_mb: float = 0.0


def run_detectors(
    pictures: Sequence[Picture],
    detectors: Sequence[str],
    scales: Sequence[Fraction],
    min_face_px: float,
    parts: Path,
    on_progress: Callable[[str, int, int], None],
) -> list[DetectorRun]:
    """Run every detector at every scale; `parts` is the folder of the results so far.

    One follows the other, so that their times are comparable. Raises CannotWrite.
    """
    once = list({picture.sha256: picture for picture in pictures}.values())
    runs: list[DetectorRun] = []
    for name in detectors:
        for number, scale in enumerate(scales):

            def told(done: int, name: str = name, before: int = number * len(once)) -> None:
                on_progress(name, before + done, len(scales) * len(once))

            run = _run_one(once, name, scale, min_face_px, parts, told)
            runs.append(run)
            if run.missing is not None:
                break
        on_progress(name, len(scales) * len(once), len(scales) * len(once))
    return runs


def _run_one(
    pictures: Sequence[Picture],
    name: str,
    scale: Fraction,
    min_face_px: float,
    parts: Path,
    on_progress: Callable[[int], None],
) -> DetectorRun:
    try:
        identity = DETECTORS.identify(name)
    except FaceDetError as error:
        return DetectorRun(name, scale, missing=str(error))
    key = json.dumps([RESULT_FORMAT, __version__, identity, str(scale), min_face_px])
    slug = re.sub(r"[^a-z0-9_]+", "-", Path(name).name.lower())
    journal = Journal(parts / f"{slug}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.jsonl")
    left = [picture for picture in pictures if journal.get(picture.sha256) is None]
    failed: dict[str, str] = {}
    on_progress(len(pictures) - len(left))
    crashes = 0
    while left:
        with _Process(name, scale, min_face_px) as process:
            missing = process.start(journal)
            if missing is not None:
                return DetectorRun(name, scale, missing=missing)
            while left:
                picture = left[0]
                try:
                    journal.add(picture.sha256, process.look(picture))
                    crashes = 0
                except _Died as died:
                    failed[picture.sha256] = str(died)
                    crashes += 1
                left = left[1:]
                on_progress(len(pictures) - len(left))
                if picture.sha256 in failed:
                    break
        if crashes == MAX_CRASHES:
            failed |= {picture.sha256: "not tried after several crashes" for picture in left}
            break
    return _collect(name, scale, pictures, journal, failed)


def _collect(
    name: str, scale: Fraction, pictures: Sequence[Picture], journal: Journal, failed: dict[str, str]
) -> DetectorRun:
    start = journal.get(_START) or {}
    found, peak = {}, 0.0
    for picture in pictures:
        values = journal.get(picture.sha256)
        if values is None:
            continue
        peak = max(peak, values["peak_mb"])
        if "failed" in values:
            failed[picture.sha256] = values["failed"]
        else:
            boxes = tuple(Box(*row[:4]) for row in values["boxes"])
            found[picture.sha256] = Finding(boxes, values["ms"])
    runtime, base_mb = start.get("runtime", ""), start.get("base_mb", 0.0)
    return DetectorRun(name, scale, found, failed, None, runtime, base_mb, peak)


class _Died(Exception):
    """The process ended; the message says how."""


class _Process:
    """A process with the detector."""

    def __init__(self, name: str, scale: Fraction, min_face_px: float) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._popen = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, name, str(scale), str(min_face_px)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
        )

    def __enter__(self) -> _Process:
        return self

    def __exit__(self, *error: object) -> None:
        """End the process, even in the middle of a picture."""
        self._popen.kill()
        self._popen.communicate()
        self._said.close()

    def start(self, journal: Journal) -> str | None:
        """Wait until the detector is loaded; return what is missing, if anything is."""
        try:
            first = self._answer()
        except _Died as died:
            return f"it does not start: {died}"
        if "missing" in first:
            return str(first["missing"])
        if journal.get(_START) is None:
            journal.add(_START, first)
        return None

    def look(self, picture: Picture) -> dict[str, Any]:
        """Return what is found in a picture; raises _Died."""
        assert self._popen.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._popen.stdin.write(json.dumps(str(picture.path.absolute())).encode() + b"\n")
            self._popen.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._popen.stdout is not None
        line = self._popen.stdout.readline()
        if line.endswith(b"\n"):
            values: dict[str, Any] = json.loads(line)
            return values
        code = self._popen.wait()
        self._said.seek(0)
        last = self._said.read().decode("utf-8", "replace").strip().splitlines()
        if code < 0:
            raise _Died(f"crashed with {signal.Signals(-code).name}")
        raise _Died(last[-1] if last else f"ended with code {code}")
