"""The memory that networks hold between images."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_memory_does_not_grow_with_shapes(runtime: str) -> None:
    """Images come in any size: keeping code for each size ever seen would fill the memory. What a large image
    needs is returned with the next image at the latest: ONNX Runtime 1.23 (the last one for Python 3.10)
    holds on to one piece until then."""
    pytest.importorskip(runtime)
    code = f"""
import numpy as np
from pathlib import Path
from face_det.nets.compute import Compute
from face_det.nets.model_cache import load_onnx_model
from face_det.nets.sessions.session import Session
session, sizes = Session(load_onnx_model("mmod"), Compute("{runtime}")), np.random.default_rng(3)
def told():
    print(int(Path("/proc/self/statm").read_text().split()[1]) * 4096 // 10**6)
for _ in range(3):
    for _ in range(100):
        session.run({{"tile": np.zeros((1, 3, *sizes.integers(100, 500, 2)), np.float32)}})
    told()
    session.run({{"tile": np.zeros((1, 3, 2000, 2000), np.float32)}})
    session.run({{"tile": np.zeros((1, 3, 100, 100), np.float32)}})
    told()
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    first, *later = map(int, done.stdout.split())
    assert max(later) - first < 30, done.stdout
