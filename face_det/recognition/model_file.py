"""Reads and writes a model on disk: the classifier's file and the label file.

The classifier's file is the pickled estimator, and the label file a LabelEncoder over the names, as the
original writes them. A model of ours also carries a card and a verifier as attributes of the estimator, so
that they cannot be separated from it and other readers ignore them. A classifier without a card is the
original's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from face_det.classifiers import STRANGER
from face_det.embedders import DLIB_RESNET, classifiable_dimensions, count_dimensions
from face_det.errors import ModelMismatch, ModelMissing
from face_det.recognition.library_versions import MODEL_FORMAT, newer_format
from face_det.recognition.model import ORIGINAL_KIND, TRAIN_ADVICE, Model, ModelCard
from face_det.recognition.verifier import Verifier
from face_det.storage import MAX_PICKLE_BYTES, PlainLabelEncoder, dump_pickle, parse_pickle, read_files
from face_det.types import UNKNOWN, Classifier

CARD_ATTRIBUTE = "face_det_card_"
VERIFIER_ATTRIBUTE = "face_det_verifier_"
IN_USE_ATTRIBUTE = "face_det_in_use_"
"""An attribute of the labels: {name of modelPath: name of the file in use}. Empty means modelPath itself."""
_ESTIMATOR_ERRORS = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What an estimator pickled by another version may raise. xgboost's error is a ValueError."""


def assemble_model(classifier: Classifier, card: ModelCard, verifier: Verifier | None = None) -> Model:
    """Make a model from a newly trained classifier, which gets card and verifier as attributes."""
    setattr(classifier, CARD_ATTRIBUTE, {**asdict(card), "classes": list(card.classes)})
    if verifier is not None:
        setattr(classifier, VERIFIER_ATTRIBUTE, verifier.as_dict(classifier))
    labels = _labels_with_unknown(classifier, card.classes)
    # The bytes are checked where a file of them is written.
    fingerprint = fingerprint_model(dump_pickle(classifier, check=False), card.classes)
    return Model(classifier, labels, card, fingerprint, verifier=verifier)


def dump_model(model: Model, in_use: Mapping[str, str] | None = None) -> tuple[bytes, bytes]:
    """Return the contents of the classifier's file and of the label file.

    `in_use` maps the name of modelPath to the name of the file in use beside it, if that is another one.
    """
    encoder = PlainLabelEncoder(np.array(model.card.classes), {IN_USE_ATTRIBUTE: dict(in_use or {})})
    return dump_pickle(model.classifier), dump_pickle(encoder)


def load_model(model_path: Path, label_path: Path) -> Model:
    """Read a classifier and its labels, both in the same consistent state.

    Raises ModelMissing if there is no classifier, ModelMismatch if the two files do not belong together or
    cannot be used, and UnsafePickle for a pickle that holds something else.
    """
    found = read_files([model_path, label_path], max_bytes=MAX_PICKLE_BYTES)
    return parse_model(model_path, label_path, found[model_path], found[label_path])


def parse_model(
    model_path: Path, label_path: Path, model_data: bytes | None, label_data: bytes | None
) -> Model:
    """Make the model from the contents of the two files; see load_model."""
    if model_data is None:
        raise ModelMissing(f"{model_path}: must be a trained classifier, file not found; {TRAIN_ADVICE}")
    if label_data is None:
        raise ModelMismatch(
            f"{label_path}: must hold the labels of {model_path}, file not found; {TRAIN_ADVICE}"
        )
    classifier: Any = parse_pickle(model_data, str(model_path))
    names = _read_names(parse_pickle(label_data, str(label_path), plain_labels=True), label_path)
    if not callable(getattr(classifier, "predict_proba", None)):
        raise ModelMismatch(
            f"{model_path}: must be a classifier with predict_proba, "
            f"got {type(classifier).__name__}; {TRAIN_ADVICE}"
        )
    card = _read_card(classifier, model_path, names)
    _require_classes(classifier, model_path, label_path, card, names)
    dimensions = _try_out(classifier, model_path)
    return Model(
        classifier,
        _labels_with_unknown(classifier, names),
        card,
        fingerprint_model(model_data, names),
        str(model_path),
        _read_verifier(classifier, model_path, (len(names), dimensions)),
    )


def read_name_in_use(label_data: bytes, label_path: Path, model_name: str) -> object:
    """Return the name of the file in use instead of the one called `model_name`; None if there is none."""
    labels = parse_pickle(label_data, str(label_path), plain_labels=True)
    in_use = getattr(labels, IN_USE_ATTRIBUTE, None)
    return in_use.get(model_name) if isinstance(in_use, dict) else None


def is_our_model(data: bytes) -> bool:
    """Return True if face_det wrote this classifier's file; the original's have no card."""
    return CARD_ATTRIBUTE.encode() in data


def fingerprint_model(classifier: bytes, names: Sequence[str]) -> str:
    """Return the fingerprint of a model, by the content of its classifier's file and its names.

    >>> fingerprint_model(b"", ["Ann"])
    '6c42bb41d9b2'
    """
    labels = "\0".join(names).encode("utf-8", "surrogatepass")
    return hashlib.sha256(hashlib.sha256(classifier).digest() + labels).hexdigest()[:12]


