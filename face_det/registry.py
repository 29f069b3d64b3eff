"""The menus: what a name in the configuration stands for.

A new detector, embedder, jitter or classifier is one file and one line here. Nothing is imported until
it is asked for, so that a command loads only what it uses.
"""

from __future__ import annotations

import difflib
import importlib
from typing import Any

from face_det.errors import ConfigError

DETECTORS: dict[str, str] = {
    "cnn": "face_det.detectors.cnn:CnnDetector",
    "cnn_dlib": "face_det.detectors.cnn_dlib:CnnDlibDetector",
    "hog": "face_det.detectors.hog:HogDetector",
    "yunet": "face_det.detectors.yunet:YunetDetector",
}
EMBEDDERS: dict[str, str] = {
    "dlib_resnet": "face_det.embedders.dlib_resnet:DlibResnetEmbedder",
    "dlib_views": "face_det.embedders.dlib_views:DlibViewsEmbedder",
    "sface": "face_det.embedders.sface:SfaceEmbedder",
}
JOINED: dict[str, tuple[str, ...]] = {
    "both": ("dlib_resnet", "sface"),
    "all": ("dlib_resnet", "dlib_views", "sface"),
    "all_dlib": ("dlib_resnet", "dlib_views"),
}
"""Embedders that are several beside each other; photos are enrolled with all there are, or all of dlib's."""
ASKED_FOR = ("dlib_resnet", "sface", "both")
"""Embedders by the name that a user gives them: dlib_resnet decides by dlib_views where it can."""
JITTERS: dict[str, str] = {
    "dlib": "face_det.embedders.jitter:DlibJitter",
    "fast": "face_det.embedders.jitter:FastJitter",
}
CLASSIFIERS: dict[str, str] = {
    "template": "face_det.classifiers.template:TemplateRecipe",
    "svm": "face_det.classifiers.svm:SvmRecipe",
    "xgb": "face_det.classifiers.xgb:XgbRecipe",
    "knn": "face_det.classifiers.knn:KnnRecipe",
    "linear_svm": "face_det.classifiers.linear_svm:LinearSvmRecipe",
    "nearest": "face_det.classifiers.nearest:NearestRecipe",
}


def create(menu: dict[str, str], name: str, **options: Any) -> Any:
    """Import and instantiate entry `name` of a menu; ConfigError lists the menu if it has none."""
    target = menu.get(name)
    if target is None:
        near = difflib.get_close_matches(name, menu, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError([f"must be one of {', '.join(sorted(menu))}, got {name!r}{hint}"])
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)(**options)
