"""The allow-list: what a name in a pickle may become, and with which arguments."""

from __future__ import annotations

import importlib
import pickle
import re
from typing import Any

import numpy as np

from face_det.storage.pickles import sklearn_compat
from face_det.storage.pickles.values import (
    ALLOWED_FUNCTIONS,
    Discarded,
    GlobalName,
    restore_array,
    restore_dtype,
    wrong_type_error,
)

ALLOWED_CLASSES: dict[str, str] = {
    # name in the file: the module that has the class today
    "face_det.classifiers.knn.KnnClassifier": "face_det.classifiers.knn",
    "face_det.classifiers.linear_svm.LinearSvmClassifier": "face_det.classifiers.linear_svm",
    "face_det.classifiers.nearest.NearestClassifier": "face_det.classifiers.nearest",
    "face_det.classifiers.pixels.EigenfacesClassifier": "face_det.classifiers.pixels",
    "face_det.classifiers.pixels.FisherfacesClassifier": "face_det.classifiers.pixels",
    "face_det.classifiers.pixels.LbphClassifier": "face_det.classifiers.pixels",
    "face_det.classifiers.template.TemplateClassifier": "face_det.classifiers.template",
    "face_det.storage.pickles.labels.PlainLabelEncoder": "face_det.storage.pickles.labels",
    "sklearn.svm._classes.SVC": "sklearn.svm._classes",
    "sklearn.svm._classes.LinearSVC": "sklearn.svm._classes",
    "sklearn.calibration.CalibratedClassifierCV": "sklearn.calibration",
    "sklearn.calibration._CalibratedClassifier": "sklearn.calibration",
    "sklearn.calibration._SigmoidCalibration": "sklearn.calibration",
    "sklearn.isotonic.IsotonicRegression": "sklearn.isotonic",
    "sklearn.frozen._frozen.FrozenEstimator": "sklearn.frozen._frozen",
    "sklearn.neighbors._classification.KNeighborsClassifier": "sklearn.neighbors._classification",
    "sklearn.multiclass.OneVsRestClassifier": "sklearn.multiclass",
    "sklearn.pipeline.Pipeline": "sklearn.pipeline",
    "sklearn.preprocessing._data.StandardScaler": "sklearn.preprocessing._data",
    "sklearn.preprocessing._data.Normalizer": "sklearn.preprocessing._data",
    "sklearn.preprocessing._label.LabelBinarizer": "sklearn.preprocessing._label",
    "sklearn.preprocessing._label.LabelEncoder": "sklearn.preprocessing._label",
    "xgboost.core.Booster": "xgboost.core",
    "xgboost.sklearn.XGBClassifier": "xgboost.sklearn",
    # names used by scikit-learn before 0.22 and xgboost before 1.6
    "sklearn.svm.classes.SVC": "sklearn.svm._classes",
    "sklearn.svm.classes.LinearSVC": "sklearn.svm._classes",
    "sklearn.neighbors.classification.KNeighborsClassifier": "sklearn.neighbors._classification",
    "sklearn.preprocessing.data.StandardScaler": "sklearn.preprocessing._data",
    "sklearn.preprocessing.label.LabelEncoder": "sklearn.preprocessing._label",
    "xgboost.compat.XGBoostLabelEncoder": "sklearn.preprocessing._label:LabelEncoder",
}
"""The value is `module`, or `module:Class` if the class has another name today."""

LABEL_ENCODERS = {
    "sklearn.preprocessing._label.LabelEncoder",
    "sklearn.preprocessing.label.LabelEncoder",
    "xgboost.compat.XGBoostLabelEncoder",
}
"""What a LabelEncoder is or was called."""

PLAIN_LABEL_ENCODER = GlobalName("face_det.storage.pickles.labels", "PlainLabelEncoder")
"""What a LabelEncoder is loaded as where its attributes are enough."""

SEARCH_TREES = re.compile(
    r"sklearn\.(?:neighbors\._?(?:kd|ball)_tree\.(?:KDTree|BallTree|KDTree64|BallTree64|newObj)"
    r"|(?:neighbors|metrics)\._?dist_metrics\.(?:\w+Distance(?:64)?|newObj))"
)
"""Search trees hold unchecked indices into memory, so they are dropped and rebuilt from their points."""

PLACEHOLDERS = {"numpy.ndarray", "__builtin__.object", "builtins.object"}
"""Names that may only appear as an argument of another."""

RECONSTRUCTORS = {"copyreg._reconstructor", "copy_reg._reconstructor"}
"""How protocols 0 and 1 write a new instance."""


def is_allowed(named: GlobalName) -> bool:
    """Return True if the name is on the list. A name with a dot, an attribute of a class, never is.

    >>> is_allowed(GlobalName("sklearn.svm._classes", "SVC")), is_allowed(GlobalName("posix", "system"))
    (True, False)
    """
    text = str(named)
    if "." in named.name:
        return False
    lists = (ALLOWED_CLASSES, ALLOWED_FUNCTIONS, PLACEHOLDERS, RECONSTRUCTORS)
    return any(text in names for names in lists) or SEARCH_TREES.fullmatch(text) is not None


def call_function(named: GlobalName, arguments: Any) -> object:
    """Call the named function. Raises UnpicklingError if the arguments are not what it takes."""
    text = str(named)
    if not isinstance(arguments, tuple):
        raise wrong_type_error("arguments", arguments)
    if SEARCH_TREES.fullmatch(text):
        return Discarded()
    if text in RECONSTRUCTORS:
        kind, base, state = arguments
        if not isinstance(kind, GlobalName) or str(base) not in PLACEHOLDERS or state is not None:
            raise pickle.UnpicklingError("an instance whose base class is not object")
        return new_instance(kind, ())
    if text not in ALLOWED_FUNCTIONS:
        raise pickle.UnpicklingError(f"a call of {text}, which is a class")
    return ALLOWED_FUNCTIONS[text](*arguments)


def new_instance(named: GlobalName, arguments: Any) -> object:
    """Make an instance of an allowed class without initialising it; its state follows."""
    text = str(named)
    if arguments != () or text not in ALLOWED_CLASSES:
        raise pickle.UnpicklingError(f"an instance of {text} made from arguments")
    module, _, name = ALLOWED_CLASSES[text].partition(":")
    kind = getattr(importlib.import_module(module), name or named.name)
    return kind.__new__(kind)


def restore_state(target: Any, state: Any) -> None:
    """Set the state of a new instance. Raises UnpicklingError if its class is not allowed."""
    kind = type(target)
    if kind is Discarded:
        return
    if kind is np.ndarray:
        restore_array(target, state)
    elif isinstance(target, np.dtype):
        restore_dtype(target, state)
    elif any(f"{kind.__module__}.{kind.__name__}" == name for name in ALLOWED_CLASSES):
        sklearn_compat.restore_estimator(target, state)
    else:
        raise pickle.UnpicklingError(f"state for {kind.__name__}, which takes none")
