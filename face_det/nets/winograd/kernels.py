"""The compiled half of convolution.py: winograd.c, for the vectors that this processor has."""

from __future__ import annotations

import ctypes
import functools
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import NamedTuple

ABI_VERSION = 1
"""FACE_DET_VERSION of winograd.c: to be raised in both with every change to how one calls the other."""

OUTPUT_GROUPS = {16: (48, 64, 32), 8: (24, 16)}
"""How many outputs the code multiplies at once, for so many floats in a vector; the best first."""


class ConvolutionStruct(ctypes.Structure):
    """struct convolution of winograd.c."""

    _fields_ = [
        (name, ctypes.c_int)
        for name in (
            *("points", "stride", "padding", "rows", "columns", "inputs"),
            *("out_rows", "out_columns", "outputs", "group", "relu"),
        )
    ] + [("filters", ctypes.c_void_p), ("bias", ctypes.c_void_p)]


class CompiledKernels(NamedTuple):
    """The compiled code; how many floats its vectors have here, and how many tiles it takes at once."""

    library: ctypes.CDLL
    lanes: int
    tiles: int


@functools.cache
def load_kernels() -> CompiledKernels | str:
    """Those of this machine, not yet checked; or why there are none, as a clause."""
    library = _load_library()
    if library is None:
        return "they were not built, which takes a C compiler (gcc) when face_det is installed"
    if library.face_det_version() != ABI_VERSION:
        return "they were built from other sources; install face_det again (make setup)"
    lanes = library.face_det_lanes()
    return CompiledKernels(library, lanes, library.face_det_tiles()) if lanes else UNSUPPORTED_PROCESSOR


UNSUPPORTED_PROCESSOR = "this processor has neither AVX2 nor AVX-512, or the compiler was not GCC"


def _load_library() -> ctypes.CDLL | None:
    """None where it was not built, or for another kind of machine."""
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
