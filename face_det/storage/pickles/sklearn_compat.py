"""Converts the pickled state of estimators from older libraries to what the installed ones expect.

The original's model files were written by scikit-learn 0.19 to 0.24 and xgboost 0.8 to 1.5. What has
changed since then, and what it is converted to:

| class | then | now |
|---|---|---|
| SVC | `probA_`, `probB_`, and before 0.22 `n_support_`, in the state | `_probA`, `_probB`, `_n_support` |
| SVC | gamma="auto_deprecated", no `break_ties` (before 0.22) | "auto", its meaning then; False |
| SVC | no `_effective_probability` (before 1.9) | what `probability` says |
| all | no `n_features_in_` (before 0.24) | the width of the training data |
| KNeighborsClassifier | its search tree | rebuilt, see allow_list.SEARCH_TREES |
| XGBClassifier | fewer parameters | the missing ones at their defaults |
| Booster | formats that today's xgboost does not read, or does not check | see xgboost_compat |

Predictions stay those of the library that trained the model.
"""

from __future__ import annotations

import functools
import logging
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

log = logging.getLogger(__name__)

EstimatorState = dict[str, Any]

SVC_KERNELS = ("linear", "poly", "rbf", "sigmoid")


def restore_estimator(instance: Any, state: Any) -> None:
    """Set the state of a new instance of an allowed class. Raises UnpicklingError if it is invalid."""
    kind = type(instance)
    if not isinstance(state, dict) or any(not isinstance(key, str) or key.startswith("__") for key in state):
        raise pickle.UnpicklingError(f"state of {kind.__name__} that is not a table of attributes")
    state = dict(state)
    if kind.__module__.startswith("sklearn.") and hasattr(kind, "__setstate__"):
        state["_sklearn_version"] = _installed_version(state.get("_sklearn_version"))
    if kind.__name__ in _UPDATES:
        _UPDATES[kind.__name__](state)
    if kind.__name__ == "Booster":
        from face_det.storage.pickles import xgboost_compat

        xgboost_compat.restore_booster(instance, state)
    elif hasattr(instance, "__setstate__"):
        instance.__setstate__(state)
    else:
        vars(instance).update(state)


def _installed_version(written: object) -> str:
    """Return the version that scikit-learn should find in the state: its own.

    The state has been converted, and any other version would make scikit-learn warn on stderr.
    """
    import sklearn

    if written is not None and written != sklearn.__version__:
        _log_version_once(ascii(written)[:40], sklearn.__version__)
    return str(sklearn.__version__)


@functools.cache
def _log_version_once(written: str, installed: str) -> None:
    log.info("pickle written by scikit-learn %s, read by %s", written, installed)


def _update_svc(state: EstimatorState) -> None:
    for old, new in (("probA_", "_probA"), ("probB_", "_probB"), ("n_support_", "_n_support")):
        if old in state:
            state.setdefault(new, state.pop(old))
    if state.get("gamma") == "auto_deprecated":
        state["gamma"] = "auto"
    state.pop("_impl", None)
    state.setdefault("break_ties", False)
    state.setdefault("_effective_probability", state.get("probability") is True)
    if "support_vectors_" in state:
        state.setdefault("n_features_in_", _width(state["support_vectors_"]))
        _check_svc_shapes(state)


def _check_svc_shapes(state: EstimatorState) -> None:
    """Refuse arrays that do not fit together: libsvm, in C, checks none of them."""
    (vectors, width), classes = np.shape(state["support_vectors_"]), np.size(state["classes_"])
    pairs = classes * (classes - 1) // 2
    counts = np.asarray(state["_n_support"])
    shapes = {
        "support_": (vectors,),
        "_n_support": (classes,),
        "_dual_coef_": (classes - 1, vectors),
        "_intercept_": (pairs,),
    }
    wrong = [name for name, shape in shapes.items() if np.shape(state[name]) != shape]
    wrong += [name for name in ("_probA", "_probB") if np.shape(state[name]) not in ((0,), (pairs,))]
    wrong += ["n_features_in_"] if state["n_features_in_"] != width else []
    # Any other kernel reads whatever memory support_ points to.
    wrong += ["kernel"] if state.get("kernel") not in SVC_KERNELS or state.get("_sparse") else []
    numbers = ("support_vectors_", "_dual_coef_", "_intercept_", "_probA", "_probB", "_gamma")
    wrong += [name for name in numbers if not np.isfinite(np.asarray(state[name], np.float64)).all()]
    if wrong or counts.min(initial=0) < 0 or counts.sum() != vectors:
        parts = ", ".join(wrong) or "_n_support"
        raise pickle.UnpicklingError(f"an SVC whose parts do not fit together: {parts}")


def _update_linear_svc(state: EstimatorState) -> None:
    if "coef_" in state:
        state.setdefault("n_features_in_", _width(state["coef_"]))


def _update_neighbours(state: EstimatorState) -> None:
    if "_fit_X" not in state:
        return
    state.setdefault("n_features_in_", _width(state["_fit_X"]))
    state.setdefault("n_samples_fit_", np.shape(state["_fit_X"])[0])
    if state.get("_tree") is not None:
        from sklearn.neighbors import BallTree, KDTree

        grow = {"kd_tree": KDTree, "ball_tree": BallTree}[state["_fit_method"]]
        points = np.asarray(state["_fit_X"], dtype=np.float64)
        metric, parameters = state["effective_metric_"], state["effective_metric_params_"]
        state["_tree"] = grow(points, leaf_size=int(state["leaf_size"]), metric=str(metric), **parameters)


def _update_xgb_classifier(state: EstimatorState) -> None:
    from face_det.storage.pickles import xgboost_compat

    xgboost_compat.add_missing_parameters(state)


def _width(array: Any) -> int:
    return int(np.shape(array)[1])


_UPDATES: dict[str, Callable[[EstimatorState], None]] = {
    "SVC": _update_svc,
    "LinearSVC": _update_linear_svc,
    "KNeighborsClassifier": _update_neighbours,
    "XGBClassifier": _update_xgb_classifier,
}
