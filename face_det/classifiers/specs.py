"""The menu of classifiers. A new one is a file in this folder and a line here.

A classifier whose class is not on the allow-list of pickles, storage/pickles/allow_list.py, needs a line
there as well: otherwise it can be neither saved nor loaded.
"""

from __future__ import annotations

from dataclasses import dataclass

from face_det.embedders import GREY
from face_det.registry import Menu, Spec


@dataclass(frozen=True, slots=True)
class ClassifierSpec(Spec):
    """A kind of classifier.

    Most kinds learn from any embedder's encodings, and the templates beside them decide who is named. One
    that `learns_from` a single embedder decides by itself: by its own distances and, unless it is
    `calibrated` to the false accept rate, by a threshold of its own.
    """

    learns_from: str | None = None
    calibrated: bool = True


_PIXELS = "face_det.classifiers.pixels"

CLASSIFIERS: Menu[Spec] = Menu(
    Spec("template", "face_det.classifiers.template:TemplateRecipe"),
    Spec("svm", "face_det.classifiers.svm:SvmRecipe"),
    Spec("xgb", "face_det.classifiers.xgb:XgbRecipe"),
    Spec("knn", "face_det.classifiers.knn:KnnRecipe"),
    Spec("linear_svm", "face_det.classifiers.linear_svm:LinearSvmRecipe"),
    Spec("nearest", "face_det.classifiers.nearest:NearestRecipe"),
    ClassifierSpec("eigenfaces", f"{_PIXELS}:EigenfacesRecipe", GREY),
    ClassifierSpec("fisherfaces", f"{_PIXELS}:FisherfacesRecipe", GREY),
    ClassifierSpec("lbph", f"{_PIXELS}:LbphRecipe", GREY),
    ClassifierSpec("eigenfaces_4500", f"{_PIXELS}:FixedEigenfacesRecipe", GREY, calibrated=False),
    ClassifierSpec("fisherfaces_450", f"{_PIXELS}:FixedFisherfacesRecipe", GREY, calibrated=False),
    ClassifierSpec("lbph_70", f"{_PIXELS}:FixedLbphRecipe", GREY, calibrated=False),
)
"""Recipes for classifiers; each is created with the distance thresholds of the encodings it learns from."""


def required_embedder(kind: str) -> str | None:
    """Return the only embedder that a kind of classifier learns from; None if it takes any.

    >>> required_embedder("lbph"), required_embedder("template"), required_embedder("auto")
    ('grey', None, None)
    """
    spec = CLASSIFIERS.get(kind)
    return spec.learns_from if isinstance(spec, ClassifierSpec) else None


def names_by_itself(kind: str) -> bool:
    """Tell whether a kind decides by a threshold of its own, whatever the false accept rate.

    >>> names_by_itself("lbph_70"), names_by_itself("lbph")
    (True, False)
    """
    spec = CLASSIFIERS.get(kind)
    return isinstance(spec, ClassifierSpec) and not spec.calibrated


def usual_kinds() -> tuple[str, ...]:
    """Return the kinds that learn from any encodings.

    >>> usual_kinds()
    ('template', 'svm', 'xgb', 'knn', 'linear_svm', 'nearest')
    """
    return tuple(kind for kind in CLASSIFIERS if required_embedder(kind) is None)
