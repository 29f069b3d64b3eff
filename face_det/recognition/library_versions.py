"""What a model depends on besides its encodings: our file format, and the libraries that trained it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata

MODEL_FORMAT = 1
"""The format of model cards, verifiers and our own classifiers. Raise it when an older face_det
could no longer read them."""
_FORMAT_KEY = "format"
_PACKAGES = {"scikit-learn": ("scikit-learn",), "xgboost": ("xgboost-cpu", "xgboost"), "numpy": ("numpy",)}


def installed_versions() -> dict[str, str]:
    """Return our format and the versions of the libraries installed here, as a model card holds them.

    >>> installed_versions()["format"]
    '1'
    """
    found = {name: _installed_version(packages) for name, packages in _PACKAGES.items()}
    return {_FORMAT_KEY: str(MODEL_FORMAT), **{name: version for name, version in found.items() if version}}


def newer_format(versions: Mapping[str, str]) -> str | None:
    """Return the format of a card if this face_det does not know it yet, else None.

    >>> newer_format({"format": "99"}), newer_format({"format": "1"}), newer_format({})
    ('99', None, None)
    """
    given = versions.get(_FORMAT_KEY, "0")
    return given if not given.isdecimal() or int(given) > MODEL_FORMAT else None


def version_differences(versions: Mapping[str, str], kind: str) -> str:
    """Describe how a card's versions differ from those installed: "scikit-learn 1.5.0, here 1.8.0", or "".

    Only libraries that a classifier of that kind is made of count; for numpy, only the major version.

    >>> version_differences({}, "svm")
    ''
    """
    installed = installed_versions()
    relevant = ("xgboost",) if kind == "xgb" else ("scikit-learn", "numpy")
    return ", ".join(
        f"{name} {versions[name]}, here {installed.get(name, 'none')}"
        for name in relevant
        if name in versions
        and _comparable_version(name, versions[name]) != _comparable_version(name, installed.get(name, ""))
    )


def _comparable_version(name: str, version: str) -> str:
    return version.partition(".")[0] if name == "numpy" else version


def _installed_version(packages: tuple[str, ...]) -> str | None:
    for package in packages:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return None
