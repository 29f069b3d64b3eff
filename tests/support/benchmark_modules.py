"""The files of benchmarks/ as modules, for tests of what they count."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def module(name: str) -> ModuleType:
    """Import a file of benchmarks/ or benchmarks/measure/, which are not packages: they hold scripts."""
    folders = [str(BENCHMARKS), str(BENCHMARKS / "measure")]
    sys.path[:0] = folders
    try:
        return importlib.import_module(name)
    finally:
        for folder in folders:
            sys.path.remove(folder)
