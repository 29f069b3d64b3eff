"""The menu of classifiers. A new one is a file in this folder and a line here.

A classifier whose class is not on the allow-list of pickles, storage/pickles/allow_list.py, needs a line
there as well: otherwise it can be neither saved nor loaded.
"""

from __future__ import annotations

from face_det.registry import Menu, Spec

CLASSIFIERS = Menu(
    Spec("template", "face_det.classifiers.template:TemplateRecipe"),
    Spec("svm", "face_det.classifiers.svm:SvmRecipe"),
    Spec("xgb", "face_det.classifiers.xgb:XgbRecipe"),
    Spec("knn", "face_det.classifiers.knn:KnnRecipe"),
    Spec("linear_svm", "face_det.classifiers.linear_svm:LinearSvmRecipe"),
    Spec("nearest", "face_det.classifiers.nearest:NearestRecipe"),
)
"""Recipes for classifiers; each is created with the distance thresholds of the encodings it learns from."""
