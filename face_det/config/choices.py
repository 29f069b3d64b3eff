"""The settings whose value is a name from a list, and those that may also be a file of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from face_det.classifiers import CLASSIFIERS
from face_det.detectors import DETECTORS
from face_det.embedders import EMBEDDERS, JITTERS, configurable_embedders
from face_det.nets import DEVICES, PRECISIONS, RUNTIMES
from face_det.registry import Menu

CHOICES: dict[str, Callable[[], Iterable[str]]] = {
    "faceDetModel": lambda: DETECTORS,
    "embedder": lambda: ("auto", *configurable_embedders()),
    "jitter": lambda: JITTERS,
    "runtime": lambda: RUNTIMES,
    "precision": lambda: PRECISIONS,
    "device": lambda: DEVICES,
    "classifier": lambda: ("auto", *CLASSIFIERS),
    "decision": lambda: ("auto", "proba"),
    "isolation": lambda: ("none", "process"),
    "logLevel": lambda: ("debug", "info", "warning", "error"),
}
"""The keys whose value must be one of a list. Menus are read on each use, because entries can be added."""

FILE_MENUS: dict[str, Menu[Any]] = {"faceDetModel": DETECTORS, "embedder": EMBEDDERS}
"""The keys whose value may also be onnx:PATH, with the menus that take it."""


def takes_file(key: str) -> bool:
    """Tell whether the value of a key may be onnx:PATH, a model of the user's own.

    >>> takes_file("faceDetModel"), takes_file("classifier")
    (True, False)
    """
    return key in FILE_MENUS


def list_choices(key: str) -> list[str]:
    """Return the names that the value of a key may have; none if the key takes other values.

    >>> list_choices("isolation")
    ['none', 'process']
    """
    return list(CHOICES[key]()) if key in CHOICES else []
