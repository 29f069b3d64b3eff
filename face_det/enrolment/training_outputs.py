"""Decides which files `face-det train` writes, and what becomes of the model files it does not write."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from face_det.classifiers import CLASSIFIERS
from face_det.enrolment.enroller import FIRST_CLASSIFIER
from face_det.enrolment.forget import DEFAULT_LABELS_NAME
from face_det.enrolment.stand_in import photos_needed
from face_det.errors import Busy, CannotWrite, FaceDetError
from face_det.gallery import Gallery
from face_det.recognition import Model, dump_model, load_model
from face_det.storage import lock_for_update, make_folder, replace_files, report_write_errors
from face_det.training import NEAREST_RECIPE, TrainingResult


@dataclass(frozen=True)
class ModelFiles:
    """Where the classifier of each kind is written, and where the labels are."""

    classifiers: Mapping[str, Path]
    labels: Path


def choose_model_files(
    model_path: Path, label_path: Path, output: Path | None, configured: str, *, some_kinds: bool
) -> ModelFiles:
    """Choose the file of each kind of classifier, and create their folders.

    `configured` is the kind that the daemon trains, or "auto" for that of the model at `model_path`. That
    kind is written to `model_path`. If some kinds were asked for by name (`some_kinds`) and `model_path` has
    the name of a kind, it belongs to that kind instead. A kind whose own file name is taken by `model_path`
    has no file then. With an `output` folder, everything is written there under the kinds' names.

    Raises CannotWrite if a folder cannot be created.
    """
    folder = output or model_path.parent
    classifiers = {kind: folder / f"{kind}_face_recognizer.pickle" for kind in CLASSIFIERS}
    if output is None and not (some_kinds and model_path in classifiers.values()):
        classifiers = {kind: path for kind, path in classifiers.items() if path != model_path}
        classifiers[_kind_in_use(model_path, label_path, configured)] = model_path
    labels = label_path if output is None else output / DEFAULT_LABELS_NAME
    for parent in {folder, labels.parent}:
        with report_write_errors(parent, "it must be a writable folder"):
            make_folder(parent)
    return ModelFiles(classifiers, labels)


def _kind_in_use(model_path: Path, label_path: Path, configured: str) -> str:
    if configured in CLASSIFIERS:
        return configured
    try:
        return load_model(model_path, label_path).recipe
    except FaceDetError:
        return FIRST_CLASSIFIER


@contextlib.contextmanager
def lock_if_writable(encodings: Path) -> Iterator[None]:
    """Hold the lock of an encodings file. A read-only one needs no lock, because nobody changes it."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(CannotWrite):
            stack.enter_context(lock_for_update(encodings))
        yield


def has_gallery_changed(trained: Gallery, encodings: Path) -> bool:
    """Return True if somebody was enrolled since the gallery that was trained on was read.

    The models are then intact but not up to date. Raises Busy if somebody was forgotten, because the models
    would still name that person.
    """
    now = Gallery.load(encodings)
    gone = sorted({*trained.people} - {*now.people})
    if gone:
        raise Busy(f"{encodings}: lost {', '.join(gone)} while this ran; nothing was written, run it again")
    return now.dumps() != trained.dumps()


def write_models(
    result: TrainingResult,
    files: ModelFiles,
    stand_in: tuple[Path, Model] | None,
    pictures: Mapping[str, bytes],
) -> list[Path]:
    """Write the trained models, all of them or none, and return the files written.

    `pictures` holds the confusion matrix (PNG) of each kind that was judged. The old picture of a kind that
    was not is deleted.
    """
    contents: dict[Path, bytes | None] = {}
    for trained in (one for one in result.trained if one.kind in files.classifiers):
        path = files.classifiers[trained.kind]
        contents[path], contents[files.labels] = dump_model(trained.model)
        contents[path.with_name(f"{trained.kind}-cm.png")] = pictures.get(trained.kind)
    if stand_in is not None:
        contents[stand_in[0]], contents[files.labels] = dump_model(stand_in[1])
    replace_files(contents)
    return [path for path, content in contents.items() if content is not None]


def describe_model_files(
    result: TrainingResult, files: ModelFiles, stand_in: tuple[Path, Model] | None, in_use: Path | None
) -> Iterator[str]:
    """Say which classifiers were not written, which files are stale, and whether the daemon's is among them.

    `in_use` is the daemon's model file, or None if the training wrote to another folder.
    """
    written = {
        one.kind: files.classifiers[one.kind] for one in result.trained if one.kind in files.classifiers
    }
    for kind in (one.kind for one in result.trained if one.kind not in files.classifiers):
        yield (
            f"{kind}: not written, because its file is modelPath; to write it there, "
            f"run face-det train -c {kind}"
        )
    if stand_in is not None:
        path, model = stand_in
        written[model.recipe] = path
        yield (
            f"{path}: holds {NEAREST_RECIPE} for now, which knows somebody from the first photo on; "
            f"{model.recipe} takes its place once everybody has {photos_needed(model.recipe)} photos, "
            f"or with --classifier {model.recipe}"
        )
    for path in (path for kind, path in files.classifiers.items() if kind not in written and path.exists()):
        try:
            load_model(path, files.labels)
        except FaceDetError as error:
            yield f"stale: {error}, or delete it"
        else:
            yield f"left as it was: {path}"
    if in_use is not None and in_use not in written.values():
        others = " or ".join(str(path) for path in written.values())
        yield f"modelPath, {in_use}, was not trained: to use what was, set it to {others} in config.json"
