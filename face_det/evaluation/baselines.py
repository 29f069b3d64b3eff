"""How others decide, on the same encodings: the published rules with the thresholds they ship with.

Each rule is a function of what is known and what is asked, written from the description of the
system that is named in it. Distances and cosines only mean what a rule takes them for on encodings
like those it was made for, so that each is carried over as its docstring says: distances in
proportion to the embedder's `even_distance`, and cosines of dlib's encodings less their mean, since
these all point one way (two strangers' cosine is .9, and every rule would name everybody).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import trim_mean  # type: ignore[import-untyped]
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import euclidean_distances
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC, LinearSVC

from face_det.classifiers import SVM_GRID
from face_det.embedders import DistanceThresholds
from face_det.evaluation.metrics import Floats, Predictions
from face_det.types import UNKNOWN, Encodings

SEED = 1234

_DLIB_EVEN_DISTANCE = 0.6
_FACENET_EVEN_DISTANCE = 1.1818
"""CompreFace's distance of even odds, which is its constant c0."""


@dataclass(frozen=True, eq=False)
class BaselineGallery:
    """Everybody's encodings, Unknown's among them; `centre` is to be taken off before a cosine."""

    encodings: Encodings
    names: tuple[str, ...]
    geometry: DistanceThresholds
    centre: Floats

    @property
    def of_people(self) -> tuple[Encodings, npt.NDArray[np.str_]]:
        """Without Unknown: the others have no negative examples."""
        names = np.array(self.names)
        kept = names != UNKNOWN
        return self.encodings[kept], names[kept]

    def cosines(self, asked: Encodings, others: Encodings) -> Floats:
        """Cosine of each asked (row) with each other (column)."""
        cosines: Floats = _unit(asked - self.centre) @ _unit(others - self.centre).T
        return cosines


BaselineRule = Callable[[BaselineGallery, Encodings], Predictions]


def prepare_baseline_gallery(
    encodings: Encodings, names: tuple[str, ...], geometry: DistanceThresholds
) -> BaselineGallery:
    """What rules are given. Encodings of length 1 were made for cosines and stay where they are."""
    lengths = np.linalg.norm(encodings, axis=1)
    directional = bool(np.allclose(lengths, lengths.mean(), rtol=1e-3))
    centre = np.zeros(encodings.shape[1]) if directional else encodings.mean(axis=0)
    return BaselineGallery(encodings, names, geometry, centre)


def smart_zoneminder(known: BaselineGallery, asked: Encodings) -> Predictions:
    """smart-zoneminder: an SVM's probability of the likeliest class, Unknown among them, is .9 or more.

    Its grid of 42 candidates over 5 folds, scored by accuracy; balanced weights; libsvm's
    probabilities (Wu, Lin and Weng's coupling of Platt's sigmoids), or where scikit-learn has them
    no more, sigmoids on the machine's margins. Of one class, or a photo each, it cannot be trained,
    and names nobody.
    """
    names = np.array(known.names)
    classes, counts = np.unique(names, return_counts=True)
    if len(classes) < 2 or counts.max() < 2:
        return _answers(np.repeat(classes[:1], len(asked)), np.zeros(len(asked)), 0.9)
    machine = SVC(class_weight="balanced", random_state=SEED)
    with warnings.catch_warnings():
        # People with fewer photos than folds, and the probabilities that scikit-learn lets go of.
        warnings.simplefilter("ignore")
        folds = StratifiedKFold(max(2, min(5, int(counts.max()))), shuffle=True, random_state=SEED)
        params = GridSearchCV(machine, SVM_GRID, cv=folds).fit(known.encodings, names).best_params_
        fitted = _with_probabilities(machine.set_params(**params), known.encodings, names, int(counts.min()))
        proba = fitted.predict_proba(asked)
    people = np.flatnonzero(classes != UNKNOWN)
    best = people[proba[:, people].argmax(axis=1)]
    score = proba[np.arange(len(proba)), best]
    return _answers(classes[best], score, 0.9)


def pyzm(known: BaselineGallery, asked: Encodings) -> Predictions:
    """pyzm 2.5: k-NN with k = sqrt(photos), votes weighted by distance, if the nearest is within .6."""
    encodings, names = known.of_people
    neighbours = KNeighborsClassifier(
        max(1, round(math.sqrt(len(names)))), algorithm="ball_tree", weights="distance"
    ).fit(encodings, names)
    nearest = neighbours.kneighbors(asked, n_neighbors=1)[0][:, 0]
    return _answers(neighbours.predict(asked), -nearest, -known.geometry.even_distance)


def ringface(known: BaselineGallery, asked: Encodings) -> Predictions:
    """Ringface: a linear SVM's choice, if one of that person's photos is within a distance of .5."""
    encodings, names = known.of_people
    people = np.unique(names)
    if len(people) > 1:
        machine = LinearSVC(random_state=SEED, max_iter=10_000).fit(encodings, names)
        chosen = np.asarray(machine.predict(asked))
    else:
        chosen = np.repeat(people, len(asked))
    distances = euclidean_distances(asked, encodings)
    nearest = np.where(chosen[:, None] == names[None, :], distances, np.inf).min(axis=1)
    return _answers(chosen, -nearest, -0.5 / _DLIB_EVEN_DISTANCE * known.geometry.even_distance)


