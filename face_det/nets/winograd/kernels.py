"""Loads the compiled code, winograd.c, for the vectors that this processor has."""

from __future__ import annotations

import ctypes
import functools
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import NamedTuple

ABI_VERSION = 1
"""FACE_DET_VERSION of winograd.c. Raise it in both files whenever the interface between them changes."""

OUTPUT_GROUPS = {16: (48, 64, 32), 8: (24, 16)}
"""How many outputs the code computes at once, by floats per vector; the best size first."""


class ConvolutionStruct(ctypes.Structure):
    """struct convolution in winograd.c."""

    _fields_ = [
        (name, ctypes.c_int)
        for name in (
            *("points", "stride", "padding", "rows", "columns", "inputs"),
            *("out_rows", "out_columns", "outputs", "group", "relu"),
        )
    ] + [("filters", ctypes.c_void_p), ("bias", ctypes.c_void_p)]


class CompiledKernels(NamedTuple):
    """The compiled code, the floats per vector on this processor, and how many tiles one call takes."""

    library: ctypes.CDLL
    lanes: int
    tiles: int


@dataclass(frozen=True, slots=True)
class KernelStatus:
    """This machine's kernels; or None, and the `reason` why there are none, as a clause."""

    kernels: CompiledKernels | None
    reason: str = ""


UNSUPPORTED_PROCESSOR = "this processor has neither AVX2 nor AVX-512, or the compiler was not GCC"


@functools.cache
def load_kernels() -> KernelStatus:
    """Load this machine's kernels, without checking that they compute correctly."""
    library = _load_library()
    if library is None:
        return KernelStatus(
            None, "they were not built, which takes a C compiler (gcc) when face_det is installed"
        )
    if library.face_det_version() != ABI_VERSION:
        return KernelStatus(None, "they were built from other sources; install face_det again (make setup)")
    lanes = library.face_det_lanes()
    if not lanes:
        return KernelStatus(None, UNSUPPORTED_PROCESSOR)
    return KernelStatus(CompiledKernels(library, lanes, library.face_det_tiles()))


def _load_library() -> ctypes.CDLL | None:
    """Load the library; None if it was not built, or was built for another kind of machine."""
    for suffix in EXTENSION_SUFFIXES:
        path = Path(__file__).with_name(f"_winograd{suffix}")
        try:
            library = ctypes.CDLL(str(path))
            library.face_det_version.argtypes = []
            library.face_det_convolve.argtypes = [
                ctypes.c_int,
                ctypes.POINTER(ConvolutionStruct),
                *(ctypes.c_void_p,) * 3,
                *(ctypes.c_int,) * 2,
                ctypes.c_void_p,
            ]
            return library
        except (OSError, AttributeError):
            continue
    return None
