"""A trained classifier and the names it knows, and how the two lie on disk.

The classifier's file is the pickled estimator, the label file a LabelEncoder over the names, as the
original's. A model of ours carries a card, as an attribute of the estimator, so that it cannot part
from it and other readers pass over it; a classifier without one is the original's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.preprocessing import LabelEncoder

from face_det.classifiers.nearest import STRANGER
from face_det.errors import ModelMismatch, ModelMissing
from face_det.faces import UNKNOWN, Classifier, Encodings
from face_det.identity import safe_pickle, storage, versions
from face_det.identity.verifier import Verifier

CARD = "face_det_card_"
VERIFIER = "face_det_verifier_"
ORIGINAL = "original"
DIMENSIONS = (128, 256)
"""Of one embedder's encodings, and of both's."""

ADVICE = "run 'face-det train'"

_BROKEN = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What an estimator of another version ends in when it is asked. xgboost's error is a ValueError."""


@dataclass(frozen=True)
class Card:
    """What is known of a classifier.

    `recipe` is the kind that was asked for, `kind` the one that is there: `nearest` stands in for
    another recipe while there are too few photos for it, and `params`, the recipe's, are then kept
    for later. Of the original's classifiers only the recipe is known, by their class.
    """

    kind: str
    """template, svm, xgb, ..., or `original` for a file without a card."""
    recipe: str
    params: Mapping[str, Any]
    classes: tuple[str, ...]
    """The names on the label file, in its order."""
    fingerprint: str | None
    """Of the embedder whose encodings it was trained on; None if that was not noted."""
    trained_at: str | None
    """UTC, ISO 8601."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of our format and of the libraries that trained it, as in versions.here(); empty in older files."""


@dataclass(frozen=True, eq=False)
class Model:
    """A classifier and what its answers mean; `labels` are the columns of `proba`."""

    classifier: Classifier
    labels: tuple[str, ...]
    card: Card
    fingerprint: str
    """Of the two files: twelve hex digits, other after each training on other photos."""
    place: str = "model"
    verifier: Verifier | None = None
    """None for the original's models, and for ours of before there was one."""

    @property
    def outdated(self) -> str:
        """Which libraries of other versions trained it; "" if none did, or if that was not noted."""
        return versions.others(self.card.versions, self.card.kind)

    @property
    def recipe(self) -> str:
        """The kind to train when it is trained again."""
        return self.card.recipe

    def proba(self, encodings: Encodings) -> npt.NDArray[np.float64]:
        """Probabilities of encodings, shape (n, 128) -> (n, len(labels)); each row sums to 1."""
        proba = np.zeros((len(encodings), len(self.labels)))
        if len(encodings):
            classes = np.asarray(self.classifier.classes_)
            stranger = self.labels.index(UNKNOWN) if STRANGER in classes else STRANGER
            columns = np.where(classes == STRANGER, stranger, classes)
            # Added up, because Unknown may be somebody with photos and nobody enrolled besides.
            np.add.at(proba.T, columns, np.asarray(self.classifier.predict_proba(encodings)).T)
        return proba

    def require_fingerprint(self, embedder: str) -> None:
        """ModelMismatch if it was trained on the encodings of another network than `embedder`."""
        if self.card.fingerprint not in (None, embedder):
            raise ModelMismatch(
                f"{self.place}: must be trained on encodings of {embedder}, "
                f"got {self.card.fingerprint}; run 'face-det encode' and 'face-det train'"
            )


def assemble(classifier: Classifier, card: Card, verifier: Verifier | None = None) -> Model:
    """The model of a classifier that was just trained; card and verifier become part of it."""
    setattr(classifier, CARD, {**asdict(card), "classes": list(card.classes)})
    if verifier is not None:
        setattr(classifier, VERIFIER, verifier.noted(classifier))
    files = _dumps(classifier, card.classes)
    labels = _labels(classifier, card.classes)
    return Model(classifier, labels, card, _fingerprint(*files), verifier=verifier)


def dumps(model: Model) -> tuple[bytes, bytes]:
    """The content of the classifier's file and of the label file."""
    return _dumps(model.classifier, model.card.classes)


def load(model_path: Path, label_path: Path) -> Model:
    """Read a classifier and its labels, from one state of both files.

    Raises ModelMissing if there is no classifier; ModelMismatch if the two do not belong together or
    cannot be used; UnsafePickle for a pickle that holds something else.
    """
    found = storage.read_all([model_path, label_path], max_bytes=safe_pickle.MAX_BYTES)
    model_data, label_data = found[model_path], found[label_path]
    if model_data is None:
        raise ModelMissing(f"{model_path}: must be a trained classifier, is not there; {ADVICE}")
    if label_data is None:
        raise ModelMismatch(f"{label_path}: must hold the labels of {model_path}, is not there; {ADVICE}")
    classifier: Any = safe_pickle.loads(model_data, str(model_path))
    names = _names(safe_pickle.loads(label_data, str(label_path)), label_path)
    if not callable(getattr(classifier, "predict_proba", None)):
        raise ModelMismatch(
            f"{model_path}: must be a classifier with predict_proba, "
            f"got {type(classifier).__name__}; {ADVICE}"
        )
    card = _card(classifier, model_path, names)
    _require_classes(classifier, model_path, label_path, card, names)
    dimensions = _try_out(classifier, model_path)
    return Model(
        classifier,
        _labels(classifier, names),
        card,
        _fingerprint(model_data, label_data),
        str(model_path),
        _verifier(classifier, model_path, (len(names), dimensions)),
    )


