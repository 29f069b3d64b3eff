"""Describes the machine that a benchmark ran on."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import re
from pathlib import Path
from typing import Any

FLAGS = (
    "avx2",
    "fma",
    "avx_vnni",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
    "asimd",
    "bf16",
    "sve",
)
"""Processor features that the networks can use."""

PACKAGES = (
    "face_det",
    "numpy",
    "scikit-learn",
    "xgboost-cpu",
    "dlib-bin",
    "onnxruntime",
    "onnxruntime-gpu",
    "openvino",
    "onnx",
    "pillow",
)


def describe() -> dict[str, Any]:
    """Return the processor, its features, the memory and the operating system."""
    cpu = _read("/proc/cpuinfo")
    flags = set((re.search(r"^(?:flags|Features)\s*: (.*)$", cpu, re.M) or ["", ""])[1].split())
    model = re.search(r"^model name\s*: (.*)$", cpu, re.M)
    memory = re.search(r"^MemTotal:\s*(\d+) kB$", _read("/proc/meminfo"), re.M)
    return {
        "cpu": model[1] if model else platform.processor() or platform.machine(),
        "flags": [flag for flag in FLAGS if flag in flags],
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(int(memory[1]) / 1e6, 1) if memory else None,
        "system": platform.platform(),
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the relevant packages that are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def load() -> float:
    """Return the load average of the last minute."""
    return round(os.getloadavg()[0], 2)


def now() -> str:
    """Return the current UTC time in ISO 8601, to the second."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except OSError:
        return ""