def frigate(known: BaselineGallery, asked: Encodings) -> Predictions:
    """Frigate 0.18: 1 / (1 + exp(-20 (cosine - m))) to each person's template is .9 or more.

    The template is the mean of the photos with 15 % trimmed off either end of each dimension; from 5
    photos on, those with a cosine below .30 to the mean are dropped first, up to three times, but
    never below max(5, 70 %). m is .3 for its ArcFace, whose cosines sface's are like, and .5 for its
    FaceNet, which takes the place of dlib's. Without the penalty for blur: these are photos.
    """
    encodings, names = known.of_people
    people = np.unique(names)
    rows = _unit(encodings - known.centre)
    templates = np.array([build_frigate_template(rows[names == person]) for person in people])
    middle = 0.5 if known.centre.any() else 0.3
    score = _logistic(20 * (_unit(asked - known.centre) @ _unit(templates).T - middle))
    return _best(people, score, 0.9)


def build_frigate_template(rows: Encodings) -> Floats:
    """One person's template, of unit encodings."""
    least = max(5, math.ceil(0.7 * len(rows)))
    for _ in range(3 if len(rows) >= 5 else 0):
        kept = rows[_unit(rows) @ _unit(rows.mean(axis=0, keepdims=True))[0] >= 0.30]
        if len(kept) == len(rows) or len(kept) < least:
            break
        rows = kept
    template: Floats = trim_mean(rows, 0.15, axis=0)
    return template


def compreface(known: BaselineGallery, asked: Encodings) -> Predictions:
    """CompreFace: the nearest photo, with (tanh((c0 - distance) c1) + 1) / 2 as its similarity.

    It names everybody and leaves the threshold to the caller; its documentation recommends .5. c0 =
    1.1818 and c1 = 5.292 are for its FaceNet, whose distance of even odds c0 is.
    """
    return _compreface(known, asked, 0.5)


def double_take(known: BaselineGallery, asked: Encodings) -> Predictions:
    """Double Take, as it asks CompreFace: a similarity of 60 % is a match."""
    return _compreface(known, asked, 0.6)


def _compreface(known: BaselineGallery, asked: Encodings, threshold: float) -> Predictions:
    encodings, names = known.of_people
    distances = euclidean_distances(asked, encodings) * (
        _FACENET_EVEN_DISTANCE / known.geometry.even_distance
    )
    return _best(names, compreface_similarity(distances), threshold)


def compreface_similarity(distances: Floats) -> Floats:
    """Distances between FaceNet's encodings as CompreFace's similarities, 0..1."""
    return (np.tanh((_FACENET_EVEN_DISTANCE - distances) * 5.292) + 1) / 2


def deepstack(known: BaselineGallery, asked: Encodings) -> Predictions:
    """DeepStack and CodeProject.AI: (cosine + 1) / 2 to the mean of a person's photos is .67 or more."""
    encodings, names = known.of_people
    people = np.unique(names)
    means = np.array([encodings[names == person].mean(axis=0) for person in people])
    return _best(people, (known.cosines(asked, means) + 1) / 2, 0.67)


def faceid(known: BaselineGallery, asked: Encodings, top: int = 3) -> Predictions:
    """faceid 0.16: the mean of a person's three best cosines; .50 is a match, .35 an "unsure"."""
    encodings, names = known.of_people
    people = np.unique(names)
    cosines = known.cosines(asked, encodings)
    score = np.stack([_mean_of_best(cosines[:, names == person], top) for person in people], axis=1)
    found = _best(people, score, 0.50)
    uncertain = (found.score >= 0.35) & ~found.named
    return Predictions(found.likeliest, found.score, found.named, uncertain)


def immich(known: BaselineGallery, asked: Encodings) -> Predictions:
    """Immich: the person of the nearest face, if the cosine distance is .5 or less."""
    encodings, names = known.of_people
    return _best(names, known.cosines(asked, encodings), 0.5)


BASELINE_RULES: Mapping[str, BaselineRule] = {
    "smart-zoneminder": smart_zoneminder,
    "pyzm": pyzm,
    "Ringface": ringface,
    "Frigate": frigate,
    "CompreFace": compreface,
    "Double Take": double_take,
    "DeepStack": deepstack,
    "faceid": faceid,
    "Immich": immich,
}
"""By the name of the system."""


def _with_probabilities(machine: Any, encodings: Encodings, names: Any, fewest: int) -> Any:
    if "probability" in machine.get_params():
        return machine.set_params(probability=True).fit(encodings, names)
    folds = StratifiedKFold(max(2, min(5, fewest)), shuffle=True, random_state=SEED)
    return CalibratedClassifierCV(machine, cv=folds, ensemble=False).fit(encodings, names)


def _mean_of_best(cosines: Floats, top: int) -> Floats:
    best: Floats = np.sort(cosines, axis=1)[:, -top:].mean(axis=1)
    return best


def _best(names: npt.NDArray[np.str_], score: Floats, threshold: float) -> Predictions:
    """The column with the highest score; `names` are whose the columns are."""
    best = score.argmax(axis=1)
    return _answers(names[best], score[np.arange(len(score)), best], threshold)


def _answers(names: npt.NDArray[np.str_], score: Floats, threshold: float) -> Predictions:
    nobody = np.zeros(len(score), dtype=np.bool_)
    return Predictions(tuple(str(name) for name in names), score, nobody, nobody).at(threshold)


def _unit(rows: Floats) -> Floats:
    units: Floats = rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)
    return units


def _logistic(z: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-z)))