def _dumps(classifier: Classifier, classes: tuple[str, ...]) -> tuple[bytes, bytes]:
    encoder = LabelEncoder().fit(list(classes))
    encoder.classes_ = np.array(classes)
    return safe_pickle.dumps(classifier), safe_pickle.dumps(encoder)


def _fingerprint(classifier: bytes, labels: bytes) -> str:
    return hashlib.sha256(hashlib.sha256(classifier).digest() + labels).hexdigest()[:12]


def _labels(classifier: Classifier, names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, and Unknown behind them if the classifier knows strangers and the names do not."""
    extra = STRANGER in np.asarray(classifier.classes_) and UNKNOWN not in names
    return (*names, UNKNOWN) if extra else names


def _names(encoder: object, path: Path) -> tuple[str, ...]:
    if not isinstance(encoder, LabelEncoder):
        raise ModelMismatch(f"{path}: must hold a LabelEncoder, got {type(encoder).__name__}; {ADVICE}")
    classes = getattr(encoder, "classes_", None)
    names = tuple(classes.tolist()) if isinstance(classes, np.ndarray) and classes.ndim == 1 else ()
    if not names or not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise ModelMismatch(f"{path}: must hold names, each once, got {classes!r:.80}; {ADVICE}")
    return names


def _card(classifier: Any, path: Path, names: tuple[str, ...]) -> Card:
    noted = getattr(classifier, CARD, None)
    if noted is None:
        recipe = "xgb" if type(classifier).__module__.startswith("xgboost.") else "svm"
        return Card(ORIGINAL, recipe, {}, names, None, None)
    known = [one.name for one in fields(Card)]
    wanted = {one.name for one in fields(Card) if one.default_factory is MISSING}
    if not isinstance(noted, dict) or not wanted <= set(noted) or not isinstance(noted["classes"], list):
        raise ModelMismatch(
            f"{path}: must carry a card with {', '.join(sorted(wanted))}, got {noted!r:.80}; {ADVICE}"
        )
    card = Card(**{**{key: noted[key] for key in known if key in noted}, "classes": tuple(noted["classes"])})
    if not isinstance(card.versions, dict) or not all(isinstance(one, str) for one in card.versions.values()):
        raise ModelMismatch(f"{path}: must carry versions as texts, got {card.versions!r:.80}; {ADVICE}")
    newer = versions.newer_format(card.versions)
    if newer is not None:
        raise ModelMismatch(
            f"{path}: must be of format {versions.FORMAT} or older, got {newer:.20}; "
            f"install the face_det that wrote it, or {ADVICE}"
        )
    return card


def _require_classes(
    classifier: Any, model_path: Path, label_path: Path, card: Card, names: tuple[str, ...]
) -> None:
    """ModelMismatch unless the classifier's classes are the numbers of these names."""
    if card.classes != names:
        other = sorted(set(card.classes) ^ set(names)) or list(card.classes)
        raise ModelMismatch(
            f"{label_path}: must hold the {len(card.classes)} names that {model_path} was trained on, got "
            f"{len(names)} (they differ in {', '.join(other)[:120]}); {ADVICE}"
        )
    classes = np.asarray(getattr(classifier, "classes_", ()))
    whole = np.issubdtype(classes.dtype, np.integer)
    numbers = classes[classes != STRANGER] if whole else classes
    if not whole or not np.array_equal(numbers, np.arange(len(names))):
        raise ModelMismatch(
            f"{model_path}: must have the {len(names)} classes of {label_path}, numbered from 0, "
            f"got {len(numbers)} ({np.array2string(numbers, threshold=6)}); {ADVICE}"
        )


def _try_out(classifier: Any, path: Path) -> int:
    """ModelMismatch unless one encoding gets one row of probabilities; how long encodings are.

    An estimator that another version of its library pickled often loads, and fails when asked.
    """
    features = getattr(classifier, "n_features_in_", DIMENSIONS[0])
    if features not in DIMENSIONS:
        raise ModelMismatch(
            f"{path}: must take encodings of {DIMENSIONS[0]} or {DIMENSIONS[1]} numbers, "
            f"got {features}; {ADVICE}"
        )
    try:
        row = np.asarray(classifier.predict_proba(np.zeros((1, features))))
    except _BROKEN as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ModelMismatch(
            f"{path}: must work with the libraries installed here, fails with {why}; {ADVICE}"
        ) from error
    if row.shape != (1, len(classifier.classes_)) or not np.isclose(row.sum(), 1, atol=1e-3):
        raise ModelMismatch(f"{path}: must answer with probabilities, got {row!r:.80}; {ADVICE}")
    return int(features)


def _verifier(classifier: Any, path: Path, shape: tuple[int, int]) -> Verifier | None:
    """What decides, if it was noted; ModelMismatch if it is damaged."""
    noted = getattr(classifier, VERIFIER, None)
    try:
        return None if noted is None else Verifier.read(noted, classifier, shape)
    except _BROKEN as error:
        raise ModelMismatch(
            f"{path}: must carry a whole rule of decision, got {error!r:.80}; {ADVICE}"
        ) from error
