"""Imports what the programs of tests need; in the process that `forked` forks."""

import contextlib
import importlib
import pkgutil

import face_det

# They load scikit-learn, matplotlib or XGBoost, which a daemon loads when it has to.
_HEAVY = (
    "comparison",
    "evaluation",
    "training",
    "sources",
    "classifiers",
    "cli.compare",
    "cli.evaluate",
    "cli.train",
    "cli.fetch_lfw",
    "nets.winograd",
    "storage.pickles.xgboost",
)

for _module in pkgutil.walk_packages(face_det.__path__, "face_det."):
    if not _module.name.startswith(tuple(f"face_det.{name}" for name in _HEAVY)):
        with contextlib.suppress(ImportError):  # of an extra that is not installed
            importlib.import_module(_module.name)
