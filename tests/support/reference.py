"""The package face_recognition, which ours is compared with."""

from __future__ import annotations

import importlib.util
from typing import Any

import lazy_loader
import pytest


def load_reference() -> Any:
    """The package, imported when it is first used: that takes seconds, and every worker of pytest collects
    every test. The module that calls this is skipped if the package is not there."""
    if importlib.util.find_spec("face_recognition") is None:
        pytest.skip("the reference is installed by `make setup`", allow_module_level=True)
    return lazy_loader.load("face_recognition")
