"""What every test may ask for."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).parents[1]

pytest_plugins = ["daemon_fixtures"]


def load_script(name: str) -> ModuleType:
    """A file of scripts/ as a module: they are no package."""
    spec = importlib.util.spec_from_file_location(f"scripts_{name}", REPOSITORY / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def photos() -> dict[str, Path]:
    """Name -> file of real photos, taken by scripts/photos.py: obama, obama2, biden, t1, nobody, ..."""
    found: dict[str, Path] = load_script("photos").photos()
    return found


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY
