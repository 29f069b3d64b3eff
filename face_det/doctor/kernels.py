"""Checks whether dlib's networks run with our own compiled kernels, and says what to do if not."""

from __future__ import annotations

import platform
from collections.abc import Iterator

from face_det.doctor.checks import CheckResult, CheckState
from face_det.nets import (
    DEFAULT_COMPUTE,
    UNSUPPORTED_PROCESSOR,
    Compute,
    load_checked_kernels,
    load_kernels,
)

VECTORS = {16: "AVX-512", 8: "AVX2"}
"""The vector extension, by the number of floats in a vector."""

BUILD_ADVICE = "for more speed: apt install gcc, then reinstall face_det (make clean setup, or pip install \
--force-reinstall --no-deps .)"
REINSTALL_ADVICE = "reinstall face_det with another compiler; check memory and processor"


def check_kernels(compute: Compute = DEFAULT_COMPUTE) -> Iterator[CheckResult]:
    """Report which kernels there are, or why there are none.

    Having none is not a fault, since ONNX Runtime does the same work, only slower. Kernels that compute
    wrongly are a warning: nothing uses them, but the machine itself may be faulty.
    """
    loaded, found = load_kernels(), load_checked_kernels()
    if found.kernels is not None:
        used = "used for dlib's networks"
        if not compute.native:
            used = f"not used with {compute.runtime}, {compute.precision}, {compute.device}"
        yield CheckResult(
            "kernels", CheckState.OK, f"{VECTORS[found.kernels.lanes]}, with correct results; {used}"
        )
    elif loaded.kernels is not None:
        yield CheckResult("kernels", CheckState.WARNING, f"not used: {found.reason}", REINSTALL_ADVICE)
    elif platform.machine() != "x86_64":
        yield CheckResult(
            "kernels", CheckState.OK, f"none for {platform.machine()}: ONNX Runtime does their work"
        )
    else:
        text = f"none: {loaded.reason}; ONNX Runtime does their work"
        yield CheckResult(
            "kernels", CheckState.OK, text, "" if loaded.reason == UNSUPPORTED_PROCESSOR else BUILD_ADVICE
        )
