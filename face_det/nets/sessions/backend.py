"""The boundary between a session and the libraries that run its model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Feeds = Mapping[str, npt.NDArray[Any]]


class BackendError(Exception):
    """A library rejected a model or an input: its reason in one line. `by` is the library's name and
    version."""

    def __init__(self, by: str, why: str) -> None:
        super().__init__(why)
        self.by = by


class Backend(Protocol):
    """One model loaded in one library. `name` is what a status reports."""

    name: str

    def run(self, feeds: Feeds) -> list[npt.NDArray[np.float32]]:
        """Compute all outputs, in the model's order; BackendError for inputs that do not fit the model."""
        ...
