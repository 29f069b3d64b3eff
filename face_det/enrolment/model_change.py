"""What replacing the model in use changes on disk: the classifier, the labels, and backups of the original's.

The original's encodings are kept in the same way when ours replace them.

The classifier and the labels are only ever replaced together.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from face_det.classifiers import CLASSIFIERS
from face_det.gallery import is_our_encodings_file
from face_det.recognition import Model, choose_model_path, dump_model, is_our_model, kind_file_name
from face_det.storage import MAX_PICKLE_BYTES, backup_path, read_files

if TYPE_CHECKING:
    from face_det.enrolment.results import Paths

log = logging.getLogger(__name__)


def dump_model_in_use(model: Model, model_path: Path, label_path: Path) -> dict[Path, bytes | None]:
    """Return the new contents of the classifier's file and of the labels."""
    path = choose_model_path(model_path, model.recipe)
    classifier, labels = dump_model(model, {} if path == model_path else {model_path.name: path.name})
    return {path: classifier, label_path: labels}


def model_file_candidates(model_path: Path) -> list[Path]:
    """Return every file that may hold the model in use or another one beside it; modelPath comes first.

    >>> [path.name for path in model_file_candidates(Path("mine.pickle"))][:2]
    ['mine.pickle', 'template_face_recognizer.pickle']
    """
    beside = [model_path.with_name(kind_file_name(kind)) for kind in CLASSIFIERS]
    return [model_path, *(path for path in beside if path != model_path)]


def add_encodings_backup(
    files: Mapping[Path, bytes | None], encodings_path: Path
) -> tuple[dict[Path, bytes | None], list[Path]]:
    """Add a copy of the original program's encodings if `files` replaces them; return all files, and copies.

    The original reads ours, too, but it cannot make again what it had: encoding anew depends on the photos
    that are left and on the network. A copy that exists is never replaced.
    """
    copy = backup_path(encodings_path)
    data = read_files([encodings_path], max_bytes=MAX_PICKLE_BYTES)[encodings_path]
    if data is None or is_our_encodings_file(data) or data == files[encodings_path] or copy.exists():
        return {**files}, []
    return {**files, copy: data}, [copy]


def add_backups(
    files: Mapping[Path, bytes | None], classifiers: Iterable[Path], label_path: Path
) -> tuple[dict[Path, bytes | None], list[Path]]:
    """Add copies of the original program's files that `files` replaces; return all files, and the copies.

    `classifiers` are the places where its classifiers may be. The labels are copied if one is there, replaced
    or not, because it needs them. A copy that exists is never replaced.
    """
    found = read_files(classifiers, max_bytes=MAX_PICKLE_BYTES)
    originals = [path for path, data in found.items() if data is not None and not is_our_model(data)]
    replaced = [path for path in originals if path in files]
    if originals and label_path in files:
        replaced.append(label_path)
    old = read_files(replaced, max_bytes=MAX_PICKLE_BYTES)
    copies = {
        backup_path(path): data
        for path, data in old.items()
        if data is not None and data != files[path] and not backup_path(path).exists()
    }
    return {**files, **copies}, sorted(copies)


def keep_originals(files: Mapping[Path, bytes | None], paths: Paths) -> dict[Path, bytes | None]:
    """Add copies of all of the original program's files that `files` replaces, and log where they are."""
    with_models, copies = add_backups(files, model_file_candidates(paths.model), paths.labels)
    everything, encodings_copy = add_encodings_backup(with_models, paths.encodings)
    for path in (*copies, *encodings_copy):
        log.warning("%s: a copy of the original program's file, which was replaced", path)
    return everything


def known_labels(current: Model | None) -> set[str]:
    """Return everybody whom a model can name, and Unknown; empty without a model."""
    return set() if current is None else {*current.labels}
