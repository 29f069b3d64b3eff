"""What classifiers have in common that may say that a face is nobody's who is enrolled."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin

from face_det.types import Encodings


class OpenSetClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose last class, after the people, is STRANGER; it predicts the likeliest class."""

    classes_: npt.NDArray[np.int64]

    def predict(self, X: Encodings) -> npt.NDArray[np.int64]:
        """Return the likeliest class of each encoding, shape (n, d) -> (n,)."""
        likeliest: npt.NDArray[np.int64] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return likeliest
