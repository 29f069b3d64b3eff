"""Measure the peak of one core: large float32 matrix products with numpy's BLAS on one thread."""

from __future__ import annotations

from typing import Any

import numpy as np
import stopwatch
import threadpoolctl


def prepare(spec: dict[str, Any]) -> stopwatch.Prepared:
    """Prepare a product of two square matrices; the answer is its operation count and the BLAS used."""
    threadpoolctl.threadpool_limits(1)
    side = spec["side"]
    random = np.random.default_rng(1)
    left, right = (random.random((side, side), dtype=np.float32) for _ in range(2))
    result = np.empty_like(left)
    blas = ", ".join(
        f"{pool['internal_api']} {pool['version']} ({pool.get('architecture', 'unknown')})"
        for pool in threadpoolctl.threadpool_info()
        if pool["user_api"] == "blas"
    )
    return lambda: np.matmul(left, right, out=result), lambda _: {"flop": 2 * side**3, "blas": blas}


if __name__ == "__main__":
    stopwatch.main(prepare)
