"""The decision rules of other systems, with their published thresholds, on the same encodings.

Each rule is a function of a gallery and probe encodings, written from the description of the system it is
named after. A rule's thresholds fit only encodings like those it was made for, so each is transferred as its
docstring says. Distances scale with the embedder's `even_distance`. Cosines of dlib's encodings are taken
after subtracting their mean, because these encodings all point the same way: two strangers have a cosine of
.9, and every rule would name everybody.
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
"""CompreFace's distance of even odds, its constant c0."""


@dataclass(frozen=True, eq=False)
class BaselineGallery:
    """All enrolled encodings, shape (n, d), including Unknown's; subtract `centre` before taking a cosine."""

    encodings: Encodings
    names: tuple[str, ...]
    thresholds: DistanceThresholds
    centre: Floats

    @property
    def known_people(self) -> tuple[Encodings, npt.NDArray[np.str_]]:
        """The encodings and names without Unknown, because other systems use no negative examples."""
        names = np.array(self.names)
        kept = names != UNKNOWN
        return self.encodings[kept], names[kept]

    def cosines(self, probes: Encodings, others: Encodings) -> Floats:
        """Return the cosines of `probes` (rows) with `others` (columns)."""
        cosines: Floats = _unit(probes - self.centre) @ _unit(others - self.centre).T
        return cosines


BaselineRule = Callable[[BaselineGallery, Encodings], Predictions]
"""A rule takes the gallery and probe encodings, shape (m, d), and predicts a name for each probe."""


def prepare_baseline_gallery(
    encodings: Encodings, names: tuple[str, ...], thresholds: DistanceThresholds
) -> BaselineGallery:
    """Prepare the gallery that the rules are given. Encodings of equal length are not centred.

    `encodings` has shape (n, d) and `names` a name for each row; `thresholds` are the embedder's.

    >>> rows = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> gallery = prepare_baseline_gallery(rows, ("Ann", "Bob"), DistanceThresholds(0.6, 0.5))
    >>> immich(gallery, np.array([[0.9, 0.1]])).likeliest
    ('Ann',)
    """
    lengths = np.linalg.norm(encodings, axis=1)
    directional = bool(np.allclose(lengths, lengths.mean(), rtol=1e-3))
    centre = np.zeros(encodings.shape[1]) if directional else encodings.mean(axis=0)
    return BaselineGallery(encodings, names, thresholds, centre)


def smart_zoneminder(gallery: BaselineGallery, probes: Encodings) -> Predictions:
    """smart-zoneminder: an SVM gives the likeliest class, Unknown included, a probability of .9 or more.

    The SVM is searched in its grid of 42 candidates over 5 folds by accuracy, with balanced weights and
    libsvm's probabilities (Wu, Lin and Weng's coupling of Platt's sigmoids). Where scikit-learn no longer has
    those, sigmoids are fitted to the margins. With one class, or one photo each, it cannot be trained and
    names nobody.
    """
    names = np.array(gallery.names)
    classes, counts = np.unique(names, return_counts=True)
    if len(classes) < 2 or counts.max() < 2:
        return _predict_named(np.repeat(classes[:1], len(probes)), np.zeros(len(probes)), 0.9)
    machine = SVC(class_weight="balanced", random_state=SEED)
    with warnings.catch_warnings():
        # Warnings about people with fewer photos than folds, and about deprecated probabilities.
        warnings.simplefilter("ignore")
        folds = StratifiedKFold(max(2, min(5, int(counts.max()))), shuffle=True, random_state=SEED)
        params = GridSearchCV(machine, SVM_GRID, cv=folds).fit(gallery.encodings, names).best_params_
        fitted = _with_probabilities(
            machine.set_params(**params), gallery.encodings, names, int(counts.min())
        )
        proba = fitted.predict_proba(probes)
    people = np.flatnonzero(classes != UNKNOWN)
    best = people[proba[:, people].argmax(axis=1)]
    score = proba[np.arange(len(proba)), best]
    return _predict_named(classes[best], score, 0.9)


def pyzm(gallery: BaselineGallery, probes: Encodings) -> Predictions:
    """pyzm 2.5: k-NN with k = sqrt(photos) and distance-weighted votes, if the nearest is within .6."""
    encodings, names = gallery.known_people
    neighbours = KNeighborsClassifier(
        max(1, round(math.sqrt(len(names)))), algorithm="ball_tree", weights="distance"
    ).fit(encodings, names)
    nearest = neighbours.kneighbors(probes, n_neighbors=1)[0][:, 0]
    return _predict_named(neighbours.predict(probes), -nearest, -gallery.thresholds.even_distance)


def ringface(gallery: BaselineGallery, probes: Encodings) -> Predictions:
    """Ringface: a linear SVM's choice, if a photo of that person is within a distance of .5."""
    encodings, names = gallery.known_people
    people = np.unique(names)
    if len(people) > 1:
        machine = LinearSVC(random_state=SEED, max_iter=10_000).fit(encodings, names)
        chosen = np.asarray(machine.predict(probes))
    else:
        chosen = np.repeat(people, len(probes))
    distances = euclidean_distances(probes, encodings)
    nearest = np.where(chosen[:, None] == names[None, :], distances, np.inf).min(axis=1)
    return _predict_named(chosen, -nearest, -0.5 / _DLIB_EVEN_DISTANCE * gallery.thresholds.even_distance)


