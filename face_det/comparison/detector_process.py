"""A process with one detector: it reads paths of pictures on stdin, and writes what it finds on stdout.

Both are lines of JSON. The first answer says how the start went. The process ends with its stdin; Ctrl-C in
the terminal is its parent's business.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from fractions import Fraction
from typing import IO, Any

from face_det.errors import FaceDetError
from face_det.types import Detection, Detector, Rgb

DETECTOR_ERRORS = (
    ArithmeticError,
    FaceDetError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What a detector may raise for a picture that can be decoded; OpenCV's errors are not of one kind."""


def serve(detector_name: str, scale: Fraction, min_face_px: float, answers: IO[str]) -> None:
    """Load the detector, and answer until stdin ends."""

    def answer(**values: Any) -> None:
        answers.write(json.dumps({**values, "peak_mb": peak_mb()}) + "\n")
        answers.flush()

    # What every picture program needs is imported first: the rest is the detector's own.
    import numpy as np

    from face_det.media import load_image
    from face_det.nets import Compute

    base_mb = peak_mb()
    try:
        from face_det.detectors import DETECTORS

        detector: Detector = DETECTORS.create(
            detector_name, compute=Compute(threads=1), min_face_px=min_face_px
        )
        # Libraries put off part of their loading until the first picture.
        detector.detect(np.full((120, 160, 3), 128, np.uint8))
    except (FaceDetError, ImportError) as error:
        answer(missing=str(error))
        return
    answer(runtime=detector.runtime, base_mb=base_mb)
    for line in sys.stdin:
        try:
            answer(**look(detector, load_image(json.loads(line)), scale))
        except Exception as error:
            if not isinstance(error, DETECTOR_ERRORS) and type(error).__module__ != "cv2":
                raise
            answer(failed=f"{type(error).__name__}: {error}".splitlines()[0])


def look(detector: Detector, rgb: Rgb, scale: Fraction) -> dict[str, Any]:
    """Return the boxes in pixels of the picture, and the milliseconds of all threads together.

    Below 1 the picture is shrunk first, as if seen from further away; above it is doubled by the detector.
    """
    from face_det.media import resize_image

    height, width = rgb.shape[:2]
    seen = rgb
    if scale < 1:
        seen = resize_image(rgb, max(1, round(width * scale)), max(1, round(height * scale)))
    doublings = max(0, scale.numerator.bit_length() - 1)
    start = time.process_time()
    found = detector.detect(seen, doublings)
    ms = 1000 * (time.process_time() - start)
    across, down = width / seen.shape[1], height / seen.shape[0]
    return {"boxes": [_as_numbers(one, across, down) for one in found], "ms": round(ms, 2)}


def _as_numbers(one: Detection, across: float, down: float) -> list[float]:
    box = one.box
    edges = (box.xmin * across, box.ymin * down, box.xmax * across, box.ymax * down)
    return [*(round(float(edge), 2) for edge in edges), round(float(one.score), 4)]


def peak_mb() -> float:
    """Return the most memory in MB that this process has ever held.

    Not that of getrusage, which begins with what the parent held when it started this process.

    >>> peak_mb() > 1
    True
    """
    with open("/proc/self/status") as status:  # noqa: PTH123 - a Path would not be any clearer here
        line = next(line for line in status if line.startswith("VmHWM:"))
    return round(int(line.split()[1]) / 1024, 1)


def main() -> None:
    """Run the process; its arguments are the detector, the scale and the least side of a face."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Whatever a library prints must not stand among the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    detector, scale, min_face_px = sys.argv[1:]
    serve(detector, Fraction(scale), float(min_face_px), answers)