def _labels_with_unknown(classifier: Classifier, names: tuple[str, ...]) -> tuple[str, ...]:
    """Append Unknown to the names if the classifier knows strangers and the names do not."""
    extra = STRANGER in np.asarray(classifier.classes_) and UNKNOWN not in names
    return (*names, UNKNOWN) if extra else names


def _read_names(encoder: object, path: Path) -> tuple[str, ...]:
    if not isinstance(encoder, PlainLabelEncoder):
        raise ModelMismatch(f"{path}: must hold a LabelEncoder, got {type(encoder).__name__}; {TRAIN_ADVICE}")
    classes = getattr(encoder, "classes_", None)
    names = tuple(classes.tolist()) if isinstance(classes, np.ndarray) and classes.ndim == 1 else ()
    if not names or not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise ModelMismatch(f"{path}: must hold names, each once, got {classes!r:.80}; {TRAIN_ADVICE}")
    return names


def _read_card(classifier: Any, path: Path, names: tuple[str, ...]) -> ModelCard:
    stored = getattr(classifier, CARD_ATTRIBUTE, None)
    if stored is None:
        recipe = "xgb" if type(classifier).__module__.startswith("xgboost.") else "svm"
        return ModelCard(ORIGINAL_KIND, recipe, {}, names, None, None)
    known = [one.name for one in fields(ModelCard)]
    required = {one.name for one in fields(ModelCard) if one.default_factory is MISSING}
    if not isinstance(stored, dict) or not required <= set(stored) or not isinstance(stored["classes"], list):
        raise ModelMismatch(
            f"{path}: must carry a card with {', '.join(sorted(required))}, got {stored!r:.80}; "
            f"{TRAIN_ADVICE}"
        )
    values = {key: stored[key] for key in known if key in stored}
    card = ModelCard(**{**values, "classes": tuple(stored["classes"])})
    if not isinstance(card.versions, dict) or not all(isinstance(one, str) for one in card.versions.values()):
        raise ModelMismatch(f"{path}: must carry versions as text, got {card.versions!r:.80}; {TRAIN_ADVICE}")
    newer = newer_format(card.versions)
    if newer is not None:
        raise ModelMismatch(
            f"{path}: must be of format {MODEL_FORMAT} or older, got {newer:.20}; "
            f"install the face_det that wrote it, or {TRAIN_ADVICE}"
        )
    return card


def _require_classes(
    classifier: Any, model_path: Path, label_path: Path, card: ModelCard, names: tuple[str, ...]
) -> None:
    """Raise ModelMismatch unless the classifier's classes are the numbers of these names."""
    if card.classes != names:
        other = sorted(set(card.classes) ^ set(names)) or list(card.classes)
        raise ModelMismatch(
            f"{label_path}: must hold the {len(card.classes)} names that {model_path} was trained on, got "
            f"{len(names)} (they differ in {', '.join(other)[:120]}); {TRAIN_ADVICE}"
        )
    classes = np.asarray(getattr(classifier, "classes_", ()))
    whole = np.issubdtype(classes.dtype, np.integer)
    numbers = classes[classes != STRANGER] if whole else classes
    if not whole or not np.array_equal(numbers, np.arange(len(names))):
        raise ModelMismatch(
            f"{model_path}: must have the {len(names)} classes of {label_path}, numbered from 0, "
            f"got {len(numbers)} ({np.array2string(numbers, threshold=6)}); {TRAIN_ADVICE}"
        )


def _try_out(classifier: Any, path: Path) -> int:
    """Raise ModelMismatch unless one encoding gives one row of probabilities; return an encoding's length.

    An estimator pickled by another version of its library often loads, and fails when it is used.
    """
    lengths = classifiable_dimensions()
    features = getattr(classifier, "n_features_in_", count_dimensions(DLIB_RESNET))
    if features not in lengths:
        numbers = " or ".join(map(str, lengths))
        raise ModelMismatch(
            f"{path}: must take encodings of {numbers} numbers, got {features}; {TRAIN_ADVICE}"
        )
    try:
        row = np.asarray(classifier.predict_proba(np.zeros((1, features))))
    except _ESTIMATOR_ERRORS as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ModelMismatch(
            f"{path}: must work with the libraries installed here, but fails with {why}; {TRAIN_ADVICE}"
        ) from error
    if row.shape != (1, len(classifier.classes_)) or not np.isclose(row.sum(), 1, atol=1e-3):
        raise ModelMismatch(f"{path}: must answer with probabilities, got {row!r:.80}; {TRAIN_ADVICE}")
    return int(features)


def _read_verifier(classifier: Any, path: Path, shape: tuple[int, int]) -> Verifier | None:
    """Return the verifier, or None if there is none; raise ModelMismatch if it is damaged."""
    stored = getattr(classifier, VERIFIER_ATTRIBUTE, None)
    try:
        return None if stored is None else Verifier.from_dict(stored, classifier, shape)
    except _ESTIMATOR_ERRORS as error:
        raise ModelMismatch(
            f"{path}: must carry an intact verifier, got {error!r:.80}; {TRAIN_ADVICE}"
        ) from error
