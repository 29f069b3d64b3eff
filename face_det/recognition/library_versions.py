"""What a model depends on besides its encodings: our format, and the libraries that its estimator is of."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata

MODEL_FORMAT = 1
"""Of what a card, a rule of decision and our own classifiers hold; counts up when an older face_det could
not read them."""
_FORMAT_KEY = "format"
_PACKAGES = {"scikit-learn": ("scikit-learn",), "xgboost": ("xgboost-cpu", "xgboost"), "numpy": ("numpy",)}


def installed_versions() -> dict[str, str]:
    """Format and versions installed here, for a card."""
    found = {name: _installed_version(packages) for name, packages in _PACKAGES.items()}
    return {_FORMAT_KEY: str(MODEL_FORMAT), **{name: version for name, version in found.items() if version}}


def newer_format(noted: Mapping[str, str]) -> str | None:
    """The format of a card, if it is one that is not known here yet."""
    given = noted.get(_FORMAT_KEY, "0")
    return given if not given.isdecimal() or int(given) > MODEL_FORMAT else None


def version_differences(noted: Mapping[str, str], kind: str) -> str:
    """How the versions on a card differ from those here: "scikit-learn 1.5.0, here 1.8.0"; "" if none does.

    Only what a classifier of that kind is made of counts; of numpy its major version.
    """
    installed = installed_versions()
    matter = ("xgboost",) if kind == "xgb" else ("scikit-learn", "numpy")
    return ", ".join(
        f"{name} {noted[name]}, here {installed.get(name, 'none')}"
        for name in matter
        if name in noted
        and _comparable_version(name, noted[name]) != _comparable_version(name, installed.get(name, ""))
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
