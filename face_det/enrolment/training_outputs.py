"""Decides which files `face-det train` writes, and what becomes of the model files it does not write."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from face_det.classifiers import CLASSIFIERS
from face_det.enrolment.forget import DEFAULT_LABELS_NAME
from face_det.enrolment.model_change import add_backups, dump_model_in_use, model_file_candidates
from face_det.enrolment.recipe_choice import FIRST_RECIPE, RecipeChoice, choose_recipe, record_choice
from face_det.enrolment.retrain import load_model_if_usable
from face_det.errors import Busy, CannotWrite, ConfigError, FaceDetError
from face_det.gallery import Gallery
from face_det.recognition import (
    Model,
    choose_model_path,
    dump_model,
    kind_file_name,
    load_model,
    load_model_in_use,
)
from face_det.storage import (
    explain_way_back,
    lock_for_update,
    make_folder,
    replace_files,
    report_write_errors,
)
from face_det.training import NEAREST_RECIPE, TrainingResult


@dataclass(frozen=True)
class ModelFiles:
    """Where the classifier of each kind is written, and where the labels are.

    `model_path` is modelPath, and `choice` the kind of the model in use; both are None if the training writes
    to a folder that is not in use. `present` is the model that was in use before.
    """

    classifiers: Mapping[str, Path]
    labels: Path
    model_path: Path | None = None
    choice: RecipeChoice | None = None
    present: Model | None = None

    @property
    def in_use(self) -> Path | None:
        """The file that will hold the model in use."""
        return None if self.choice is None else self.classifiers[self.choice.recipe]


def choose_model_files(
    model_path: Path, label_path: Path, output: Path | None, configured: str, asked: Sequence[str]
) -> ModelFiles:
    """Choose the file of each kind of classifier, and create their folders.

    `configured` is the classifier in the configuration, and `asked` the kinds asked for by name; see
    choose_recipe. The model in use goes to `model_path`, or beside it where that has the name of another
    kind; the others go beside it, under their own names. With an `output` folder, everything is written there
    under the kinds' names.

    Raises ConfigError if the `output` folder holds only one of the model in use and its labels, and
    CannotWrite if a folder cannot be created.
    """
    folder = output or model_path.parent
    classifiers = {kind: folder / kind_file_name(kind) for kind in CLASSIFIERS}
    labels = label_path if output is None else output / DEFAULT_LABELS_NAME
    if output is None or _is_in_use(output, labels, model_path, label_path):
        present = load_model_if_usable(lambda: load_model_in_use(model_path, label_path))
        choice = choose_recipe(configured, present, asked, model_path)
        classifiers[choice.recipe] = choose_model_path(model_path, choice.recipe)
        files = ModelFiles(classifiers, label_path, model_path, choice, present)
    else:
        files = ModelFiles(classifiers, labels)
    for parent in {folder, labels.parent}:
        with report_write_errors(parent, "it must be a writable folder"):
            make_folder(parent)
    return files


def choose_kinds(files: ModelFiles, configured: str) -> list[str]:
    """Choose the kinds to train where none was asked for: the one that will be in use.

    A template goes with it, to stand in where there are too few photos for the other kind.

    >>> choose_kinds(ModelFiles({}, Path("labels.pickle")), "svm")
    ['svm', 'template']
    """
    kind = choose_recipe(configured, None).recipe if files.choice is None else files.choice.recipe
    return [*dict.fromkeys((kind, FIRST_RECIPE))]


def _is_in_use(output: Path, labels: Path, model_path: Path, label_path: Path) -> bool:
    """Return True if `output` is the folder of the model in use and of its labels."""
    holds_model = os.path.realpath(output) == os.path.realpath(model_path.parent)
    holds_labels = os.path.realpath(labels) == os.path.realpath(label_path)
    if holds_model and holds_labels:
        return True
    touched = holds_model and any(path.exists() for path in model_file_candidates(model_path))
    if holds_labels or touched:
        held = f"the labels in use, {label_path}" if holds_labels else f"the model in use, {model_path}"
        raise ConfigError(
            [
                f"--output {output}: must be a folder of its own, but holds {held}, and would part model and "
                "labels; leave --output away to replace both"
            ]
        )
    return False


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


@dataclass(frozen=True)
class WrittenModels:
    """The files written, the copies of the original program's files among them, and the model in use."""

    files: tuple[Path, ...]
    copies: tuple[Path, ...]
    in_use: Model | None


def write_models(
    result: TrainingResult, files: ModelFiles, stand_in: Model | None, pictures: Mapping[str, bytes]
) -> WrittenModels:
    """Write the trained models, all of them or none.

    `stand_in` is the model in use where its kind was not trained. `pictures` holds the confusion matrix (PNG)
    of each kind that was judged. The old picture of a kind that was not is deleted.
    """
    contents: dict[Path, bytes | None] = {}
    in_use = stand_in
    for trained in result.trained:
        path = files.classifiers[trained.kind]
        contents[path], contents[files.labels] = dump_model(trained.model)
        contents[path.with_name(f"{trained.kind}-cm.png")] = pictures.get(trained.kind)
        if files.choice is not None and trained.kind == files.choice.recipe and stand_in is None:
            in_use = trained.model
    if in_use is not None and files.choice is not None and files.model_path is not None:
        in_use = record_choice(in_use, files.choice, files.present)
        contents |= dump_model_in_use(in_use, files.model_path, files.labels)
    candidates = {*files.classifiers.values(), *([] if files.model_path is None else [files.model_path])}
    contents, copies = add_backups(contents, sorted(candidates), files.labels)
    replace_files(contents)
    written = tuple(path for path, content in contents.items() if content is not None)
    return WrittenModels(tuple(path for path in written if path not in copies), tuple(copies), in_use)


def describe_model_files(result: TrainingResult, files: ModelFiles, written: WrittenModels) -> Iterator[str]:
    """Say whether a stand-in is in use, which files are stale, and how to go back to the original's."""
    model = written.in_use
    if model is not None and model.card.kind != model.recipe:
        could = model.recipe not in {skip.kind for skip in result.skipped}
        anyway = f"; --classifier {model.recipe} puts {model.recipe} there all the same" if could else ""
        yield f"{files.in_use}: holds {NEAREST_RECIPE}, which knows somebody from the first photo on{anyway}"
    for copy in written.copies:
        yield (
            f"kept: {copy}: the original program's file, which cannot read the new one; "
            f"{explain_way_back(copy)}"
        )
    for kind, path in files.classifiers.items():
        if path in written.files or not path.exists():
            continue
        try:
            load_model(path, files.labels)
        except FaceDetError:
            # The error's own advice may be about the labels, which are new and in use.
            yield f"stale: {path}: does not fit the new labels; run face-det train -c {kind}, or delete it"
        else:
            yield f"left as it was: {path}"