def frigate(gallery: BaselineGallery, probes: Encodings) -> Predictions:
    """Frigate 0.18: 1 / (1 + exp(-20 (cosine - m))) to each person's template is .9 or more.

    The template is the mean of the photos with 15 % trimmed off either end of each dimension. With 5 or more
    photos, those with a cosine below .30 to the mean are dropped first, up to three times, but never below
    max(5, 70 %). m is .3 for its ArcFace, whose cosines resemble sface's, and .5 for its FaceNet, which
    stands in for dlib. The penalty for blur is left out, because these are photos.
    """
    encodings, names = gallery.known_people
    people = np.unique(names)
    rows = _unit(encodings - gallery.centre)
    templates = np.array([build_frigate_template(rows[names == person]) for person in people])
    middle = 0.5 if gallery.centre.any() else 0.3
    score = _logistic(20 * (_unit(probes - gallery.centre) @ _unit(templates).T - middle))
    return _predict_best(people, score, 0.9)


def build_frigate_template(rows: Encodings) -> Floats:
    """Build one person's template, shape (d,), from unit encodings, shape (n, d).

    >>> build_frigate_template(np.array([[1.0, 0.0], [0.0, 1.0]])).tolist()
    [0.5, 0.5]
    """
    least = max(5, math.ceil(0.7 * len(rows)))
    for _ in range(3 if len(rows) >= 5 else 0):
        kept = rows[_unit(rows) @ _unit(rows.mean(axis=0, keepdims=True))[0] >= 0.30]
        if len(kept) == len(rows) or len(kept) < least:
            break
        rows = kept
    template: Floats = trim_mean(rows, 0.15, axis=0)
    return template


def compreface(gallery: BaselineGallery, probes: Encodings) -> Predictions:
    """CompreFace: the nearest photo, with (tanh((c0 - distance) c1) + 1) / 2 as its similarity.

    It names everybody and leaves the threshold to the caller; its documentation recommends .5. c0 = 1.1818
    and c1 = 5.292 are for its FaceNet; c0 is that network's distance of even odds.
    """
    return _compreface(gallery, probes, 0.5)


def double_take(gallery: BaselineGallery, probes: Encodings) -> Predictions:
    """Double Take with CompreFace: a similarity of 60 % is a match."""
    return _compreface(gallery, probes, 0.6)


def _compreface(gallery: BaselineGallery, probes: Encodings, threshold: float) -> Predictions:
    encodings, names = gallery.known_people
    distances = euclidean_distances(probes, encodings) * (
        _FACENET_EVEN_DISTANCE / gallery.thresholds.even_distance
    )
    return _predict_best(names, compreface_similarity(distances), threshold)


def compreface_similarity(distances: Floats) -> Floats:
    """Convert distances between FaceNet encodings to CompreFace's similarities, 0..1.

    >>> compreface_similarity(np.array([1.1818])).tolist()
    [0.5]
    """
    return (np.tanh((_FACENET_EVEN_DISTANCE - distances) * 5.292) + 1) / 2


def deepstack(gallery: BaselineGallery, probes: Encodings) -> Predictions:
    """DeepStack and CodeProject.AI: (cosine + 1) / 2 with the mean of a person's photos is .67 or more."""
    encodings, names = gallery.known_people
    people = np.unique(names)
    means = np.array([encodings[names == person].mean(axis=0) for person in people])
    return _predict_best(people, (gallery.cosines(probes, means) + 1) / 2, 0.67)


def faceid(gallery: BaselineGallery, probes: Encodings, top: int = 3) -> Predictions:
    """faceid 0.16: the mean of a person's three best cosines; .50 is a match, .35 an "unsure"."""
    encodings, names = gallery.known_people
    people = np.unique(names)
    cosines = gallery.cosines(probes, encodings)
    score = np.stack([_mean_of_best(cosines[:, names == person], top) for person in people], axis=1)
    found = _predict_best(people, score, 0.50)
    uncertain = (found.score >= 0.35) & ~found.named
    return Predictions(found.likeliest, found.score, found.named, uncertain)


def immich(gallery: BaselineGallery, probes: Encodings) -> Predictions:
    """Immich: the person of the nearest face, if the cosine distance is .5 or less."""
    encodings, names = gallery.known_people
    return _predict_best(names, gallery.cosines(probes, encodings), 0.5)


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
"""The rules by the name of the system."""


def _with_probabilities(machine: Any, encodings: Encodings, names: Any, fewest: int) -> Any:
    if "probability" in machine.get_params():
        return machine.set_params(probability=True).fit(encodings, names)
    folds = StratifiedKFold(max(2, min(5, fewest)), shuffle=True, random_state=SEED)
    return CalibratedClassifierCV(machine, cv=folds, ensemble=False).fit(encodings, names)


def _mean_of_best(cosines: Floats, top: int) -> Floats:
    best: Floats = np.sort(cosines, axis=1)[:, -top:].mean(axis=1)
    return best


def _predict_best(names: npt.NDArray[np.str_], score: Floats, threshold: float) -> Predictions:
    """Predict the column with the highest score; `names` has a name for each column."""
    best = score.argmax(axis=1)
    return _predict_named(names[best], score[np.arange(len(score)), best], threshold)


def _predict_named(names: npt.NDArray[np.str_], score: Floats, threshold: float) -> Predictions:
    nobody = np.zeros(len(score), dtype=np.bool_)
    return Predictions(tuple(str(name) for name in names), score, nobody, nobody).with_threshold(threshold)


def _unit(rows: Floats) -> Floats:
    units: Floats = rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)
    return units


def _logistic(z: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-z)))
