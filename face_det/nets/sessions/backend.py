"""Runs ONNX models on what the configuration asks for, and never silently on something else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Feeds = Mapping[str, npt.NDArray[Any]]


class BackendError(Exception):
    """What a library said against a model or an input, in one line; `by` is its name and version."""

    def __init__(self, by: str, why: str) -> None:
        super().__init__(why)
        self.by = by


class Backend(Protocol):
    """One model in one library; `name` is what a status says."""

    name: str

    def run(self, feeds: Feeds) -> list[npt.NDArray[np.float32]]:
        """All outputs, in the model's order; Refusal for inputs that do not fit."""
        ...
