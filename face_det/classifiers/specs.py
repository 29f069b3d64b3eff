"""The menus: what a name in the configuration stands for.

A new detector, embedder, jitter or classifier is one file and one line here. Nothing is imported until
it is asked for, so that a command loads only what it uses.
"""

from __future__ import annotations

CLASSIFIERS: dict[str, str] = {
    "template": "face_det.classifiers.template:TemplateRecipe",
    "svm": "face_det.classifiers.svm:SvmRecipe",
    "xgb": "face_det.classifiers.xgb:XgbRecipe",
    "knn": "face_det.classifiers.knn:KnnRecipe",
    "linear_svm": "face_det.classifiers.linear_svm:LinearSvmRecipe",
    "nearest": "face_det.classifiers.nearest:NearestRecipe",
}
