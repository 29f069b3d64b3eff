"""What classifiers have in common that may say that a face is nobody's who is enrolled."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from face_det.types import Encodings


class OpenSetClassifier(ABC):
    """A classifier whose last class, after the people, is STRANGER; it predicts the likeliest class.

    It has scikit-learn's methods but not its base class: a daemon that decides by templates would otherwise
    load scikit-learn for nothing else, which takes seconds and 80 MB.
    """

    classes_: npt.NDArray[np.int64]

    @abstractmethod
    def predict_proba(self, X: Encodings) -> npt.NDArray[np.float64]:
        """Return probabilities, shape (n, people + 1); rows sum to 1, and the last column is STRANGER's."""

    def predict(self, X: Encodings) -> npt.NDArray[np.int64]:
        """Return the likeliest class of each encoding, shape (n, d) -> (n,)."""
        likeliest: npt.NDArray[np.int64] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return likeliest

    def get_params(self) -> dict[str, Any]:
        """Return the parameters that the classifier was made with, by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}
