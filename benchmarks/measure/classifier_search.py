"""Time one training. argv[1] is a JSON spec; the findings go to stdout as JSON."""

from __future__ import annotations

import json
import pickle
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lifelike
import numpy as np
import numpy.typing as npt

from face_det.classifiers import CLASSIFIERS, split_folds

SHARES = (0.23, 0.2, 0.16, 0.12)
"""Shares of four family members among the photos; the rest are Unknown."""

Fit = Callable[[npt.NDArray[Any], npt.NDArray[Any]], Any]


def photos(spec: dict[str, Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return (X, y) from a file that `face-det encode` wrote, or drawn at random."""
    if spec["encodings"]:
        # The user's own file, given on the command line.
        found = pickle.loads(Path(spec["encodings"]).read_bytes())
        return np.array(found["encodings"]), np.unique(found["names"], return_inverse=True)[1]
    if spec["people"]:
        faces = lifelike.Faces()
        y = np.repeat(np.arange(spec["people"]), -(-spec["photos"] // spec["people"]))[: spec["photos"]]
        return faces.photos(faces.people(spec["people"])[y]), y
    counts = [int(share * spec["photos"]) for share in SHARES]
    return lifelike.household([*counts, spec["photos"] - sum(counts)])


def original(
    spec: dict[str, Any], X: npt.NDArray[Any], y: npt.NDArray[Any]
) -> tuple[float, dict[str, Any], Fit]:
    """Run the original's search; return (seconds, best parameters, a function that fits them again)."""
    from joblib.externals.loky import get_reusable_executor
    from original_search import search
    from sklearn.base import clone

    splits = split_folds(y)
    start = time.perf_counter()
    found = search(spec["kind"], X, y, splits, spec["jobs"], quick=spec["quick"])
    took = time.perf_counter() - start
    # Its worker processes stay alive; their time is counted only once they have exited.
    get_reusable_executor().shutdown(wait=True)
    best = found.best_estimator_.set_params(**({"probability": False} if spec["kind"] == "svm" else {}))
    return took, found.best_params_, lambda X, y: clone(best).fit(X, y)


def ours(spec: dict[str, Any], X: npt.NDArray[Any], y: npt.NDArray[Any]) -> tuple[float, dict[str, Any], Fit]:
    """Run this project's search; returns the same as `original`."""
    recipe = CLASSIFIERS.create(spec["kind"])
    start = time.perf_counter()
    _, params, _ = recipe.search(
        X, y, jobs=spec["jobs"], thorough=not spec["quick"], on_progress=lambda done, total: None
    )
    took = time.perf_counter() - start
    return took, params, lambda X, y: recipe.refit(X, y, params)


def accuracy(fit: Fit, X: npt.NDArray[Any], y: npt.NDArray[Any]) -> float:
    """Cross-validated accuracy of the parameters found, measured the same way for both sides."""
    right = []
    for train, test in split_folds(y):
        fitted = fit(X[train], y[train])
        right.append(fitted.predict(X[test]) == y[test])
    return float(np.mean(np.concatenate(right)))


def processor_s() -> float:
    """Return processor seconds of this process and of its children that have exited."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    """Measure the spec in argv[1] and print the findings."""
    spec = json.loads(sys.argv[1])
    X, y = photos(spec)
    before = processor_s()
    took, params, fit = {"original": original, "ours": ours}[spec["who"]](spec, X, y)
    worked = processor_s() - before
    unit = 1e6 if sys.platform == "darwin" else 1e3
    peaks = [
        resource.getrusage(who).ru_maxrss / unit for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    answer = {
        "photos": len(y),
        "people": len(np.unique(y)),
        "params": params,
        "processor_s": round(worked, 3),
        "accuracy": accuracy(fit, X, y) if spec["accuracy"] else None,
    }
    print(json.dumps({"seconds": [took], "peak_mb": round(max(peaks), 1), "answer": answer}, default=float))


if __name__ == "__main__":
    main()
