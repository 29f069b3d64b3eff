"""Which file holds the model in use: modelPath or, where that has another kind's name, a file beside it.

Each kind of classifier has a file name of its own: svm_face_recognizer.pickle is the original's name for its
svm. If modelPath has such a name and a model of another kind is trained, it is written beside modelPath under
its own name, and the label file says so. docs/adr/0017-model-in-use.md says why.
"""

from __future__ import annotations

from pathlib import Path

from face_det.classifiers import CLASSIFIERS
from face_det.errors import ModelMismatch
from face_det.recognition.model import TRAIN_ADVICE, Model
from face_det.recognition.model_file import parse_model, read_name_in_use
from face_det.storage import MAX_PICKLE_BYTES, read_files


def kind_file_name(kind: str) -> str:
    """Return the file name of a kind of classifier.

    >>> kind_file_name("svm")
    'svm_face_recognizer.pickle'
    """
    return f"{kind}_face_recognizer.pickle"


def named_kind(model_path: Path) -> str | None:
    """Return the kind whose file name modelPath has, or None if the name is the user's own.

    >>> named_kind(Path("xgb_face_recognizer.pickle")), named_kind(Path("mine.pickle"))
    ('xgb', None)
    """
    return next((kind for kind in CLASSIFIERS if kind_file_name(kind) == model_path.name), None)


def choose_model_path(model_path: Path, kind: str) -> Path:
    """Return where the model in use is written if it is of this kind.

    >>> choose_model_path(Path("svm_face_recognizer.pickle"), "template").name
    'template_face_recognizer.pickle'
    >>> choose_model_path(Path("mine.pickle"), "template").name
    'mine.pickle'
    """
    if named_kind(model_path) in (None, kind):
        return model_path
    return model_path.with_name(kind_file_name(kind))


def load_model_in_use(model_path: Path, label_path: Path) -> Model:
    """Read the model in use and its labels, both in the same consistent state; raise what load_model raises.

    Raises ModelMismatch if the labels name a file that is not there, or if they are gone themselves.
    """
    path = model_path
    while True:
        found = read_files([path, label_path], max_bytes=MAX_PICKLE_BYTES)
        named = _path_in_use(found[label_path], model_path, label_path)
        if named == path:
            break
        path = named  # what was read belongs together only if the labels still name this file
    if found[path] is None and path != model_path:
        raise ModelMismatch(
            f"{path}: must be the classifier that {label_path} names, file not found; {TRAIN_ADVICE}"
        )
    if found[label_path] is None and named_kind(model_path) is not None:
        beside = [choose_model_path(model_path, kind) for kind in CLASSIFIERS]
        there = next((other for other in beside if other.exists()), None)
        if there is not None:
            raise ModelMismatch(
                f"{label_path}: must hold the labels of {there}, file not found; {TRAIN_ADVICE}"
            )
    return parse_model(path, label_path, found[path], found[label_path])


def _path_in_use(labels: bytes | None, model_path: Path, label_path: Path) -> Path:
    name = None if labels is None else read_name_in_use(labels, label_path, model_path.name)
    if name is None:
        return model_path
    if name not in {kind_file_name(kind) for kind in CLASSIFIERS}:
        raise ModelMismatch(
            f"{label_path}: must name a classifier's file, such as {kind_file_name('template')}, "
            f"got {name!r:.80}; {TRAIN_ADVICE}"
        )
    return model_path.with_name(name)
