"""Self-test: whether dlib's networks run by kernels of our own, and what to do if they do not."""

from __future__ import annotations

import platform
from collections.abc import Iterator

from face_det.compute import PLAIN, Compute
from face_det.doctor import Finding, State

VECTORS = {16: "AVX-512", 8: "AVX2"}
"""By how many floats are in one."""

BUILD = "for more speed: apt install gcc, then install face_det again (make clean setup, or pip install \
--force-reinstall --no-deps .)"
AGAIN = "install face_det again, with another compiler; check memory and processor"


def kernels(compute: Compute = PLAIN) -> Iterator[Finding]:
    """Which are there, or why none; no fault, for ONNX Runtime does the same work, slower. Those that compute
    wrongly are a warning: nothing uses them, but what else does this machine compute?"""
    from face_det.nets import kernels as native
    from face_det.nets import winograd

    loaded, found = native.load(), winograd.checked()
    if not isinstance(found, str):
        used = "used for dlib's networks"
        if not compute.native:
            used = f"not used with {compute.runtime}, {compute.precision}, {compute.device}"
        yield Finding("kernels", State.OK, f"{VECTORS[found.lanes]}, they compute right; {used}")
    elif not isinstance(loaded, str):
        yield Finding("kernels", State.WARNING, f"not used: {found}", AGAIN)
    elif platform.machine() != "x86_64":
        yield Finding("kernels", State.OK, f"none for {platform.machine()}: ONNX Runtime does their work")
    else:
        text = f"none: {loaded}; ONNX Runtime does their work"
        yield Finding("kernels", State.OK, text, "" if loaded is native.OLD else BUILD)
