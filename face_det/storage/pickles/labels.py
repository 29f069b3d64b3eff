"""Reads and writes a LabelEncoder without scikit-learn, whose import takes seconds and 80 MB.

A label file holds a pickled LabelEncoder, because the original's does. All that face_det needs of it are its
attributes, and the default classifier needs nothing else of scikit-learn.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import numpy as np
import numpy.typing as npt

_PythonPickler: Any = vars(pickle)["_Pickler"]
_MODULE, _CLASS = "sklearn.preprocessing._label", "LabelEncoder"


class PlainLabelEncoder:
    """The attributes of a LabelEncoder, and none of its methods.

    >>> PlainLabelEncoder(np.array(["Ann", "Bob"])).classes_.tolist()
    ['Ann', 'Bob']
    """

    def __init__(self, classes: npt.NDArray[np.str_], attributes: Mapping[str, Any] | None = None) -> None:
        self.classes_ = classes
        vars(self).update(attributes or {})

    def dumps(self) -> bytes:
        """Pickle it as the LabelEncoder that it stands for, which scikit-learn loads."""
        # Without a version, scikit-learn takes the file for one of before 0.18, and warns.
        written = PlainLabelEncoder(
            self.classes_, {**vars(self), "_sklearn_version": metadata.version("scikit-learn")}
        )
        file = io.BytesIO()
        _LabelPickler(file, protocol=4).dump(written)
        return file.getvalue()


class _LabelPickler(_PythonPickler):  # type: ignore[misc]
    """Writes PlainLabelEncoder under scikit-learn's name; C's pickler would import what it names."""

    def save_global(self, obj: Any, name: str | None = None) -> None:
        """Write a class or a function as its name."""
        if obj is not PlainLabelEncoder:
            super().save_global(obj, name)
            return
        self.save(_MODULE)
        self.save(_CLASS)
        self.write(pickle.STACK_GLOBAL)
        self.memoize(obj)
